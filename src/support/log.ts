// One line a fact on stderr: `feature: what happened: detail`. Sizes and types, never contents.
import { monotonicMs } from "./clock.ts";

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
  /** The same for what concerns one user, and no other is to know. */
  about(uid: number): Log;
}

export interface LogOptions {
  readonly level: () => LogLevel;
  readonly write: (line: string) => void;
  /** Told of each error and warning that is written; `uid`: of the user it concerns, if it is one's own. */
  readonly onFault?: (line: string, uid: number | undefined) => void;
  /** Lines begin with `<priority>`, which journald takes off; for a person the level is spelled out instead. */
  readonly journal: boolean;
}

/** How often one line may repeat before it is only counted. */
const REPEATS_OF_A_LINE = 3;
/** The same for lines that differ in their numbers only, which a host may choose. */
const REPEATS_OF_A_KIND = 50;
/** When it may be said again. */
const QUIET_MS = 60_000;
const MAX_REMEMBERED = 256;

export function createLog(options: LogOptions, nowMs: () => number = monotonicMs): Log {
  const lines = new Repetitions(REPEATS_OF_A_LINE, "repeats are counted from here on", nowMs);
  const kinds = new Repetitions(REPEATS_OF_A_KIND, "more of this kind are counted from here on", nowMs);

  const put = (level: LogLevel, text: string, uid: number | undefined): void => {
    if (logLevels.indexOf(level) > logLevels.indexOf(options.level())) return;
    const line = oneLine(text);
    const ofLine = lines.suffix(line);
    if (ofLine === undefined) return;
    const ofKind = kinds.suffix(line.replace(/\d+/g, "#"));
    if (ofKind === undefined) return;
    if (level === "error" || level === "warn") options.onFault?.(line, uid);
    options.write(`${options.journal ? `<${priority[level]}>` : `${level}: `}${line}${ofLine}${ofKind}\n`);
  };

  const logOf = (prefix: string, uid: number | undefined): Log => ({
    error: (text) => put("error", prefix + text, uid),
    warn: (text) => put("warn", prefix + text, uid),
    info: (text) => put("info", prefix + text, uid),
    debug: (text) => put("debug", prefix + text, uid),
    of: (feature) => logOf(`${prefix}${feature}: `, uid),
    about: (user) => logOf(prefix, user),
  });
  return logOf("", undefined);
}

class Repetitions {
  readonly #most: number;
  readonly #lastWord: string;
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(most: number, lastWord: string, nowMs: () => number) {
    this.#most = most;
    this.#lastWord = lastWord;
    this.#nowMs = nowMs;
  }

  /** What to add to what was said before; undefined when it is not said this time. */
  suffix(key: string): string | undefined {
    const entry = this.#seen.get(key);
    if (entry === undefined || this.#nowMs() - entry.sinceMs > QUIET_MS) {
      if (this.#seen.size >= MAX_REMEMBERED) this.#seen.clear();
      const missed = entry === undefined ? 0 : entry.count - this.#most;
      this.#seen.set(key, { count: 1, sinceMs: this.#nowMs() });
      return missed > 0 ? ` (${missed} more times meanwhile)` : "";
    }
    entry.count += 1;
    if (entry.count > this.#most) return undefined;
    return entry.count === this.#most ? ` (${this.#lastWord})` : "";
  }
}

/** Text from outside can never start a line of its own, nor steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ");
}
