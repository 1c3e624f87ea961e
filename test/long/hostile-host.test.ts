// The same as in the short tests, for as long as it takes: 10 million messages. SEED repeats a run.
import { test } from "vitest";
import { agentOutlivesHostileHost } from "../integration/outlive-hostile-host.ts";

const MESSAGES = 10_000_000;

test(`${MESSAGES} random and mutated messages at the built agent's port`, async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 0xffff_ffff);
  console.log(`hostile host: SEED=${seed}`);
  console.log("hostile host:", await agentOutlivesHostileHost(seed, MESSAGES));
});
