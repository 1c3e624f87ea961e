// What others put on a bus is what it should be, or an error that says what it is.
import { describe, expect, test } from "vitest";
import {
  asCount,
  asDictionary,
  asFlag,
  asList,
  asPath,
  asText,
  type BusValue,
} from "../../../../src/support/bus/bus-values.ts";
import { BackendError } from "../../../../src/support/errors.ts";

type Check = (value: BusValue | undefined, what: string) => unknown;

describe.each<[string, Check, readonly BusValue[], readonly (BusValue | undefined)[]]>([
  ["text", asText, ["", "a"], [1, undefined, ["a"]]],
  ["a boolean", asFlag, [true, false], [0, "true", undefined]],
  ["a count", asCount, [0, 2 ** 32 - 1], [-1, 1.5, 1n, "1", undefined]],
  ["a list", asList, [[], [1, "a"]], [{}, "a", new Uint8Array(1), undefined]],
  ["a dictionary", asDictionary, [{}, { a: 1 }], [[], "a", new Uint8Array(1), undefined]],
  ["an object path", asPath, ["/", "/a", "/a/_31"], ["", "a", "/a/", "//", "/a b", "/a\0", 1, undefined]],
])("%s", (name, check, good, bad) => {
  test("is taken as it is", () => {
    for (const value of good) expect(check(value, "Thing.Size")).toBe(value);
  });

  test("and nothing else", () => {
    for (const value of bad) {
      expect(() => check(value, "Thing.Size")).toThrow(BackendError);
      expect(() => check(value, "Thing.Size")).toThrow(`Thing.Size is not ${name} but `);
    }
  });
});

test("the error tells the kind and not the value", () => {
  expect(() => asCount("secret", "Size")).toThrow("Size is not a count but string");
  expect(() => asText(undefined, "Name")).toThrow("Name is not text but nothing");
});
