import { describe, expect, test } from "vitest";
import { namesToTry, partsOfName } from "../../../src/features/file-names.ts";
import { reasonOf } from "../../../src/features/file-outcome.ts";

describe("row 69: a name that leads out of the folder, or that no file can have, is refused", () => {
  test.each([
    ["../x"],
    ["a/../../x"],
    ["a/.."],
    [".."],
    ["."],
    ["./x"],
    ["/etc/x"],
    ["//x"],
    ["a//b"],
    ["a/"],
    ["/"],
    [""],
    ["a\0b"],
    ["a/\0"],
  ])("%j", (name) => {
    expect(partsOfName(name)).toEqual({ result: 2, gioError: 10 });
  });

  test.each([
    ["256 bytes", "x".repeat(256)],
    ["256 bytes that are fewer characters", `${"漢".repeat(85)}x`],
    ["a folder of 256 bytes", `${"x".repeat(256)}/y`],
    ["more than a path may have", "x/".repeat(2048)],
    ["65 folders", `${"x/".repeat(65)}y`],
  ])("%s: too long", (_, name) => {
    const refused = partsOfName(name.endsWith("/") ? `${name}y` : name);
    expect(refused).toEqual({ result: 2, gioError: 9 });
    expect("result" in refused && reasonOf(refused)).toBe("name too long");
  });
});

test.each([
  ["a.txt", ["a.txt"]],
  ["row 68: folders/in/it.txt", ["row 68: folders", "in", "it.txt"]],
  ["..hidden", ["..hidden"]],
  ["...", ["..."]],
  ["two\nlines", ["two\nlines"]],
  ["\\..\\x", ["\\..\\x"]],
  ["~", ["~"]],
  ["x".repeat(255), ["x".repeat(255)]],
  ["漢".repeat(85), ["漢".repeat(85)]],
])("%j is taken as it is", (name, parts) => {
  expect(partsOfName(name)).toEqual(parts);
});

describe("row 67: names that are taken", () => {
  test.each([
    ["a.txt", "a (1).txt", "a (63).txt"],
    ["a.tar.gz", "a.tar (1).gz", "a.tar (63).gz"],
    [".bashrc", ".bashrc (1)", ".bashrc (63)"],
    ["README", "README (1)", "README (63)"],
    ["a.", "a (1).", "a (63)."],
    [`${"x".repeat(251)}.bin`, `${"x".repeat(247)} (1).bin`, `${"x".repeat(246)} (63).bin`],
    ["漢".repeat(85), `${"漢".repeat(83)} (1)`, `${"漢".repeat(83)} (63)`],
    [`a.${"x".repeat(253)}`, `a.${"x".repeat(248)} (1)`, `a.${"x".repeat(248)} (63)`],
  ])("%j", (name, first, last) => {
    const names = [...namesToTry(name)];
    expect([names[0], names[1], names.at(-1), names.length]).toEqual([name, first, last, 64]);
    for (const each of names) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(255);
    expect(new Set(names).size).toBe(64);
  });
});
