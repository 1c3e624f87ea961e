// What is replaced is never lost, whatever a program of the guest's does meanwhile.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inPlaceOf } from "../../../../src/desktop/guest-share/in-place.ts";
import { PassingPlaces } from "../../../../src/desktop/guest-share/passing-places.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let dir: TempDir;

beforeEach(() => {
  dir = makeTempDir("in-place");
  mkdirSync(dir.join("shared/old"), { recursive: true });
  writeFileSync(dir.join("shared/old/kept"), "kept");
});

afterEach(() => dir[Symbol.dispose]());

async function replace(put: () => Promise<void>): Promise<void> {
  await using handle = await open(dir.join("shared"));
  const folder = { path: `/proc/self/fd/${handle.fd}` };
  const passing = new PassingPlaces(dir.join("notes"));
  await inPlaceOf({ folder: folder as never, path: `${folder.path}/old`, name: "old" }, put, passing);
}

test("it is gone when the new one is there", async () => {
  await replace(async () => mkdirSync(dir.join("shared/old")));
  expect(readdirSync(dir.join("shared"))).toEqual(["old"]);
  expect(existsSync(dir.join("shared/old/kept"))).toBe(false);
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("it comes back when there is no new one", async () => {
  await expect(replace(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(readFileSync(dir.join("shared/old/kept"), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("it comes back under another name when its own was taken meanwhile", async () => {
  const put = async (): Promise<void> => {
    mkdirSync(dir.join("shared/old"));
    writeFileSync(dir.join("shared/old/another's"), "");
    throw new Error("not empty");
  };
  await expect(replace(put)).rejects.toThrow("not empty");
  expect(readFileSync(dir.join("shared/old (1)/kept"), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("shared")).sort()).toEqual(["old", "old (1)"]);
});

test("it stays where it was put aside when there is no way back", async () => {
  const { path } = dir;
  await using handle = await open(dir.join("shared"));
  const real = `/proc/self/fd/${handle.fd}`;
  const folder = { path: real };
  const gone = { path: `${path}/nowhere` };
  const passing = new PassingPlaces(dir.join("notes"));
  // The folder's own name leads nowhere any more.
  const put = async (): Promise<void> => {
    folder.path = gone.path;
    throw new Error("failed");
  };
  await expect(inPlaceOf({ folder, path: `${real}/old`, name: "old" } as never, put, passing)).rejects.toThrow(
    "failed",
  );
  const [hidden = ""] = readdirSync(dir.join("shared"));
  expect(readFileSync(dir.join(`shared/${hidden}/kept`), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});
