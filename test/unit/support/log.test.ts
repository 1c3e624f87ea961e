// What a reader of the log sees: one line a fact, as urgent as asked for, and no flood.
import { describe, expect, test } from "vitest";
import { createLog, type Log, type LogLevel, logLevels } from "../../../src/support/log.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";

interface Written {
  readonly log: Log;
  readonly lines: string[];
  readonly clock: ManualClock;
  level: LogLevel;
}

function written(level: LogLevel = "debug", journal = false): Written {
  const clock = new ManualClock();
  const lines: string[] = [];
  const result: Written = {
    level,
    lines,
    clock,
    log: createLog({ level: () => result.level, write: (line) => lines.push(line), journal }, () => clock.nowMs()),
  };
  return result;
}

function sayAll(log: Log): void {
  for (const level of logLevels) log[level](`at ${level}`);
}

describe("levels", () => {
  test.each<[LogLevel, string[]]>([
    ["error", ["error: at error\n"]],
    ["warn", ["error: at error\n", "warn: at warn\n"]],
    ["info", ["error: at error\n", "warn: at warn\n", "info: at info\n"]],
    ["debug", ["error: at error\n", "warn: at warn\n", "info: at info\n", "debug: at debug\n"]],
  ])("%s and what is more urgent", (level, expected) => {
    const { log, lines } = written(level);
    sayAll(log);
    expect(lines).toEqual(expected);
  });

  test("a level that changes takes effect at once", () => {
    const all = written("error");
    all.log.debug("one");
    all.level = "debug";
    all.log.debug("two");
    expect(all.lines).toEqual(["debug: two\n"]);
  });

  test("what is not written is not counted either", () => {
    const all = written("info");
    for (let turn = 0; turn < 10; turn += 1) all.log.debug("often");
    all.level = "debug";
    all.log.debug("often");
    expect(all.lines).toEqual(["debug: often\n"]);
  });
});

test("for journald a line begins with its priority instead of its level", () => {
  const { log, lines } = written("debug", true);
  sayAll(log);
  expect(lines).toEqual(["<3>at error\n", "<4>at warn\n", "<6>at info\n", "<7>at debug\n"]);
});

test("a feature is named in front, and one in it after it", () => {
  const { log, lines } = written();
  log.of("clipboard").info("grab");
  log.of("session").of("display").warn("gone");
  expect(lines).toEqual(["info: clipboard: grab\n", "warn: session: display: gone\n"]);
});

describe("repetition", () => {
  const say = (log: Log, times: number): void => {
    for (let turn = 0; turn < times; turn += 1) log.warn("the same");
  };
  const quiet = "warn: the same (repeats are counted from here on)\n";

  test("three times, then only counted", () => {
    const { log, lines } = written();
    say(log, 10);
    expect(lines).toEqual(["warn: the same\n", "warn: the same\n", quiet]);
  });

  test("after a minute it is said again, with how many were left out", () => {
    const { log, lines, clock } = written();
    say(log, 10);
    clock.advance(60_000);
    say(log, 1);
    expect(lines).toHaveLength(3);
    clock.advance(1);
    say(log, 1);
    expect(lines.at(-1)).toBe("warn: the same (8 more times meanwhile)\n");
    say(log, 5);
    expect(lines.slice(4)).toEqual(["warn: the same\n", quiet]);
  });

  test("what was left out nowhere is said without a number", () => {
    const { log, lines, clock } = written();
    for (let turn = 0; turn < 5; turn += 1) {
      say(log, 1);
      clock.advance(60_001);
    }
    expect(lines).toEqual(new Array(5).fill("warn: the same\n"));
  });

  test("another line is another matter, whatever feature says it", () => {
    const { log, lines } = written();
    say(log, 5);
    log.warn("another");
    log.of("pointer").warn("the same");
    expect(lines.slice(3)).toEqual(["warn: another\n", "warn: pointer: the same\n"]);
  });

  test("lines that are all different are not remembered for ever", () => {
    const { log, lines } = written();
    say(log, 3);
    for (let turn = 0; turn < 300; turn += 1) log.warn(`line ${turn}`);
    say(log, 1);
    expect(lines.at(-1)).toBe("warn: the same\n");
  });
});

describe("text from outside stays on its line and steers no terminal", () => {
  test.each([
    ["a line of its own", "a\nerror: b", "a error: b"],
    ["any number of line ends", "a\r\n\n\rb", "a b"],
    ["an escape sequence", "a\x1b[31mb", "a [31mb"],
    ["the same in one byte", "a\x9b31mb", "a 31mb"],
    ["every control character", String.fromCharCode(...Array(0x20).keys(), 0x7f), " "],
    ["the upper ones", String.fromCharCode(...Array.from({ length: 0x20 }, (_, index) => 0x80 + index)), " "],
    ["line ends that only some programs know", "a\u2028b\u2029c\x85d", "a b c d"],
    ["what is no control character", "näïve 日本 🙂\u00a0", "näïve 日本 🙂\u00a0"],
  ])("%s", (_, text, shown) => {
    const { log, lines } = written();
    log.info(text);
    log.of(text).info("x");
    expect(lines).toEqual([`info: ${shown}\n`, `info: ${shown}: x\n`]);
  });
});

test("a fault that concerns one user is told with whose it is, whatever feature it is of", () => {
  const faults: (readonly [string, number | undefined])[] = [];
  const onFault = (line: string, uid: number | undefined): void => void faults.push([line, uid]);
  const log = createLog({ level: () => "info", write: () => {}, onFault, journal: false });
  log.of("a").about(1001).of("b").warn("refused");
  log.of("a").error("lost");
  log.about(1001).info("here");
  expect(faults).toEqual([
    ["a: b: refused", 1001],
    ["a: lost", undefined],
  ]);
});
