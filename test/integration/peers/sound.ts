/** What a sound server's own tools say of its default devices. */
import { run } from "./processes.ts";

/** A process of one or more that together are a sound server, in a folder of their own. */
export interface SoundServer extends AsyncDisposable {
  /** For the tools that are to find it, and no other. */
  readonly env: Readonly<Record<string, string>>;
}

export type SoundDevice = "sink" | "source";

export interface DeviceVolume {
  /** PulseAudio's raw units, a number a channel. */
  readonly raw: readonly number[];
  readonly percents: readonly string[];
  readonly mute: boolean;
}

/** The default device as `pactl` prints it. */
export async function pactlVolume({ env }: SoundServer, device: SoundDevice): Promise<DeviceVolume> {
  const name = `@DEFAULT_${device.toUpperCase()}@`;
  const volume = await run("pactl", [`get-${device}-volume`, name], { env });
  const mute = await run("pactl", [`get-${device}-mute`, name], { env });
  // "Volume: front-left: 32768 /  50% / -18.06 dB,   front-right: …"
  const channels = [...volume.matchAll(/: (\d+) \/ +(\d+%) \//g)];
  return {
    raw: channels.map((match) => Number(match[1])),
    percents: channels.map((match) => match[2] ?? ""),
    mute: mute.trim() === "Mute: yes",
  };
}

/** The default device as `wpctl` prints it: "Volume: 0.50 [MUTED]". */
export async function wpctlVolume({ env }: SoundServer, device: SoundDevice): Promise<string> {
  return (await run("wpctl", ["get-volume", `@DEFAULT_AUDIO_${device.toUpperCase()}@`], { env })).trim();
}

/** What both kinds of server need: nothing of the caller's own sound is seen, nothing of theirs is left. */
export function soundEnvironment(dir: string): Record<string, string> {
  return {
    HOME: dir,
    XDG_RUNTIME_DIR: dir,
    XDG_CONFIG_HOME: `${dir}/config`,
    XDG_STATE_HOME: `${dir}/state`,
    XDG_CACHE_HOME: `${dir}/cache`,
    PIPEWIRE_RUNTIME_DIR: dir,
    PULSE_RUNTIME_PATH: `${dir}/pulse`,
    PULSE_SERVER: `unix:${dir}/pulse/native`,
  };
}
