// One line a fact on stderr: `feature: what happened: detail`. Sizes and types, never contents.

/** From the most to the least urgent, with journald's priority of each. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

const priority: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

export interface Log {
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
  /** The same for one feature: `clipboard: …`. */
  of(feature: string): Log;
}

export interface LogOptions {
  readonly level: () => LogLevel;
  readonly write: (line: string) => void;
  /** Lines begin with `<priority>`, which journald takes off; for a person the level is spelled out instead. */
  readonly journal: boolean;
}

/** How often one line may repeat before it is only counted, and when it may be said again. */
const REPEATS_BEFORE_QUIET = 3;
const QUIET_MS = 60_000;
const MAX_REMEMBERED = 256;

export function createLog(options: LogOptions, nowMs: () => number = () => performance.now()): Log {
  const seen = new Map<string, { count: number; sinceMs: number }>();

  const put = (level: LogLevel, text: string): void => {
    if (logLevels.indexOf(level) > logLevels.indexOf(options.level())) return;
    const line = oneLine(text);
    const suffix = repetition(line);
    if (suffix === undefined) return;
    options.write(`${options.journal ? `<${priority[level]}>` : `${level}: `}${line}${suffix}\n`);
  };

  /** What to add to a line that was said before; undefined when it is not said this time. */
  const repetition = (line: string): string | undefined => {
    const entry = seen.get(line);
    if (entry === undefined || nowMs() - entry.sinceMs > QUIET_MS) {
      if (seen.size >= MAX_REMEMBERED) seen.clear();
      const missed = entry === undefined ? 0 : entry.count - REPEATS_BEFORE_QUIET;
      seen.set(line, { count: 1, sinceMs: nowMs() });
      return missed > 0 ? ` (${missed} more times meanwhile)` : "";
    }
    entry.count += 1;
    if (entry.count > REPEATS_BEFORE_QUIET) return undefined;
    return entry.count === REPEATS_BEFORE_QUIET ? " (repeats are counted from here on)" : "";
  };

  const of = (prefix: string): Log => ({
    error: (text) => put("error", prefix + text),
    warn: (text) => put("warn", prefix + text),
    info: (text) => put("info", prefix + text),
    debug: (text) => put("debug", prefix + text),
    of: (feature) => of(`${prefix}${feature}: `),
  });
  return of("");
}

/** Text from outside can never start a line of its own, nor steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ");
}
