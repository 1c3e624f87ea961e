import { expect, test } from "vitest";
import { refusedLast } from "../../../src/programs/desktop-finder.ts";

test("a display that let nobody in is tried after all others, and still tried", () => {
  const manager = { DISPLAY: ":0", XAUTHORITY: "/old" };
  const known = [manager, { WAYLAND_DISPLAY: "wayland-0" }, { DISPLAY: ":1" }, { DISPLAY: ":0" }];
  expect(refusedLast(known, new Set())).toEqual(known);
  expect(refusedLast(known, new Set([":0"]))).toEqual([known[1], known[2], known[0], known[3]]);
});
