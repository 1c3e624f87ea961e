// Properties that others note down: kept as long as what they belong to, within bounds.
import { expect, test } from "vitest";
import { DeadProperties } from "../../../../src/desktop/guest-share/dead-properties.ts";

const named = (name: string, xml = `<${name}/>`): { namespace: string; name: string; xml: string } => ({
  namespace: "u:",
  name,
  xml,
});

function set(dead: DeadProperties, path: readonly string[], property: ReturnType<typeof named>): void {
  dead.change(path, [{ isSet: true, property }]);
}

test("they are copied with what they belong to, and forgotten with it", () => {
  const dead = new DeadProperties();
  set(dead, ["p", "a"], named("one"));
  set(dead, ["p", "a", "b"], named("two"));
  set(dead, ["p", "ab"], named("three"));
  dead.copy(["p", "a"], ["p", "c"], true);
  dead.copy(["p", "a"], ["p", "d"], false);
  dead.forget(["p", "a"]);
  expect(dead.of(["p", "a"])).toEqual([]);
  expect(dead.get(["p", "c"], named("one"))).toBe("<one/>");
  expect(dead.get(["p", "c", "b"], named("two"))).toBe("<two/>");
  // Of a folder that is copied alone, only its own.
  expect([dead.of(["p", "d"]).length, dead.of(["p", "d", "b"]).length]).toEqual([1, 0]);
  expect(dead.get(["p", "ab"], named("three"))).toBe("<three/>");
});

test("one of the same name takes the other's place; of another namespace it does not", () => {
  const dead = new DeadProperties();
  set(dead, ["a"], named("x", "old"));
  set(dead, ["a"], named("x", "new"));
  set(dead, ["a"], { ...named("x", "other"), namespace: "v:" });
  expect(dead.of(["a"]).map(({ xml }) => xml)).toEqual(["new", "other"]);
});

test("too many, or too much, is refused with 507, and there is room again when some are gone", () => {
  const dead = new DeadProperties();
  for (let n = 0; n < 20_000; n++) set(dead, [`f${n % 100}`], named(`n${n}`));
  expect(() => set(dead, ["g"], named("x"))).toThrow(expect.objectContaining({ status: 507 }));
  dead.forget(["f1"]);
  set(dead, ["g"], named("x"));
  const large = new DeadProperties();
  for (let n = 0; n < 8; n++) set(large, ["a"], named(`n${n}`, "x".repeat(1024 * 1024)));
  expect(() => set(large, ["a"], named("more"))).toThrow(expect.objectContaining({ status: 507 }));
  // What does not fit is left out of a copy, which is made all the same.
  large.copy(["a"], ["b"], true);
  expect(large.of(["b"])).toEqual([]);
  for (let n = 0; n < 8; n++) large.change(["a"], [{ isSet: false, property: named(`n${n}`) }]);
  set(large, ["a"], named("more"));
});

test("several changes are made all or not at all", () => {
  const dead = new DeadProperties();
  for (let n = 0; n < 7; n++) set(dead, ["a"], named(`n${n}`, "x".repeat(1024 * 1024)));
  const before = dead.of(["a"]);
  const changes = [
    { isSet: false, property: named("n0") },
    { isSet: true, property: named("n1", "small") },
    { isSet: true, property: named("more", "x".repeat(4 * 1024 * 1024)) },
  ] as const;
  expect(() => dead.change(["a"], changes)).toThrow(expect.objectContaining({ status: 507 }));
  expect(dead.of(["a"])).toEqual(before);
  // One that is replaced makes room for its successor.
  set(dead, ["a"], named("n0", "x".repeat(2 * 1024 * 1024)));
});
