/** Ctrl-C and its relatives, for the programs (not the tests) that start peers: what they started must go with them. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** On a signal this process exits at once, as the shell expects it, and its 'exit' handlers end the peers. */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** Resolves with the first signal instead; a second one exits at once. To be called after `exitOnSignals`. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) {
      process.removeAllListeners(signal);
      process.once(signal, () => {
        exitOnSignals();
        resolve(signal);
      });
    }
  });
}
