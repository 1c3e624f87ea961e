// Which of the viewer's volumes are served, in which order, and what becomes of them on a device.
import { describe, expect, test } from "vitest";
import {
  idleVolume,
  mixerOrder,
  rawVolume,
  scaledVolume,
  type VolumeEffect,
  type VolumeInput,
  type VolumeRequest,
  type VolumeState,
  volumeRequest,
  volumeStep,
  volumesOnDevice,
} from "../../../src/features/volume.ts";

const wish = (...channels: number[]): VolumeRequest => ({ direction: "playback", mute: false, channels });

describe("row 81: what is asked", () => {
  test.each([1, 2, 3, 6, 64])("%d channels are a wish", (count) => {
    const volume = Array.from({ length: count }, (_, index) => index);
    expect(volumeRequest({ isPlayback: true, mute: false, volume })).toEqual(wish(...volume));
  });

  test("the microphone's are the record direction's, with its mute", () => {
    const request = { direction: "record", mute: true, channels: [65535] };
    expect(volumeRequest({ isPlayback: false, mute: true, volume: [65535] })).toEqual(request);
  });

  test.each<[number, string]>([
    [0, "no channels"],
    [65, "65 channels, more than 64"],
    [255, "255 channels, more than 64"],
  ])("%d channels are ignored, with a note", (count, ignored) => {
    expect(volumeRequest({ isPlayback: true, mute: false, volume: Array(count).fill(1) })).toEqual({ ignored });
  });
});

describe("row 81: the viewer's channels on the device's", () => {
  test.each<[string, readonly number[], number, readonly number[]]>([
    ["as many: one to one", [1, 2, 3], 3, [1, 2, 3]],
    ["one: for all", [7], 4, [7, 7, 7, 7]],
    ["more, on mono: the mean", [0, 65535], 1, [32768]],
    ["more: the first ones", [10, 20, 30, 40], 2, [10, 20]],
    ["fewer: the mean for the rest", [10, 30], 5, [10, 30, 20, 20, 20]],
    ["one on one", [12345], 1, [12345]],
    ["64 on 2", Array.from({ length: 64 }, (_, index) => index), 2, [0, 1]],
  ])("%s", (_, channels, device, result) => {
    expect(volumesOnDevice(channels, device)).toEqual(result);
  });
});

describe("scales", () => {
  test("PulseAudio's number is the viewer's own, and full is full", () => {
    const volumes = Array.from({ length: 65535 }, (_, volume) => volume);
    expect(volumes.filter((volume) => rawVolume(volume) !== volume)).toEqual([]);
    expect(rawVolume(65535)).toBe(65536);
  });

  test.each([
    [0, 0, 87, 0],
    [32768, 0, 87, 44],
    [65535, 0, 87, 87],
    [32768, 0, 65536, 32769],
    [0, -100, 0, -100],
    [32768, -100, 100, 0],
    [65535, 5, 5, 5],
  ])("%d from %d to %d is %d", (volume, min, max, result) => {
    expect(scaledVolume(volume, min, max)).toBe(result);
  });
});

test("wpctl is asked first, except for unequal channels, which it does not know; ALSA is always the last", () => {
  expect(mixerOrder(wish(5))).toEqual(["wpctl", "pactl", "amixer"]);
  expect(mixerOrder(wish(5, 5, 5))).toEqual(["wpctl", "pactl", "amixer"]);
  expect(mixerOrder(wish(5, 6))).toEqual(["pactl", "wpctl", "amixer"]);
});

class Steps {
  state: VolumeState = idleVolume;

  take(input: VolumeInput): readonly VolumeEffect[] {
    const [state, effects] = volumeStep(this.state, input);
    this.state = state;
    return effects;
  }

  ask(request: VolumeRequest): readonly VolumeEffect[] {
    return this.take({ kind: "viewer-asked", request });
  }
}

const [first, second, third] = [wish(1), wish(2), wish(3)];

describe("the latest wish wins", () => {
  test("a wish is applied at once, and then nothing is left to do", () => {
    const steps = new Steps();
    expect(steps.ask(first)).toEqual([{ kind: "apply", request: first }]);
    expect(steps.take({ kind: "applied" })).toEqual([]);
    expect(steps.state).toBe(idleVolume);
  });

  test("of those that come meanwhile only the last is applied, after the first", () => {
    const steps = new Steps();
    steps.ask(first);
    expect([steps.ask(second), steps.ask(third)]).toEqual([[], []]);
    expect(steps.take({ kind: "applied" })).toEqual([{ kind: "apply", request: third }]);
    expect(steps.take({ kind: "applied" })).toEqual([]);
  });

  test("what failed is not tried again when a newer one has come", () => {
    const steps = new Steps();
    steps.ask(first);
    steps.ask(second);
    expect(steps.take({ kind: "failed" })).toEqual([{ kind: "apply", request: second }]);
  });

  test("what waits for its next try is replaced, and the newer one has all its tries", () => {
    const steps = new Steps();
    steps.ask(first);
    steps.take({ kind: "failed" });
    expect(steps.ask(second)).toEqual([{ kind: "cancel-retry" }, { kind: "apply", request: second }]);
    expect(steps.take({ kind: "failed" })).toEqual([{ kind: "retry-after", delayMs: 500 }]);
  });
});

describe("what fails", () => {
  test("is tried again ever later, and after 30 s no more", () => {
    const steps = new Steps();
    steps.ask(first);
    const delays: number[] = [];
    for (;;) {
      const [effect] = steps.take({ kind: "failed" });
      if (effect?.kind !== "retry-after") {
        expect(effect).toEqual({ kind: "give-up" });
        break;
      }
      delays.push(effect.delayMs);
      expect(steps.take({ kind: "retry-due" })).toEqual([{ kind: "apply", request: first }]);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15_000]);
    expect(steps.state).toBe(idleVolume);
  });

  test("what comes out of turn changes nothing", () => {
    const steps = new Steps();
    for (const kind of ["applied", "failed", "retry-due"] as const) expect(steps.take({ kind })).toEqual([]);
    steps.ask(first);
    const { state } = steps;
    expect(steps.take({ kind: "retry-due" })).toEqual([]);
    expect(steps.state).toBe(state);
  });
});
