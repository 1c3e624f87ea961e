// PipeWire through WirePlumber's `wpctl`. Its numbers are PulseAudio's divided by 65536; all channels get one volume.
import { meanVolume, rawVolume, type VolumeMixer } from "../../features/volume.ts";
import type { RunCommand } from "../command.ts";
import { checkResult } from "./mixer-command.ts";

const FULL_RAW = 65536;
const nobodyThere = /Could not connect/;

export function wpctlMixer(run: RunCommand): VolumeMixer {
  return {
    set: async ({ direction, mute, channels }, signal) => {
      const device = direction === "playback" ? "@DEFAULT_AUDIO_SINK@" : "@DEFAULT_AUDIO_SOURCE@";
      const change = async (what: string, value: string): Promise<void> =>
        checkResult(await run("wpctl", [what, device, value], signal), nobodyThere);
      // Silent first and audible last: at no moment is it louder than before or after.
      if (mute) await change("set-mute", "1");
      // Six digits tell all 65537 numbers apart.
      await change("set-volume", (rawVolume(meanVolume(channels)) / FULL_RAW).toFixed(6));
      if (!mute) await change("set-mute", "0");
    },
  };
}
