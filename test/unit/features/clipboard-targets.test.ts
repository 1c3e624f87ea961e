// What applications call content, and what of it a viewer is told.
import { describe, expect, test } from "vitest";
import {
  pngSource,
  targetsOfTypes,
  textEncodingOf,
  typeOfTarget,
  typesOfTargets,
  withPng,
} from "../../../src/features/clipboard-targets.ts";
import { ClipboardType } from "../../../src/wire/agent-constants.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, IMAGE_TIFF: TIFF, IMAGE_JPG: JPG } = ClipboardType;

describe("row 42: what an application's targets amount to", () => {
  test.each<[string, string[], [number, string][]]>([
    ["nothing", [], []],
    ["only what cannot be carried", ["TARGETS", "TIMESTAMP", "image/x-xcf"], []],
    [
      "what GTK offers: the best of it",
      ["TIMESTAMP", "TARGETS", "UTF8_STRING", "STRING", "text/plain"],
      [[TEXT, "UTF8_STRING"]],
    ],
    ["an old program: Latin-1", ["TARGETS", "STRING"], [[TEXT, "STRING"]]],
    ["an old program of more than one language", ["STRING", "COMPOUND_TEXT", "TEXT"], [[TEXT, "COMPOUND_TEXT"]]],
    [
      "a browser: spelled as it spelled it",
      ["text/html", "text/plain;charset=UTF-8"],
      [[TEXT, "text/plain;charset=UTF-8"]],
    ],
    [
      "a picture, by each of its names",
      ["image/jpeg", "image/tiff", "image/x-MS-bmp", "image/bmp", "image/png"],
      [
        [PNG, "image/png"],
        [BMP, "image/bmp"],
        [TIFF, "image/tiff"],
        [JPG, "image/jpeg"],
      ],
    ],
    ["a GIF, of which PNG is made", ["image/gif", "text/html"], [[PNG, "image/gif"]]],
    ["a GIF beside what a viewer takes as it is", ["image/gif", "image/jpeg"], [[JPG, "image/jpeg"]]],
    ["a WebP alone, which is not read", ["image/webp"], []],
    ["a screaming one", ["TEXT/PLAIN"], [[TEXT, "TEXT/PLAIN"]]],
    ["a charset that nobody can read", ["text/plain;charset=utf-16"], []],
    [
      "both spellings: the one that comes first",
      ["text/plain;charset=UTF-8", "text/plain;charset=utf-8"],
      [[TEXT, "text/plain;charset=UTF-8"]],
    ],
  ])("%s", (_, targets, types) => {
    expect([...typesOfTargets(targets)]).toEqual(types);
  });
});

describe("row 46: what is offered for a viewer's types", () => {
  test("all names of text, the best first", () => {
    expect(targetsOfTypes([TEXT])).toEqual([
      "UTF8_STRING",
      "text/plain;charset=utf-8",
      "text/plain",
      "COMPOUND_TEXT",
      "TEXT",
      "STRING",
    ]);
  });

  test("nothing for types that are not carried or not known", () => {
    expect(targetsOfTypes([ClipboardType.NONE, ClipboardType.FILE_LIST, 99, 0xffffffff])).toEqual([]);
    expect(targetsOfTypes([])).toEqual([]);
  });

  test("every carried type has targets, and every target leads back to its type", () => {
    for (const type of [TEXT, PNG, BMP, TIFF, JPG]) {
      const targets = targetsOfTypes([type]);
      expect(targets.length).toBeGreaterThan(0);
      for (const target of targets) {
        expect(typeOfTarget(target)).toBe(type);
        expect(typesOfTargets([target.toLowerCase()]).get(type)).toBe(target.toLowerCase());
      }
    }
  });
});

test.each<[string, number[], number | undefined, number[]]>([
  ["text", [TEXT], undefined, [TEXT]],
  ["PNG as it is", [TEXT, BMP, PNG], undefined, [TEXT, BMP, PNG]],
  ["a bitmap", [BMP], BMP, [PNG, BMP]],
  ["a photograph after its name", [TEXT, JPG], JPG, [TEXT, PNG, JPG]],
  ["several: the one without loss and with the least work", [JPG, TIFF, BMP, TEXT], BMP, [PNG, JPG, TIFF, BMP, TEXT]],
])("PNG for whoever takes no other picture: %s", (_, types, source, all) => {
  expect(pngSource(types)).toBe(source);
  expect(withPng(types)).toEqual(all);
});

test.each<[string, number | undefined]>([
  ["UTF8_STRING", TEXT],
  ["utf8_string", TEXT],
  ["text/plain", TEXT],
  ["TARGETS", undefined],
  ["", undefined],
  ["image/png", PNG],
  ["image/x-ms-bmp", BMP],
  ["image/tiff", TIFF],
  ["image/jpeg", JPG],
  ["image/x-xcf", undefined],
])("the type behind %j", (target, type) => {
  expect(typeOfTarget(target)).toBe(type);
});

test.each<[string, string | undefined]>([
  ["UTF8_STRING", "utf-8"],
  ["TEXT", "utf-8"],
  ["text/plain;charset=UTF-8", "utf-8"],
  ["STRING", "latin-1"],
  ["string", "latin-1"],
  ["COMPOUND_TEXT", "compound"],
  ["image/png", undefined],
  ["TARGETS", undefined],
])("the encoding of %s", (target, encoding) => {
  expect(textEncodingOf(target)).toBe(encoding);
});
