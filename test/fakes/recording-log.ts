// A log whose lines a test can read.
import { createLog, type Log } from "../../src/support/log.ts";

export interface RecordingLog {
  readonly log: Log;
  readonly lines: string[];
}

export function recordingLog(): RecordingLog {
  const lines: string[] = [];
  const log = createLog({ level: () => "debug", write: (line) => lines.push(line.trimEnd()), journal: false });
  return { log, lines };
}
