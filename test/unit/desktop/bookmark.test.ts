// A bookmark for file managers: ours comes and goes, others' lines stay as they are.
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bookmarksFile, setBookmark } from "../../../src/desktop/shared-folder/bookmark.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bookmark-"));
  file = join(folder, "gtk-3.0/bookmarks");
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = (): string => readFileSync(file, "utf8");

test("without any bookmarks the file is made, and taken away again", async () => {
  expect(bookmarksFile({ XDG_CONFIG_HOME: folder })).toBe(file);
  await setBookmark(file, "/home/a b/Shared");
  expect(text()).toBe("file:///home/a%20b/Shared Viewer's folder\n");
  await setBookmark(file, undefined);
  expect(readdirSync(join(folder, "gtk-3.0"))).toEqual([]);
  await setBookmark(file, undefined);
});

test("others' lines, the file's mode and a link to it stay; one of ours that was left is replaced", async () => {
  const real = join(folder, "real");
  writeFileSync(real, "file:///srv Mine\nfile:///old Viewer's folder\nfile:///last", { mode: 0o600 });
  await setBookmark(file, undefined);
  file = join(folder, "link");
  symlinkSync(real, file);
  await setBookmark(file, "/s");
  expect(text()).toBe("file:///srv Mine\nfile:///last\nfile:///s Viewer's folder\n");
  await setBookmark(file, undefined);
  expect(text()).toBe("file:///srv Mine\nfile:///last\n");
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
  expect(statSync(real).mode & 0o777).toBe(0o600);
});
