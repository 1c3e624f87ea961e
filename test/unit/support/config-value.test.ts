// A key of each kind, made up: what may stand in it, and what a user's word makes of the system's.
import { describe, expect, test } from "vitest";
import type { ConfigKey } from "../../../src/support/config-schema.ts";
import { configSchema } from "../../../src/support/config-schema.ts";
import { narrowedValue, userMaySay, whatIsAllowed } from "../../../src/support/config-value.ts";

const about = "made up";
const keys = {
  switch: { kind: "boolean", default: true, about },
  text: { kind: "text", default: "a", pattern: /^[a-z]$/, allowed: "a small letter", about },
  choice: { kind: "choice", default: "much", choices: ["much", "some", "none"], about },
  integer: { kind: "integer", default: 3, min: -1, max: 9, about },
  choices: { kind: "list", default: [], of: { choices: ["x", "y"] }, maxEntries: 2, about },
  texts: { kind: "list", default: [], of: { pattern: /^[a-z]$/, allowed: "a small letter" }, maxEntries: 2, about },
} as const satisfies Record<string, ConfigKey>;

test.each<[string, ConfigKey, unknown[], unknown[], string]>([
  ["a switch", keys.switch, [true, false], [0, "true", null], "true or false"],
  ["a text", keys.text, ["a", "z"], ["", "A", 1, ["a"]], "a small letter"],
  ["a choice", keys.choice, ["much", "none"], ["most", "", 0, ["much"]], '"much", "some", "none"'],
  ["a number", keys.integer, [-1, 0, 9], [-2, 10, 1.5, Number.NaN, "3", [3], 3n], "a whole number from -1 to 9"],
  [
    "a list of choices",
    keys.choices,
    [[], ["x"], ["y", "x"]],
    ["x", ["z"], [["x"]], [1], { 0: "x", length: 1 }, ["x", "x", "x"]],
    'a list of at most 2, each "x" or "y"',
  ],
  [
    "a list of texts",
    keys.texts,
    [[], ["q"], ["q", "r"]],
    ["q", ["Q"], [""], [1], ["q", "r", "s"]],
    "a list of at most 2, each a small letter",
  ],
])("%s: what may stand, and what may not", (_, key, good, bad, allowed) => {
  for (const value of good) expect(whatIsAllowed(key, value)).toBeUndefined();
  for (const value of bad) expect(whatIsAllowed(key, value)).toBe(allowed);
});

describe("without a rule a user has no say", () => {
  test.each(Object.entries<ConfigKey>(keys))("%s", (_, key) => {
    expect(userMaySay(key)).toBe(false);
    expect(narrowedValue(key, "the system's", "the user's")).toBe("the system's");
  });
});

describe("in matters of taste a user has the last word", () => {
  test.each(Object.entries<ConfigKey>(keys))("%s", (_, key) => {
    const taste = { ...key, userMaySet: true };
    expect(userMaySay(taste)).toBe(true);
    expect(narrowedValue(taste, "the system's", "the user's")).toBe("the user's");
  });
});

const narrower = { much: ["some", "none"], some: ["none"], none: [] };
describe("a user may only take away", () => {
  test.each<[string, ConfigKey, unknown, unknown, unknown]>([
    ["a switch off", { ...keys.switch, userMayDisable: true }, true, false, false],
    ["no switch on", { ...keys.switch, userMayDisable: true }, false, true, false],
    ["a switch on, where on is less", { ...keys.switch, userMayEnable: true }, false, true, true],
    ["and not off again", { ...keys.switch, userMayEnable: true }, true, false, true],
    ["a smaller number", { ...keys.integer, userMayLower: true }, 5, 2, 2],
    ["no larger number", { ...keys.integer, userMayLower: true }, 5, 7, 5],
    ["a narrower choice", { ...keys.choice, narrower }, "much", "some", "some"],
    ["no wider choice", { ...keys.choice, narrower }, "some", "much", "some"],
    ["the same choice", { ...keys.choice, narrower }, "some", "some", "some"],
    ["entries out of a list", { ...keys.choices, userMayDrop: true }, ["x", "y"], ["y"], ["y"]],
    ["none into it", { ...keys.choices, userMayDrop: true }, ["x"], ["y", "x"], ["x"]],
    ["texts out of a list", { ...keys.texts, userMayDrop: true }, ["a", "b"], ["b", "c"], ["b"]],
  ])("%s", (_, key, system, user, left) => {
    expect(userMaySay(key)).toBe(true);
    expect(narrowedValue(key, system, user)).toEqual(left);
  });

  test("two choices of which neither is narrower leave the widest that both allow, or the system's least", () => {
    const key: ConfigKey = {
      kind: "choice",
      default: "all",
      choices: ["all", "left", "right", "little", "up", "down"],
      narrower: {
        all: ["left", "right", "little"],
        left: ["little"],
        right: ["little"],
        little: [],
        up: ["down"],
        down: [],
      },
      about,
    };
    expect(narrowedValue(key, "left", "right")).toBe("little");
    expect(narrowedValue(key, "left", "up")).toBe("little");
    expect(narrowedValue(key, "up", "left")).toBe("down");
  });
});

describe("the keys there are", () => {
  const all = Object.entries(configSchema).flatMap(([table, entries]) =>
    Object.entries<ConfigKey>(entries).map(([name, key]) => [`${table}.${name}`, key] as const),
  );
  test.each(all)("%s: what holds without it may stand", (_, key) => {
    expect(whatIsAllowed(key, key.default)).toBeUndefined();
  });
});
