// What `wpctl` (WirePlumber 0.4.13) is told, and what its answers mean.
import { expect, test } from "vitest";
import { wpctlMixer } from "../../../../src/desktop/volume/wpctl.ts";
import type { VolumeRequest } from "../../../../src/features/volume.ts";
import { complaint, recordedCommands } from "./recorded-commands.ts";

const { signal } = new AbortController();

const calls = async (request: VolumeRequest): Promise<readonly string[]> => {
  const commands = recordedCommands();
  await wpctlMixer(commands.run).set(request, signal);
  return commands.calls;
};

test("row 80: 32768 is half; audible only after the volume is set", async () => {
  expect(await calls({ direction: "playback", mute: false, channels: [32768, 32768] })).toEqual([
    "wpctl set-volume @DEFAULT_AUDIO_SINK@ 0.500000",
    "wpctl set-mute @DEFAULT_AUDIO_SINK@ 0",
  ]);
});

test("row 80: the microphone muted, before the volume is set", async () => {
  expect(await calls({ direction: "record", mute: true, channels: [65535] })).toEqual([
    "wpctl set-mute @DEFAULT_AUDIO_SOURCE@ 1",
    "wpctl set-volume @DEFAULT_AUDIO_SOURCE@ 1.000000",
  ]);
});

test.each([
  [[0], "0.000000"],
  [[1], "0.000015"],
  [[12345], "0.188370"],
  [[65534], "0.999969"],
  [[0, 65535], "0.500000"],
  [[10, 20, 60], "0.000458"],
])("%j is %s", async (channels, number) => {
  const [first] = await calls({ direction: "playback", mute: false, channels });
  expect(first).toBe(`wpctl set-volume @DEFAULT_AUDIO_SINK@ ${number}`);
});

test.each([
  ["no PipeWire", 2, "Could not connect to PipeWire\n", "volume.unavailable", "Could not connect to PipeWire"],
  [
    "no such device",
    3,
    "Translate ID error: '-1' is not a valid ID (returned by default-nodes-api)\n\n",
    "volume.refused",
    "Translate ID error: '-1' is not a valid ID (returned by default-nodes-api)",
  ],
  ["without a word", 1, "", "volume.refused", "exit code 1"],
])("%s", async (_, exitCode, stderr, code, message) => {
  const commands = recordedCommands(complaint(exitCode, stderr));
  const set = wpctlMixer(commands.run).set({ direction: "playback", mute: false, channels: [1] }, signal);
  await expect(set).rejects.toMatchObject({ name: "BackendError", code, message });
  expect(commands.calls).toHaveLength(1);
});
