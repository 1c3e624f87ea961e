import { describe, expect, it } from "vitest";
import { hostileRun } from "../unit/wire/hostile-run.ts";

const MESSAGES = 10_000_000;

describe("10 million hostile messages", () => {
  it("cost a DecodeError each at most, no memory, and not the good message after them", async () => {
    const seed = process.env.SEED === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : Number(process.env.SEED);
    console.log(`hostile messages: SEED=${seed} repeats this run`);
    const run = await hostileRun(seed, MESSAGES);
    console.log("hostile messages:", run);
    expect(run.growth).toBeLessThan(32 * 1024 * 1024);
    expect(run.resynchronised + run.anew).toBe(MESSAGES / 1000);
  });
});
