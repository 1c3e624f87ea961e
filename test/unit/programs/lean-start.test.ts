import { execFileSync } from "node:child_process";
import v8 from "node:v8";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BYTECODE, CALLS, startLean } from "../../../src/programs/lean-start.ts";
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
  it.each([
    { node: "24.0.0", limits: CALLS },
    { node: "20.19.0", limits: BYTECODE },
  ])("of Node $node compiles nothing for its own sake, and is over after 5 s", ({ node, limits }) => {
    const flags = told();
    const clock = new ManualClock();
    const as = (which: 0 | 1): string[] => Object.entries(limits).map(([name, values]) => `--${name}=${values[which]}`);
    startLean(clock, node);
    const start = ["--optimize-for-size", "--bytecode-old-age=1", "--no-sparkplug", ...as(0)];
    expect(flags).toEqual(start);
    clock.advance(4999);
    expect(flags).toEqual(start);
    clock.advance(1);
    expect(flags).toEqual([...start, "--sparkplug", ...as(1)]);
    expect(clock.waiting).toBe(0);
  });

  it("says what this Node knows: TurboFan waits ten times as long as by itself, all else as long", () => {
    const options = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
    const limits = Number.parseInt(process.versions.node, 10) < 22 ? BYTECODE : CALLS;
    for (const [name, [, after]] of Object.entries(limits)) {
      const usual = name.includes("maglev") ? after : after / 10;
      expect(options).toContain(`default: --${name}=${usual}\n`);
    }
    for (const name of ["optimize-for-size", "bytecode-old-age", "sparkplug"])
      expect(options).toContain(` --${name} (`);
  });
});
