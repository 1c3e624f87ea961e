// Notices when what the host knows of us may be of another time: after a sleep, or in a snapshot that was loaded.
import type { Clock } from "../support/clock.ts";
import { watchForClockJumps } from "../support/clock-jump.ts";
import type { Log } from "../support/log.ts";

/** Who is told by the system that the machine has woken up. */
export interface WakeUps {
  onResume(listener: () => void): Disposable;
}

export interface OtherTimesParts {
  readonly wakeUps: WakeUps | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Calls `beginAnew` once for each, until it is disposed of. */
export function watchForOtherTimes(
  { wakeUps, clock, log }: OtherTimesParts,
  beginAnew: (why: string) => void,
): Disposable {
  const tell = (why: string): void => {
    log.info(`${why}: beginning anew with the host`);
    beginAnew(why);
  };
  const jumps = watchForClockJumps(clock, () => tell("the clock has jumped"));
  const resumes = wakeUps?.onResume(() => {
    // The clock has jumped by that, too.
    jumps.forgive();
    tell("the machine has slept");
  });
  return {
    [Symbol.dispose]: () => {
      jumps[Symbol.dispose]();
      resumes?.[Symbol.dispose]();
    },
  };
}
