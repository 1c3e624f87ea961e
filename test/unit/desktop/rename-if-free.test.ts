// A rename that replaces nothing, with hard links and without.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { renameIfFree } from "../../../src/desktop/rename-if-free.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let hasLinks = true;
/** Called before a rename. */
let beforeRename: () => void;
/** Called before a name is removed. */
let beforeUnlink: (path: string) => void;
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    link: async (from: string, to: string) => {
      if (!hasLinks) throw Object.assign(new Error("FAT"), { code: "EPERM" });
      await real.link(from, to);
    },
    rename: async (from: string, to: string) => {
      beforeRename();
      await real.rename(from, to);
    },
    unlink: async (path: string) => {
      beforeUnlink(path);
      await real.unlink(path);
    },
  };
});

let dir: TempDir;

beforeEach(() => {
  beforeRename = () => {};
  beforeUnlink = () => {};
  hasLinks = true;
  dir = makeTempDir("rename");
  writeFileSync(dir.join("file"), "file");
  symlinkSync("none", dir.join("link"));
  mkdirSync(dir.join("folder"));
  writeFileSync(dir.join("folder/inside"), "");
});

afterEach(() => dir[Symbol.dispose]());

describe.each([true, false])("hard links: %s", (has) => {
  beforeEach(() => {
    hasLinks = has;
  });

  test.each(["file", "link", "folder"])("a %s is renamed where nothing is, and only there", async (name) => {
    for (const there of ["file", "link", "folder"])
      if (there !== name) expect(await renameIfFree(dir.join(name), dir.join(there))).toBe(false);
    mkdirSync(dir.join("empty"));
    expect(await renameIfFree(dir.join(name), dir.join("empty"))).toBe(false);
    const before = lstatSync(dir.join(name)).ino;
    expect(await renameIfFree(dir.join(name), dir.join("new"))).toBe(true);
    expect([existsSync(dir.join(name)), lstatSync(dir.join("new")).ino]).toEqual([false, before]);
    expect(readdirSync(dir.path)).toHaveLength(4);
  });

  test("what fails leaves nothing where it was to be", async () => {
    await expect(renameIfFree(dir.join("none"), dir.join("new"))).rejects.toMatchObject({ code: "ENOENT" });
    beforeRename = () => {
      throw Object.assign(new Error("disk"), { code: "EIO" });
    };
    await expect(renameIfFree(dir.join("folder"), dir.join("new"))).rejects.toMatchObject({ code: "EIO" });
    if (!hasLinks) await expect(renameIfFree(dir.join("file"), dir.join("new"))).rejects.toMatchObject({ code: "EIO" });
    expect(readdirSync(dir.path).sort()).toEqual(["file", "folder", "link"]);
  });
});

test("a folder whose name somebody fills meanwhile stays, and so does what they put there", async () => {
  beforeRename = () => writeFileSync(dir.join("new/another's"), "mine");
  expect(await renameIfFree(dir.join("folder"), dir.join("new"))).toBe(false);
  expect(readFileSync(dir.join("new/another's"), "utf8")).toBe("mine");
  expect(existsSync(dir.join("folder/inside"))).toBe(true);
});

describe("a file whose old name cannot be removed", () => {
  const refuse = (code: string, meanwhile = (): void => {}): void => {
    beforeUnlink = (path) => {
      if (path !== dir.join("file")) return;
      meanwhile();
      throw Object.assign(new Error("refused"), { code });
    };
  };
  const names = (): string[] => readdirSync(dir.path).sort();

  test("has only that one", async () => {
    refuse("EACCES");
    await expect(renameIfFree(dir.join("file"), dir.join("new"))).rejects.toMatchObject({ code: "EACCES" });
    expect(names()).toEqual(["file", "folder", "link"]);
  });

  test("has only the new one if somebody has removed it meanwhile", async () => {
    refuse("ENOENT", () => unlinkSync(dir.join("file")));
    expect(await renameIfFree(dir.join("file"), dir.join("new"))).toBe(true);
    expect(readFileSync(dir.join("new"), "utf8")).toBe("file");
  });

  test("keeps the new one if another has the old one by then: it has no other", async () => {
    refuse("EACCES", () => {
      unlinkSync(dir.join("file"));
      writeFileSync(dir.join("file"), "another's");
    });
    await expect(renameIfFree(dir.join("file"), dir.join("new"))).rejects.toMatchObject({ code: "EACCES" });
    expect([readFileSync(dir.join("new"), "utf8"), readFileSync(dir.join("file"), "utf8")]).toEqual([
      "file",
      "another's",
    ]);
  });
});
