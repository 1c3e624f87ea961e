// What `pactl` (16.1) is told, and what its answers mean.
import { describe, expect, test } from "vitest";
import type { CommandResult } from "../../../../src/desktop/command.ts";
import { pactlMixer } from "../../../../src/desktop/volume/pactl.ts";
import type { VolumeRequest } from "../../../../src/features/volume.ts";
import { complaint, recordedCommands } from "./recorded-commands.ts";

const { signal } = new AbortController();

const calls = async (request: VolumeRequest, ...answers: CommandResult[]): Promise<readonly string[]> => {
  const commands = recordedCommands(...answers);
  await pactlMixer(commands.run).set(request, signal);
  return commands.calls;
};

const playing = (...channels: number[]): VolumeRequest => ({ direction: "playback", mute: false, channels });
const wrongCount = (asked: number, supported: number): CommandResult =>
  complaint(
    1,
    `Failed to set volume: You tried to set volumes for ${asked} channels, whereas channel(s) supported = ${supported}\n`,
  );

test("row 80: 32768 is half, for all channels at once; audible only after the volume is set", async () => {
  expect(await calls(playing(32768, 32768))).toEqual([
    "pactl set-sink-volume @DEFAULT_SINK@ 32768",
    "pactl set-sink-mute @DEFAULT_SINK@ 0",
  ]);
});

test("row 80: the microphone muted, before the volume is set", async () => {
  expect(await calls({ direction: "record", mute: true, channels: [65535] })).toEqual([
    "pactl set-source-mute @DEFAULT_SOURCE@ 1",
    "pactl set-source-volume @DEFAULT_SOURCE@ 65536",
  ]);
});

describe("row 81: unequal channels", () => {
  test("are set one by one", async () => {
    const [first] = await calls(playing(0, 12345, 65535));
    expect(first).toBe("pactl set-sink-volume @DEFAULT_SINK@ 0 12345 65536");
  });

  test.each([
    [[100, 300], 1, "200"],
    [[100, 200, 300], 2, "100 200"],
    [[100, 300], 4, "100 300 200 200"],
  ])("%j on a device with %d", async (channels, supported, volumes) => {
    expect(await calls(playing(...channels), wrongCount(channels.length, supported))).toEqual([
      `pactl set-sink-volume @DEFAULT_SINK@ ${channels.join(" ")}`,
      `pactl set-sink-volume @DEFAULT_SINK@ ${volumes}`,
      "pactl set-sink-mute @DEFAULT_SINK@ 0",
    ]);
  });

  test("as PulseAudio 13 says it", async () => {
    const said = "Failed to set volume: You tried to set volumes for 2 channels, whereas channel/s supported = 1\n";
    expect((await calls(playing(100, 300), complaint(1, said)))[1]).toBe("pactl set-sink-volume @DEFAULT_SINK@ 200");
  });

  test.each([0, 33, 999])("a device of %d channels is not believed", async (supported) => {
    await expect(calls(playing(1, 2), wrongCount(2, supported))).rejects.toMatchObject({ code: "volume.refused" });
  });
});

test.each([
  [
    "no server",
    "Connection failure: Connection refused\npa_context_connect() failed: Connection refused\n",
    "volume.unavailable",
    "Connection failure: Connection refused",
  ],
  ["no device", "Failure: No such entity\n", "volume.refused", "Failure: No such entity"],
])("%s", async (_, stderr, code, message) => {
  await expect(calls(playing(1), complaint(1, stderr))).rejects.toMatchObject({ name: "BackendError", code, message });
});
