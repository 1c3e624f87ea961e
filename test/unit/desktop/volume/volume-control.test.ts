// The first mixer that works, the latest wish of each direction, and a sound server that comes later.
import { describe, expect, test } from "vitest";
import { VolumeControl, type VolumeStatus } from "../../../../src/desktop/volume/volume-control.ts";
import type { MixerName, VolumeMixer, VolumeRequest } from "../../../../src/features/volume.ts";
import { BackendError, type BackendErrorCode } from "../../../../src/support/errors.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FakeMixers {
  /** "wpctl playback 1,2" with "muted" behind it. */
  readonly tried: string[] = [];
  readonly faults = new Map<MixerName, BackendErrorCode>();
  /** While set, nothing comes back until it does. */
  gate: Promise<void> | undefined;
  readonly wpctl = this.#mixer("wpctl");
  readonly pactl = this.#mixer("pactl");
  readonly amixer = this.#mixer("amixer");

  #mixer(name: MixerName): VolumeMixer {
    return {
      set: async ({ direction, channels, mute }: VolumeRequest, signal) => {
        this.tried.push(`${name} ${direction} ${channels.join(",")}${mute ? " muted" : ""}`);
        await this.gate;
        if (signal.aborted) throw new BackendError("volume.unavailable", "given up");
        const code = this.faults.get(name);
        if (code !== undefined) throw new BackendError(code, `${name} says no`);
      },
    };
  }

  refuseAll(code: BackendErrorCode): void {
    for (const name of ["wpctl", "pactl", "amixer"] as const) this.faults.set(name, code);
  }
}

function controlled() {
  const mixers = new FakeMixers();
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const statuses: VolumeStatus[] = [];
  const control = new VolumeControl(mixers, clock, log, (status) => statuses.push(status));
  return {
    mixers,
    statuses,
    clock,
    lines,
    control,
    play: (...volume: number[]) => control.request({ isPlayback: true, mute: false, volume }),
    record: (...volume: number[]) => control.request({ isPlayback: false, mute: true, volume }),
    [Symbol.asyncDispose]: () => control[Symbol.asyncDispose](),
  };
}

describe("row 80: playback and record, volume and mute", () => {
  test("by the first that works", async () => {
    await using all = controlled();
    all.play(32768);
    all.record(0, 0);
    await tick();
    expect(all.mixers.tried).toEqual(["wpctl playback 32768", "wpctl record 0,0 muted"]);
    expect(all.lines).toEqual(["info: playback set: 50 %, by wpctl", "info: record set: 0 %, muted, by wpctl"]);
    expect(all.control.status).toEqual({ driver: "wpctl", fault: undefined });
    expect(all.clock.waiting).toBe(0);
  });

  test("the next one when the first is not there or refuses", async () => {
    await using all = controlled();
    all.mixers.faults.set("wpctl", "volume.unavailable").set("pactl", "volume.refused");
    all.play(1);
    await tick();
    expect(all.mixers.tried).toEqual(["wpctl playback 1", "pactl playback 1", "amixer playback 1"]);
    expect(all.control.status).toEqual({ driver: "amixer", fault: undefined });
  });

  test("the first is asked again the next time: it may be there by now", async () => {
    await using all = controlled();
    all.mixers.faults.set("wpctl", "volume.unavailable");
    all.play(1);
    await tick();
    expect(all.control.status.driver).toBe("pactl");
    all.mixers.faults.clear();
    all.play(2);
    await tick();
    expect(all.control.status.driver).toBe("wpctl");
  });
});

describe("row 81: any number of channels", () => {
  test("unequal ones by pactl, which sets each", async () => {
    await using all = controlled();
    all.play(0, 32768, 65535);
    await tick();
    expect(all.mixers.tried).toEqual(["pactl playback 0,32768,65535"]);
    expect(all.lines).toEqual(["info: playback set: 0, 50, 100 %, by pactl"]);
  });

  test("without pactl by wpctl, which has their mean for all", async () => {
    await using all = controlled();
    all.mixers.faults.set("pactl", "volume.unavailable");
    all.play(0, 65535);
    await tick();
    expect(all.lines).toEqual(["info: playback set: 0, 100 %, their mean for all channels, by wpctl"]);
  });

  test("none, or too many, are ignored with a note", async () => {
    await using all = controlled();
    all.play();
    all.play(...Array(65).fill(1));
    await tick();
    expect(all.mixers.tried).toEqual([]);
    expect(all.lines).toEqual([
      "info: message ignored: no channels",
      "info: message ignored: 65 channels, more than 64",
    ]);
  });
});

test("the latest wish of a direction wins, and the other direction does not wait", async () => {
  await using all = controlled();
  let open = (): void => {};
  all.mixers.gate = new Promise((resolve) => {
    open = resolve;
  });
  for (const volume of [1, 2, 3]) all.play(volume);
  all.record(9);
  open();
  await tick();
  expect(all.mixers.tried).toEqual(["wpctl playback 1", "wpctl record 9 muted", "wpctl playback 3"]);
});

describe("a sound server that is not there", () => {
  test("is tried again until it is, and the fault is told meanwhile", async () => {
    await using all = controlled();
    all.mixers.refuseAll("volume.unavailable");
    all.play(1);
    await tick();
    const fault = "volume.unavailable: wpctl: wpctl says no, pactl: pactl says no, amixer: amixer says no";
    const [missing, working] = [
      { driver: undefined, fault: `playback: ${fault}` },
      { driver: "wpctl", fault: undefined },
    ];
    expect(all.control.status).toEqual(missing);
    expect(all.lines).toEqual([`info: playback not set, tried again in 500 ms: ${fault}`]);
    all.mixers.faults.clear();
    all.clock.advance(499);
    expect(all.mixers.tried).toHaveLength(3);
    all.clock.advance(1);
    await tick();
    expect(all.mixers.tried.slice(3)).toEqual(["wpctl playback 1"]);
    expect(all.control.status).toEqual(working);
    expect(all.statuses).toEqual([missing, working]);
    expect(all.clock.waiting).toBe(0);
  });

  test("is given up after 30 s, and asked again by the next wish", async () => {
    await using all = controlled();
    all.mixers.refuseAll("volume.refused");
    all.record(1);
    for (let second = 0; second < 120; second += 1) {
      await tick();
      all.clock.advance(500);
    }
    expect(all.mixers.tried).toHaveLength(3 * 7);
    expect(all.clock.waiting).toBe(0);
    expect(all.lines.at(-1)).toMatch(/^warn: record not set, not tried again: volume.refused: /);
    expect(all.control.status.fault).toMatch(/^record: volume.refused: /);
    all.mixers.faults.clear();
    all.record(1);
    await tick();
    expect(all.control.status).toEqual({ driver: "wpctl", fault: undefined });
  });

  test("a newer wish does not wait for the next try, and the old one is forgotten", async () => {
    await using all = controlled();
    all.mixers.refuseAll("volume.unavailable");
    all.play(1);
    await tick();
    all.mixers.faults.clear();
    all.play(2);
    await tick();
    all.clock.advance(60_000);
    await tick();
    expect(all.mixers.tried.slice(3)).toEqual(["wpctl playback 2"]);
  });

  test("one direction's fault stays while the other works", async () => {
    await using all = controlled();
    all.mixers.refuseAll("volume.refused");
    all.record(1);
    await tick();
    all.mixers.faults.clear();
    all.play(1);
    await tick();
    expect(all.control.status).toMatchObject({ driver: "wpctl", fault: expect.stringMatching(/^record: /) });
  });
});

test("when it ends, what is under way is given up, and nothing is begun any more", async () => {
  const all = controlled();
  let open = (): void => {};
  all.mixers.gate = new Promise((resolve) => {
    open = resolve;
  });
  all.play(1);
  all.play(2);
  const ended = all.control[Symbol.asyncDispose]();
  open();
  await ended;
  all.play(3);
  await tick();
  expect(all.mixers.tried).toEqual(["wpctl playback 1"]);
  expect(all.clock.waiting).toBe(0);
  expect([all.lines, all.statuses]).toEqual([[], []]);
});

test("when it ends, no try is left to come", async () => {
  const all = controlled();
  all.mixers.refuseAll("volume.unavailable");
  all.play(1);
  await tick();
  await all.control[Symbol.asyncDispose]();
  expect(all.clock.waiting).toBe(0);
});
