// Row 62: the viewer's files, as file managers are told of them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileListTargets, fileListText } from "../../../src/features/file-list-texts.ts";
import { DecodeError } from "../../../src/wire/bytes.ts";
import { decodeFileList } from "../../../src/wire/file-list.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");
const MOUNT = "/home/a b/Shared";
const list = decodeFileList(bytes("cut\0/.spice-clipboard/1-2/é #1.txt\0/sub/b\0"));
const first = "file:///home/a%20b/Shared/.spice-clipboard/1-2/%C3%A9%20%231.txt";
const second = "file:///home/a%20b/Shared/sub/b";

describe("row 62: a file list", () => {
  test("its bytes", () => {
    expect(list).toEqual({ isCut: true, paths: ["/.spice-clipboard/1-2/é #1.txt", "/sub/b"] });
    expect(decodeFileList(bytes("copy\0"))).toEqual({ isCut: false, paths: [] });
  });

  test.each([
    ["nothing", ""],
    ["no NUL at the end", "copy\0/a"],
    ["no action", "/a\0"],
    ["another action", "link\0/a\0"],
    ["a path out of the folder", "copy\0/../etc/passwd\0"],
    ["a path out of a sub-folder", "copy\0/a/../../b\0"],
    ["a path that is not absolute", "copy\0a\0"],
    ["the root itself", "copy\0/\0"],
    ["an empty path", "copy\0\0"],
    ["a double slash", "copy\0//host/a\0"],
  ])("refused: %s", (_, text) => {
    expect(() => decodeFileList(bytes(text))).toThrow(DecodeError);
  });

  test("refused: no text", () => {
    expect(() => decodeFileList(Uint8Array.of(0x63, 0x75, 0x74, 0, 0x2f, 0xff, 0))).toThrow(DecodeError);
  });

  test("what each target holds", () => {
    expect(fileListText(list, MOUNT, "text/uri-list")).toBe(`${first}\r\n${second}\r\n`);
    expect(fileListText(list, MOUNT, "x-special/gnome-copied-files")).toBe(`cut\n${first}\n${second}`);
    expect(fileListText(list, MOUNT, "x-special/mate-copied-files")).toBe(`cut\n${first}\n${second}`);
    expect(fileListText(list, MOUNT, "application/x-kde-cutselection")).toBe("1");
    expect(fileListText({ ...list, isCut: false }, MOUNT, "application/x-kde-cutselection")).toBe("0");
    expect(fileListText(list, MOUNT, "text/plain;charset=UTF-8")).toBe(
      `x-special/nautilus-clipboard\ncut\n${first}\n${second}\n`,
    );
    expect(fileListText(list, MOUNT, "image/png")).toBeUndefined();
    for (const target of fileListTargets) expect(fileListText(list, MOUNT, target)).toBeDefined();
  });

  test("any name comes back from its URI", () => {
    const name = fc
      .string({ unit: "binary", minLength: 1 })
      .filter((text) => !/[/\0]/.test(text) && !/^\.\.?$/.test(text));
    fc.assert(
      fc.property(name, (text) => {
        const uri = fileListText({ isCut: false, paths: [`/${text}`] }, "/m", "text/uri-list")?.trimEnd() ?? "";
        expect(decodeURIComponent(new URL(uri).pathname)).toBe(`/m/${text}`);
      }),
    );
  });
});
