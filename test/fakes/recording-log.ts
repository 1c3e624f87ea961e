// A log whose lines a test can read.
import { createLog, type Log } from "../../src/support/log.ts";

export interface RecordingLog {
  readonly log: Log;
  readonly lines: string[];
  /** Errors and warnings that concern one user: who, and what. */
  readonly ofUsers: (readonly [number, string])[];
}

export function recordingLog(): RecordingLog {
  const lines: string[] = [];
  const ofUsers: (readonly [number, string])[] = [];
  const log = createLog({
    level: () => "debug",
    write: (line) => lines.push(line.trimEnd()),
    onFault: (line, uid) => uid !== undefined && ofUsers.push([uid, line]),
    journal: false,
  });
  return { log, lines, ofUsers };
}
