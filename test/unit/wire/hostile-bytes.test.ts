import { describe, expect, it } from "vitest";
import { HostileHost } from "../../fakes/hostile-bytes.ts";
import { hostileRun } from "./hostile-run.ts";

describe("100 000 hostile messages", () => {
  it("cost a DecodeError each at most, no memory, and not the good message after them", {
    timeout: 30_000,
  }, async () => {
    const run = await hostileRun(20261122, 100_000);
    expect(run.growth).toBeLessThan(32 * 1024 * 1024);
    expect(run.resynchronised + run.anew).toBe(100);
    // Every outcome was met, and often enough to mean something.
    expect(Math.min(run.resynchronised, run.anew)).toBeGreaterThan(5);
    expect(Math.min(run.decoded, run.refused, run.dropped, run.lost)).toBeGreaterThan(5000);
  });
});

describe("a hostile host", () => {
  it("says the same again for the same seed, and something else for another", () => {
    const said = (seed: number) => {
      const host = new HostileHost(seed);
      return Array.from({ length: 50 }, () => Buffer.from(host.next()).toString("hex"));
    };
    expect(said(1)).toEqual(said(1));
    expect(said(1)).not.toEqual(said(2));
  });
});
