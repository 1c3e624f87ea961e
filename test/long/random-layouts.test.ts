// The same as in the integration tests, for longer, and another sequence each time.
import { test } from "vitest";
import { tryRandomLayouts } from "../integration/try-random-layouts.ts";

test("rows 28 to 33: 10000 random layouts on 4 monitors", async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`random layouts: SEED=${seed}`);
  await tryRandomLayouts({ monitors: 4, count: 10_000, seed });
});
