// One process a change: as it is called, and ended in time.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { commandRunner } from "../../../../src/desktop/command.ts";
import { checkResult } from "../../../../src/desktop/volume/mixer-command.ts";
import { systemClock } from "../../../../src/support/clock.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";
import { until } from "../../../integration/peers/until.ts";

const never = new AbortController().signal;
const env = { PATH: process.env.PATH, LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8", WHO: "me" };

describe("what a tool gets and gives", () => {
  const run = commandRunner(systemClock, "volume.unavailable", env);
  const node = (script: string) => run(process.execPath, ["-e", script], never);

  test("its arguments as they are, the given environment, the C locale, and no input", async () => {
    const script = `process.stdout.write([process.argv[1], process.env.WHO, process.env.LC_ALL].join("|"));
      process.stdin.on("end", () => process.stderr.write("end")).resume(); process.exitCode = 3`;
    const result = await run(process.execPath, ["-e", script, "$(id) ; *"], never);
    expect(result).toEqual({ code: 3, stdout: "$(id) ; *|me|C", stderr: "end" });
  });

  test("of much talk only the beginning", async () => {
    const { stdout } = await node(`process.stdout.write("x".repeat(1e6))`);
    expect(stdout).toHaveLength(64 * 1024);
  });

  test("one that is not there", async () => {
    const missing = run("tsvdagent-has-no-such-tool", [], never);
    await expect(missing).rejects.toMatchObject({ code: "volume.unavailable", message: "not installed" });
  });

  test("one that may not be run", async () => {
    await expect(run("/dev/null", [], never)).rejects.toMatchObject({
      code: "volume.unavailable",
      message: expect.stringMatching(/^EACCES/),
    });
  });

  test("one that kills itself", async () => {
    await expect(node(`process.kill(process.pid, "SIGTERM")`)).rejects.toMatchObject({
      code: "volume.unavailable",
      message: "ended by SIGTERM",
    });
  });
});

describe("a tool that does not come back", () => {
  test("is killed after 2 s", async () => {
    const clock = new ManualClock();
    const result = commandRunner(clock, "volume.unavailable", env)("sleep", ["60"], never);
    const expected = expect(result).rejects.toMatchObject({
      code: "volume.unavailable",
      message: "no answer within 2000 ms",
    });
    await until("the tool to run", () => clock.waiting === 1, 5000);
    clock.advance(1999);
    expect(clock.waiting).toBe(1);
    clock.advance(1);
    await expected;
    expect(clock.waiting).toBe(0);
  });

  test("is killed when nobody waits any more", async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const result = commandRunner(clock, "volume.unavailable", env)("sleep", ["60"], abort.signal);
    const expected = expect(result).rejects.toMatchObject({ code: "volume.unavailable", message: "given up" });
    await until("the tool to run", () => clock.waiting === 1, 5000);
    abort.abort();
    await expected;
    expect(clock.waiting).toBe(0);
    await expect(commandRunner(clock, "volume.unavailable", env)("sleep", ["60"], abort.signal)).rejects.toThrow(
      "given up",
    );
  });

  test("also when something it has started still holds its output", async () => {
    using dir = makeTempDir("mixer-command");
    const pidFile = dir.join("pid");
    const abort = new AbortController();
    const script = `sleep 60 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`;
    const result = commandRunner(new ManualClock(), "volume.unavailable", env)("sh", ["-c", script], abort.signal);
    const expected = expect(result).rejects.toThrow("given up");
    await until("the started process", () => existsSync(pidFile), 5000);
    abort.abort();
    await expected;
    process.kill(Number(readFileSync(pidFile, "latin1")), "SIGKILL");
  });
});

describe("what it complains of", () => {
  const result = (code: number, stderr: string) => ({ code, stdout: "", stderr });

  test("nothing", () => expect(() => checkResult(result(0, "a warning"), /warning/)).not.toThrow());

  test("one line, cut short", () => {
    const long = `${"y".repeat(1000)}\nsecond`;
    expect(() => checkResult(result(1, long), /nobody/)).toThrow(
      expect.objectContaining({ code: "volume.refused", message: "y".repeat(200) }),
    );
  });

  test("nobody there", () => {
    expect(() => checkResult(result(1, "first\nnobody"), /nobody/)).toThrow(
      expect.objectContaining({ code: "volume.unavailable", message: "first" }),
    );
  });
});
