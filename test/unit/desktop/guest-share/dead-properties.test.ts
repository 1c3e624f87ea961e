// Properties that others note down: kept as long as what they belong to, within bounds.
import { expect, test } from "vitest";
import { DeadProperties } from "../../../../src/desktop/guest-share/dead-properties.ts";

const named = (name: string, xml = `<${name}/>`): { namespace: string; name: string; xml: string } => ({
  namespace: "u:",
  name,
  xml,
});

test("they are copied with what they belong to, and forgotten with it", () => {
  const dead = new DeadProperties();
  dead.set(["p", "a"], named("one"));
  dead.set(["p", "a", "b"], named("two"));
  dead.set(["p", "ab"], named("three"));
  dead.copy(["p", "a"], ["p", "c"]);
  dead.forget(["p", "a"]);
  expect(dead.of(["p", "a"])).toEqual([]);
  expect(dead.get(["p", "c"], named("one"))).toBe("<one/>");
  expect(dead.get(["p", "c", "b"], named("two"))).toBe("<two/>");
  expect(dead.get(["p", "ab"], named("three"))).toBe("<three/>");
});

test("one of the same name takes the other's place; of another namespace it does not", () => {
  const dead = new DeadProperties();
  dead.set(["a"], named("x", "old"));
  dead.set(["a"], named("x", "new"));
  dead.set(["a"], { ...named("x", "other"), namespace: "v:" });
  expect(dead.of(["a"]).map(({ xml }) => xml)).toEqual(["new", "other"]);
});

test("too many, or too much, is refused with 507, and there is room again when some are gone", () => {
  const dead = new DeadProperties();
  for (let n = 0; n < 20_000; n++) dead.set([`f${n % 100}`], named(`n${n}`));
  expect(() => dead.set(["g"], named("x"))).toThrow(expect.objectContaining({ status: 507 }));
  dead.forget(["f1"]);
  dead.set(["g"], named("x"));
  const large = new DeadProperties();
  for (let n = 0; n < 8; n++) large.set(["a"], named(`n${n}`, "x".repeat(1024 * 1024)));
  expect(() => large.set(["a"], named("more"))).toThrow(expect.objectContaining({ status: 507 }));
  // What does not fit is left out of a copy, which is made all the same.
  large.copy(["a"], ["b"]);
  expect(large.of(["b"])).toEqual([]);
  for (let n = 0; n < 8; n++) large.remove(["a"], named(`n${n}`));
  large.set(["a"], named("more"));
});
