// Whatever a viewer wants, the X server shows that or what it showed before, and nothing between.
import { test } from "vitest";
import { tryRandomLayouts } from "./try-random-layouts.ts";

test("rows 28 to 33: 500 random layouts on 4 monitors", async () => {
  await tryRandomLayouts({ monitors: 4, count: 500, seed: 4 });
});

test("rows 28 to 33: 40 random layouts on 16 monitors", async () => {
  await tryRandomLayouts({ monitors: 16, count: 40, seed: 16 });
});
