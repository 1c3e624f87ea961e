// A sleep, or a snapshot that was loaded: noticed once each, with clocks that a test moves.
import { afterEach, expect, test, vi } from "vitest";
import { watchForOtherTimes } from "../../../src/programs/other-times.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";

afterEach(() => void vi.restoreAllMocks());

function watched() {
  const clock = new ManualClock();
  let sleptMs = 0;
  vi.spyOn(Date, "now").mockImplementation(() => 1e12 + clock.nowMs() + sleptMs);
  let resumed = (): void => {};
  const wakeUps = {
    onResume: (listener: () => void) => {
      resumed = listener;
      return {
        [Symbol.dispose]: () => {
          resumed = () => {};
        },
      };
    },
  };
  const seen: string[] = [];
  const watch = watchForOtherTimes({ wakeUps, clock, log: recordingLog().log }, (why) => seen.push(why));
  return {
    clock,
    seen,
    watch,
    sleep: (ms: number) => {
      sleptMs += ms;
    },
    wakeUp: () => resumed(),
  };
}

test("a sleep of which logind tells is one, whatever the clock says of it later", () => {
  const { clock, seen, sleep, wakeUp } = watched();
  clock.advance(10_000);
  sleep(3_600_000);
  wakeUp();
  clock.advance(120_000);
  expect(seen).toEqual(["the machine has slept"]);
});

test("a jump of the clock of which nobody tells is noticed within half a minute, and a correction is none", () => {
  const { clock, seen, sleep } = watched();
  clock.advance(100_000);
  sleep(4000);
  clock.advance(30_000);
  expect(seen).toEqual([]);
  sleep(-60_000);
  clock.advance(30_000);
  clock.advance(120_000);
  expect(seen).toEqual(["the clock has jumped"]);
});

test("nothing is noticed after its end, and no time is waited for", () => {
  const { clock, seen, watch, sleep, wakeUp } = watched();
  watch[Symbol.dispose]();
  sleep(60_000);
  wakeUp();
  clock.advance(60_000);
  expect(seen).toEqual([]);
  expect(clock.waiting).toBe(0);
});
