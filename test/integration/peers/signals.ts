/** Ctrl-C and its relatives, for the programs (not the tests) that start peers: what they started must go with them. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let waiting: (() => void) | undefined;

/**
 * On a signal this process exits at once, with the code the shell expects, and its 'exit' handlers end the peers. The
 * handlers stay in place: one Ctrl-C comes twice, from the terminal and from tsx, and the second must not kill us while
 * we clean up.
 */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const resolve = waiting;
      waiting = undefined;
      if (resolve === undefined) process.exit(128 + constants.signals[signal]);
      else resolve();
    });
  }
}

/** Resolves with the next signal, which then does nothing else. Needs `exitOnSignals`. */
export function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    waiting = resolve;
  });
}
