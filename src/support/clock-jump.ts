// Notices that the machine slept, or runs on from a snapshot: then the wall clock and the monotonic one part ways.
import type { Clock } from "./clock.ts";

/** Seldom: an idle process is to be left alone. */
const LOOK_MS = 30_000;
/** Corrections of the time are smaller. */
const JUMP_MS = 5000;

export interface ClockJumps extends Disposable {
  /** How far the clocks are apart now is as it should be. */
  forgive(): void;
}

/** Calls `jumped` until it is disposed, at most once for each jump. `wallMs`: as Date.now. */
export function watchForClockJumps(clock: Clock, jumped: () => void, wallMs: () => number = Date.now): ClockJumps {
  const distance = (): number => wallMs() - clock.nowMs();
  let apart = distance();
  let timer: Disposable;
  const look = (): void => {
    const now = distance();
    const hasJumped = Math.abs(now - apart) > JUMP_MS;
    apart = now;
    timer = clock.after(LOOK_MS, look);
    if (hasJumped) jumped();
  };
  timer = clock.after(LOOK_MS, look);
  return {
    forgive: () => {
      apart = distance();
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}
