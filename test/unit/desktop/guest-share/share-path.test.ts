// From the path of a URL to names and back: nothing that leads out, nothing hidden, nothing without an end.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { hrefOf, isWithin, keyOf, sharePath } from "../../../../src/desktop/guest-share/share-path.ts";

const statusOf = (urlPath: string): number => {
  try {
    sharePath(urlPath);
  } catch (error) {
    if (error instanceof DavError) return error.status;
    throw error;
  }
  return 200;
};

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => !/[/\0]/.test(text) && !text.startsWith(".") && Buffer.byteLength(text) <= 255);

describe("a path of a URL", () => {
  test("names come back as they went, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), fc.boolean(), (path, isFolder) => {
        expect(sharePath(hrefOf(path, isFolder))).toEqual(path);
      }),
    );
  });

  test("what is asked for behind it, and doubled slashes, are passed over", () => {
    expect(sharePath("/Public//a%20b/?C=M&O=D")).toEqual(["Public", "a b"]);
    expect(sharePath("/")).toEqual([]);
  });

  test.each([
    ["/a/../b", 400],
    ["/a/%2e%2e/b", 400],
    ["/a/./b", 400],
    ["/a%2fb", 400],
    ["/a%00b", 400],
    ["/%ff", 400],
    ["/%", 400],
    ["/a#b", 400],
    ["a", 400],
    ["http://localhost/a", 400],
    ["/.ssh/id", 403],
    ["/a/%2essh", 403],
    [`/${"x".repeat(255)}`, 200],
    [`/${"x".repeat(256)}`, 414],
    [`/${"%C3%BC".repeat(128)}`, 414],
    [`/${"a/".repeat(5000)}`, 414],
  ])("%.40s: %i", (path, status) => {
    expect(statusOf(path)).toBe(status);
  });

  test("lies within another only at a slash", () => {
    expect(isWithin(keyOf(["a"]), keyOf(["a", "b"]))).toBe(true);
    expect(isWithin(keyOf(["a"]), keyOf(["ab"]))).toBe(false);
    expect(isWithin(keyOf([]), keyOf(["a"]))).toBe(true);
  });
});
