// Time: the machine's, and sleeping on any.
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/support/clock.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

describe("sleep", () => {
  test("ends when the time is over, and not before", async () => {
    const clock = new ManualClock();
    const asleep = sleep(clock, 100, new AbortController().signal);
    clock.advance(99);
    expect(await isDone(asleep)).toBe(false);
    clock.advance(1);
    expect(await isDone(asleep)).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  test("ends at once when it is aborted, and leaves no timer behind", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const asleep = sleep(clock, 100, stop.signal);
    expect(clock.waiting).toBe(1);
    stop.abort();
    expect(await isDone(asleep)).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  test("does not begin when it is aborted already", async () => {
    const clock = new ManualClock();
    expect(await isDone(sleep(clock, 100, AbortSignal.abort()))).toBe(true);
    expect(clock.waiting).toBe(0);
  });
});

describe("the machine's clock", () => {
  test("does not go back, and calls when the time is over", async () => {
    const beginMs = systemClock.nowMs();
    await new Promise<void>((resolve) => systemClock.after(5, resolve));
    // Node's timers count whole milliseconds, so one may be missing.
    expect(systemClock.nowMs() - beginMs).toBeGreaterThanOrEqual(4);
  });

  test("does not call what was disposed", async () => {
    let called = false;
    const timer = systemClock.after(1, () => {
      called = true;
    });
    timer[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(called).toBe(false);
  });
});
