// PulseAudio, or PipeWire in its place, through `pactl`: a volume for each channel, in the raw units 0..65536.
import { isLevel, rawVolume, type VolumeMixer, type VolumeRequest, volumesOnDevice } from "../../features/volume.ts";
import type { CommandResult, RunCommand } from "../command.ts";
import { checkResult } from "./mixer-command.ts";

const nobodyThere = /Connection (failure|refused|terminated)/;
/** PA_CHANNELS_MAX of pulse/sample.h */
const MAX_DEVICE_CHANNELS = 32;

export function pactlMixer(run: RunCommand): VolumeMixer {
  return {
    set: async ({ direction, mute, channels }, signal) => {
      const [kind, device] = direction === "playback" ? ["sink", "@DEFAULT_SINK@"] : ["source", "@DEFAULT_SOURCE@"];
      const setMute = async (): Promise<void> =>
        checkResult(await run("pactl", [`set-${kind}-mute`, device, mute ? "1" : "0"], signal), nobodyThere);
      const setVolumes = (volumes: readonly number[]): Promise<CommandResult> =>
        run("pactl", [`set-${kind}-volume`, device, ...volumes.map((volume) => String(rawVolume(volume)))], signal);
      // Silent first and audible last: at no moment is it louder than before or after.
      if (mute) await setMute();
      checkResult(await withItsChannels(channels, setVolumes), nobodyThere);
      if (!mute) await setMute();
    },
  };
}

/** How many channels the device has is not asked beforehand: two on both sides is the rule, and else pactl says it. */
async function withItsChannels(
  channels: VolumeRequest["channels"],
  set: (volumes: readonly number[]) => Promise<CommandResult>,
): Promise<CommandResult> {
  if (isLevel(channels)) return set(channels.slice(0, 1));
  const result = await set(channels);
  const supported = result.code === 0 ? 0 : Number(/supported = (\d{1,3})\b/.exec(result.stderr)?.[1] ?? 0);
  if (supported < 1 || supported > MAX_DEVICE_CHANNELS) return result;
  return set(volumesOnDevice(channels, supported));
}
