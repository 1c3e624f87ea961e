// A host that means ill, at the port of the built agent: it must outlive anything.
import { expect, test } from "vitest";
import { agentOutlivesHostileHost } from "./outlive-hostile-host.ts";

const MESSAGES = 100_000;
const SEED = 20_260_101;

test(`${MESSAGES} random and mutated messages: the agent lives, answers the next good one, and does not grow`, async () => {
  const { answered } = await agentOutlivesHostileHost(SEED, MESSAGES);
  expect(answered).toBeGreaterThan(100);
}, 300_000);
