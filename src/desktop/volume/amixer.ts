// ALSA's simple mixer through `amixer`: the elements and the card that upstream uses, in the card's own units.
import { scaledVolume, type VolumeDirection, type VolumeMixer, volumesOnDevice } from "../../features/volume.ts";
import { BackendError } from "../../support/errors.ts";
import type { RunCommand } from "../command.ts";
import { checkResult } from "./mixer-command.ts";

interface Side {
  readonly element: string;
  /** Before a capability: "pvolume". Without it the capability is of both sides. */
  readonly letter: "p" | "c";
  readonly word: "Playback" | "Capture";
  readonly mute: string;
  readonly unmute: string;
}

const sides: Readonly<Record<VolumeDirection, Side>> = {
  playback: { element: "Master", letter: "p", word: "Playback", mute: "mute", unmute: "unmute" },
  record: { element: "Capture", letter: "c", word: "Capture", mute: "nocap", unmute: "cap" },
};

const nobodyThere = /Mixer (attach|load|open)|Invalid CTL/;
/** SND_MIXER_SCHN_LAST + 1 of alsa/mixer.h */
const MAX_DEVICE_CHANNELS = 32;

export function amixerMixer(run: RunCommand): VolumeMixer {
  return {
    set: async ({ direction, mute, channels }, signal) => {
      const side = sides[direction];
      const amixer = async (...args: readonly string[]): Promise<string> => {
        const result = await run("amixer", ["-D", "default", "--", ...args], signal);
        checkResult(result, nobodyThere);
        return result.stdout;
      };
      const { limits, deviceChannels, hasSwitch } = parseElement(await amixer("sget", side.element), side);
      const changes: string[] = [];
      if (limits !== undefined) {
        const { min, max } = limits;
        // Without a switch, silence is the lowest volume.
        const volumes = mute && !hasSwitch ? [0] : channels;
        const raw = volumesOnDevice(volumes, deviceChannels).map((volume) => scaledVolume(volume, min, max));
        changes.push(raw.join(","));
      }
      if (hasSwitch) changes.push(mute ? side.mute : side.unmute);
      if (changes.length === 0) throw new BackendError("volume.refused", `${side.element} has no volume and no switch`);
      await amixer("sset", side.element, side.word.toLowerCase(), ...changes);
    },
  };
}

interface SimpleElement {
  /** Undefined: no volume. */
  readonly limits: { readonly min: number; readonly max: number } | undefined;
  /** How many volumes can be set. */
  readonly deviceChannels: number;
  readonly hasSwitch: boolean;
}

/** Reads what `amixer sget` says of one side of an element. */
function parseElement(text: string, { letter, word }: Side): SimpleElement {
  const line = (label: string): string => new RegExp(`^\\s*${label}:(.*)$`, "m").exec(text)?.[1] ?? "";
  const capabilities = new Set(line("Capabilities").trim().split(/\s+/));
  const has = (capability: string): boolean => capabilities.has(letter + capability) || capabilities.has(capability);
  const limits =
    new RegExp(`${word} (-?\\d{1,9}) - (-?\\d{1,9})`).exec(line("Limits")) ??
    /^ (-?\d{1,9}) - (-?\d{1,9})/.exec(line("Limits"));
  const names = line(`${word} channels`).split(" - ");
  return {
    limits: limits === null ? undefined : { min: Number(limits[1]), max: Number(limits[2]) },
    deviceChannels: has("volume-joined") ? 1 : Math.min(names.length, MAX_DEVICE_CHANNELS),
    hasSwitch: ["switch", "switch-joined", "switch-exclusive"].some(has),
  };
}
