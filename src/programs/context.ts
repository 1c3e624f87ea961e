// What every program that stays is given by main.
import { setPriority } from "node:os";
import { describeError } from "../support/errors.ts";
import type { Log, LogLevel } from "../support/log.ts";

export interface ProgramContext {
  readonly log: Log;
  /** Takes effect at once. */
  readonly setLogLevel: (level: LogLevel) => void;
  /** Aborted when it is time to go. */
  readonly stop: AbortSignal;
  /** Called back when the configuration is to be read again. */
  readonly onReload: (reload: () => void) => void;
}

/** Niceness. */
const PRIORITY = -5;

/**
 * A host that finds the port full tries again only after 100 ms (spice-server), so what decides the speed of a paste is
 * how soon we are scheduled. Only root may ask for that, and a unit may give it; anybody else does without.
 */
export function askForPriority(log: Log): void {
  try {
    setPriority(PRIORITY);
  } catch (error) {
    log.debug(`priority: left as it is: ${describeError(error)}`);
  }
}
