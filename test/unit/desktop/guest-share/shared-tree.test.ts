// The shared folders on disk: what is seen of them, and what is not, wherever links lead.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SharePath } from "../../../../src/desktop/guest-share/share-path.ts";
import { SharedTree } from "../../../../src/desktop/guest-share/shared-tree.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let dir: TempDir;
let tree: SharedTree;

beforeEach(() => {
  dir = makeTempDir("shared-tree");
  mkdirSync(dir.join("p/sub"), { recursive: true });
  mkdirSync(dir.join("p-beside"));
  for (const name of ["outside", "p/file", "p/.hidden", "p/sub/deep", "p-beside/x"])
    writeFileSync(dir.join(name), name);
  tree = new SharedTree([dir.join("p")]);
});

afterEach(() => dir[Symbol.dispose]());

async function read(...path: SharePath): Promise<string | number | undefined> {
  try {
    await using handle = await tree.open(path);
    return (await handle.stat()).isDirectory() ? "a folder" : await handle.readFile("utf8");
  } catch (error) {
    return (error as { status?: number }).status ?? (error as NodeJS.ErrnoException).code;
  }
}

async function namesIn(...path: SharePath): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of tree.entries(path)) names.push(name);
  return names.sort();
}

describe("what is shared", () => {
  test("is read, and nothing beside it", async () => {
    expect(await read("p", "file")).toBe("p/file");
    expect(await read("p")).toBe("a folder");
    expect(await read("p", "none")).toBe("ENOENT");
    expect(await read("q")).toBe(404);
    expect(await read("p", "file", "x")).toBe("ENOTDIR");
  });

  test("goes on through links that stay in it, and ends at those that lead out", async () => {
    symlinkSync("sub/deep", dir.join("p/in"));
    symlinkSync("../outside", dir.join("p/out"));
    symlinkSync(dir.join("p-beside"), dir.join("p/beside"));
    symlinkSync("..", dir.join("p/up"));
    symlinkSync(".hidden", dir.join("p/to hidden"));
    symlinkSync("loop", dir.join("p/loop"));
    symlinkSync("/dev/zero", dir.join("p/device"));
    expect(await read("p", "in")).toBe("p/sub/deep");
    for (const path of [["out"], ["beside", "x"], ["up", "outside"], ["to hidden"], ["up"], ["device"]])
      expect(await read("p", ...path)).toBe(403);
    expect(await read("p", "up", "p", "file")).toBe("p/file");
    expect(await read("p", "loop")).toBe("ELOOP");
    expect(await namesIn("p")).toEqual(["file", "in", "sub"]);
  });

  test("is not led out by a folder that becomes a link after it was opened", async () => {
    await using place = await tree.place(["p", "sub", "new"]);
    renameSync(dir.join("p/sub"), dir.join("p/moved"));
    symlinkSync(dir.join("p-beside"), dir.join("p/sub"));
    writeFileSync(place.path, "new");
    expect(await read("p", "moved", "new")).toBe("new");
    expect(await read("p", "sub", "x")).toBe(403);
  });

  test("names of any bytes do not spoil the listing of the others", async () => {
    writeFileSync(Buffer.concat([Buffer.from(dir.join("p/")), Buffer.of(0xff, 0x41)]), "");
    for (const name of ["\x01\x02", "a\nb", "&<>\"'", "ü"]) writeFileSync(dir.join(`p/${name}`), "");
    expect(await namesIn("p")).toEqual(["\x01\x02", "&<>\"'", "a\nb", "file", "sub", "ü"]);
  });

  test("folders of the same name are told apart, hidden ones and the root have a name", () => {
    expect(new SharedTree(["/a/x", "/b/x", "/a/x", "/home/.config", "/"]).names).toEqual([
      "x",
      "x 2",
      "config",
      "root",
    ]);
  });

  test("a folder that is not there is not listed, and comes when it does", async () => {
    tree = new SharedTree([dir.join("p"), dir.join("later")]);
    expect(await namesIn()).toEqual(["p"]);
    mkdirSync(dir.join("later"));
    expect(await namesIn()).toEqual(["later", "p"]);
  });
});

describe("a place to change something", () => {
  const status = async (...path: SharePath): Promise<number | undefined> => {
    try {
      await using _place = await tree.place(path);
      return undefined;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };

  test("is in a folder that is there; the shared folders themselves are none", async () => {
    expect(await status("p", "new")).toBeUndefined();
    expect(await status("p", "none", "new")).toBe(409);
    expect(await status("p", "file", "new")).toBe(409);
    expect(await status("p")).toBe(403);
    expect(await status()).toBe(403);
  });

  test("tells of a link as a link, whatever it leads to", async () => {
    symlinkSync("../outside", dir.join("p/out"));
    await using place = await tree.place(["p", "out"]);
    expect(place.stats?.isSymbolicLink()).toBe(true);
  });
});
