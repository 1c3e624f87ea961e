// The viewer's volume on real sound servers: what is set by one tool is read with another.
import { symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemMixers, VolumeControl } from "../../src/desktop/volume/volume-control.ts";
import type { MixerName, VolumeRequest } from "../../src/features/volume.ts";
import { systemClock } from "../../src/support/clock.ts";
import { audioVolumeSync } from "../../src/wire/audio-volume-sync.ts";
import { bareLayout } from "../../src/wire/codec.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { startPipewire } from "./peers/pipewire.ts";
import { cleanEnvironment, run } from "./peers/processes.ts";
import { makePulseaudio, startPulseaudio } from "./peers/pulseaudio.ts";
import { pactlVolume, type SoundServer, wpctlVolume } from "./peers/sound.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";

const { signal } = new AbortController();

/** A request to one driver, whatever the others could do. */
const set = (server: SoundServer, driver: MixerName, request: VolumeRequest): Promise<void> =>
  systemMixers(systemClock, cleanEnvironment(server.env))[driver].set(request, signal);

const playing = (...channels: number[]): VolumeRequest => ({ direction: "playback", mute: false, channels });

/** The volume of a whole session half, fed with a viewer's bytes. */
function control(env: NodeJS.ProcessEnv) {
  const { log, lines } = recordingLog();
  const volume = new VolumeControl(systemMixers(systemClock, env), systemClock, log);
  return {
    lines,
    get status() {
      return volume.status;
    },
    receive: (isPlayback: boolean, mute: boolean, ...channels: number[]) =>
      volume.request(
        audioVolumeSync.decode(audioVolumeSync.encode({ isPlayback, mute, volume: channels }, bareLayout), bareLayout),
      ),
    said: (line: RegExp, timeoutMs = 20_000) =>
      until(`${line}`, () => lines.some((one) => line.test(one)), timeoutMs).catch((error) => {
        throw new Error(`${lines.join("\n")}`, { cause: error });
      }),
    [Symbol.asyncDispose]: () => volume[Symbol.asyncDispose](),
  };
}

/** A PATH on which only these tools are installed. */
async function pathOf(dir: TempDir, ...tools: readonly string[]): Promise<string> {
  for (const tool of tools) symlinkSync((await run("which", [tool])).trim(), dir.join(tool));
  return dir.path;
}

/** Every driver against every server that it can speak to, read back in PulseAudio's raw units. */
const pairs: readonly (readonly [MixerName, string, () => Promise<SoundServer>])[] = [
  ["pactl", "PulseAudio", startPulseaudio],
  ["amixer", "PulseAudio through ALSA's plugin", startPulseaudio],
  ["wpctl", "PipeWire", startPipewire],
  ["pactl", "PipeWire", startPipewire],
];

describe.each(pairs)("row 80: %s on %s", (driver, _, start) => {
  test("playback and record: 32768 is 50 %, 65535 is 100 %, 0 is 0 %, and mute both ways", async () => {
    await using server = await start();
    for (const [direction, device] of [
      ["playback", "sink"],
      ["record", "source"],
    ] as const) {
      for (const [volume, percent] of [
        [32768, "50%"],
        [65535, "100%"],
        [0, "0%"],
        [12345, "19%"],
      ] as const) {
        for (const mute of [true, false]) {
          await set(server, driver, { direction, mute, channels: [volume, volume] });
          expect(await pactlVolume(server, device)).toMatchObject({ percents: [percent, percent], mute });
        }
      }
    }
  });
});

describe("exactness", () => {
  test("wpctl's number is pactl's divided by 65536, both ways", async () => {
    await using server = await startPipewire();
    for (const volume of [0, 1, 655, 12345, 32767, 32768, 32769, 65534]) {
      await set(server, "wpctl", playing(volume));
      expect((await pactlVolume(server, "sink")).raw).toEqual([volume, volume]);
    }
    await set(server, "wpctl", playing(65535));
    expect((await pactlVolume(server, "sink")).raw).toEqual([65536, 65536]);
    await set(server, "pactl", { ...playing(32768), mute: true });
    expect(await wpctlVolume(server, "sink")).toBe("Volume: 0.50 [MUTED]");
    await set(server, "pactl", playing(65535));
    expect(await wpctlVolume(server, "sink")).toBe("Volume: 1.00");
  });

  test("pactl sets raw units as they are", async () => {
    await using server = await startPulseaudio();
    for (const volume of [0, 1, 12345, 32768, 65534]) {
      await set(server, "pactl", playing(volume));
      expect((await pactlVolume(server, "sink")).raw).toEqual([volume, volume]);
    }
  });
});

describe("row 81: n channels on a device with m", () => {
  const six = [60000, 50000, 40000, 30000, 20000, 10000] as const;

  test.each<[1 | 2 | 6, readonly number[], readonly number[]]>([
    [1, [10000, 30000], [20000]],
    [1, [20000], [20000]],
    [2, [10000, 30000], [10000, 30000]],
    [2, six, [60000, 50000]],
    [2, [30000], [30000, 30000]],
    [6, six, six],
    [6, [10000, 30000], [10000, 30000, 20000, 20000, 20000, 20000]],
    [6, [30000], [30000, 30000, 30000, 30000, 30000, 30000]],
  ])("PulseAudio with %d: %j", async (channels, volume, expected) => {
    await using server = await startPulseaudio({ channels });
    for (const driver of ["pactl", "amixer"] as const) {
      await set(server, "pactl", playing(1));
      await set(server, driver, playing(...volume));
      const { raw } = await pactlVolume(server, "sink");
      // The viewer's full is 65535, ALSA's plugin has 65536: amixer is told the nearest.
      const distance = raw.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN)));
      expect(Math.max(...distance)).toBeLessThanOrEqual(driver === "amixer" ? 1 : 0);
      expect(raw).toHaveLength(expected.length);
    }
  });

  test("PipeWire: unequal channels by pactl, and by wpctl their mean where pactl is not installed", async () => {
    await using server = await startPipewire();
    using tools = makeTempDir("tools");
    await using both = control(cleanEnvironment(server.env));
    both.receive(true, false, 10000, 30000);
    await both.said(/playback set: .* by pactl$/);
    expect((await pactlVolume(server, "sink")).raw).toEqual([10000, 30000]);
    await using one = control({ ...cleanEnvironment(server.env), PATH: await pathOf(tools, "wpctl") });
    one.receive(true, false, 10000, 30000);
    await one.said(/playback set: .* their mean .* by wpctl$/);
    expect((await pactlVolume(server, "sink")).raw).toEqual([20000, 20000]);
  });

  test("no channels, or more than can be, change nothing", async () => {
    await using server = await startPulseaudio();
    await set(server, "pactl", playing(30000));
    await using viewer = control(cleanEnvironment(server.env));
    viewer.receive(true, true);
    viewer.receive(true, true, ...Array(65).fill(0));
    expect(viewer.lines).toHaveLength(2);
    expect(await pactlVolume(server, "sink")).toMatchObject({ raw: [30000, 30000], mute: false });
  });
});

describe("the first that works", () => {
  test("PipeWire: wpctl", async () => {
    await using server = await startPipewire();
    await using viewer = control(cleanEnvironment(server.env));
    viewer.receive(true, false, 32768, 32768);
    viewer.receive(false, true, 65535, 65535);
    await viewer.said(/playback set: 50 %, by wpctl$/);
    await viewer.said(/record set: 100 %, muted, by wpctl$/);
    expect(viewer.status).toEqual({ driver: "wpctl", fault: undefined });
  });

  test("PulseAudio: pactl, for there is no PipeWire", async () => {
    await using server = await startPulseaudio();
    await using viewer = control(cleanEnvironment(server.env));
    viewer.receive(true, false, 32768, 32768);
    await viewer.said(/playback set: 50 %, by pactl$/);
    expect(viewer.status).toEqual({ driver: "pactl", fault: undefined });
  });

  test("ALSA: amixer, for the others are not installed", async () => {
    await using server = await startPulseaudio();
    using tools = makeTempDir("tools");
    await using viewer = control({ ...cleanEnvironment(server.env), PATH: await pathOf(tools, "amixer") });
    viewer.receive(true, true, 32768, 32768);
    await viewer.said(/playback set: 50 %, muted, by amixer$/);
    expect(await pactlVolume(server, "sink")).toMatchObject({ percents: ["50%", "50%"], mute: true });
  });

  test("the latest wish is what remains of a hundred", async () => {
    await using server = await startPipewire();
    await using viewer = control(cleanEnvironment(server.env));
    for (let volume = 1; volume <= 100; volume += 1) viewer.receive(true, false, volume * 500);
    await viewer.said(/playback set: 76 %, by wpctl$/);
    expect((await pactlVolume(server, "sink")).raw).toEqual([50_000, 50_000]);
    expect(viewer.lines).toHaveLength(2);
  });
});

describe("a sound server that comes and goes", () => {
  test("is not there yet: the volume is set once it is", async () => {
    await using server = makePulseaudio();
    await using viewer = control(cleanEnvironment(server.env));
    viewer.receive(true, true, 32768);
    await viewer.said(/playback not set, tried again in 500 ms: volume.unavailable: /);
    expect(viewer.status.fault).toMatch(/^playback: volume.unavailable: .*Connection/);
    await server.start();
    await viewer.said(/playback set: 50 %, muted, by pactl$/, 10_000);
    expect(await pactlVolume(server, "sink")).toMatchObject({ percents: ["50%", "50%"], mute: true });
    expect(viewer.status).toEqual({ driver: "pactl", fault: undefined });
  });

  test("restarts: the next wish reaches the new one", async () => {
    await using server = await startPulseaudio();
    await using viewer = control(cleanEnvironment(server.env));
    viewer.receive(true, false, 32768);
    await viewer.said(/playback set: 50 %, by pactl$/);
    await server.stop();
    await server.start();
    viewer.receive(true, false, 16384);
    await viewer.said(/playback set: 25 %, by pactl$/);
    expect((await pactlVolume(server, "sink")).percents).toEqual(["25%", "25%"]);
  });

  test("hangs: its tools are ended, and it is asked again later", async () => {
    await using server = await startPulseaudio();
    using tools = makeTempDir("tools");
    await using viewer = control({ ...cleanEnvironment(server.env), PATH: await pathOf(tools, "pactl") });
    server.signal("SIGSTOP");
    viewer.receive(true, false, 32768);
    await viewer.said(/playback not set, tried again .* pactl: no answer within 2000 ms/);
    server.signal("SIGCONT");
    await viewer.said(/playback set: 50 %, by pactl$/, 10_000);
  });

  test("nothing is installed at all", async () => {
    using nowhere = makeTempDir("tools");
    await using viewer = control({
      ...cleanEnvironment(),
      PATH: [nowhere.path, join(nowhere.path, "b")].join(delimiter),
    });
    viewer.receive(true, false, 32768);
    await viewer.said(/volume.unavailable: wpctl: not installed, pactl: not installed, amixer: not installed$/);
  });
});
