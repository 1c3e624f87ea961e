import { execFileSync } from "node:child_process";
import v8 from "node:v8";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CALLS, startLean } from "../../../src/programs/lean-start.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What V8 was told. */
function told(): string[] {
  const flags: string[] = [];
  vi.spyOn(v8, "setFlagsFromString").mockImplementation((flag) => void flags.push(flag));
  return flags;
}

describe("a lean start", () => {
  it("compiles nothing for its own sake, and is over after 5 s", () => {
    const flags = told();
    const clock = new ManualClock();
    startLean(clock, "24.0.0");
    expect(flags.slice(0, 2)).toEqual(["--optimize-for-size", "--bytecode-old-age=1"]);
    const later = Object.keys(CALLS).map((name) => `--${name}=50000`);
    expect(flags.slice(2)).toEqual(later);
    clock.advance(4999);
    expect(flags.length).toBe(5);
    clock.advance(1);
    expect(flags.slice(5)).toEqual(Object.entries(CALLS).map(([name, [, usual]]) => `--${name}=${usual}`));
    expect(clock.waiting).toBe(0);
  });

  it("leaves a Node without Maglev as it is, but for the heap", () => {
    const flags = told();
    const clock = new ManualClock();
    startLean(clock, "20.19.0");
    expect(flags).toEqual(["--optimize-for-size"]);
    expect(clock.waiting).toBe(0);
  });

  it.runIf(Number.parseInt(process.versions.node, 10) >= 22)("ends with what this Node has by itself", () => {
    const options = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
    for (const [name, [, usual]] of Object.entries(CALLS)) expect(options).toContain(`default: --${name}=${usual}\n`);
  });
});
