// A small file that is replaced: the old one or the new one, and nothing beside it.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeWhole } from "../../../src/desktop/whole-file.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("whole-file");
});
afterEach(() => dir[Symbol.dispose]());

test("is there with its folders, for nobody else to read", async () => {
  await writeWhole(dir.join("a/b/file"), "secret");
  expect(readFileSync(dir.join("a/b/file"), "utf8")).toBe("secret");
  expect([dir.join("a/b/file"), dir.join("a/b"), dir.join("a")].map((path) => statSync(path).mode & 0o777)).toEqual([
    0o600, 0o700, 0o700,
  ]);
});

test("takes the place of another with a mode of its own, also of one that is read only", async () => {
  writeFileSync(dir.join("file"), "old");
  chmodSync(dir.join("file"), 0o444);
  await writeWhole(dir.join("file"), "new", { mode: 0o640 });
  expect(readFileSync(dir.join("file"), "utf8")).toBe("new");
  expect(statSync(dir.join("file")).mode & 0o777).toBe(0o640);
});

test("two at once are whole, and leave nothing of the one that was first", async () => {
  const texts = ["a".repeat(100_000), "b".repeat(100_000)];
  await Promise.all(texts.map((text) => writeWhole(dir.join("file"), text)));
  expect(texts).toContain(readFileSync(dir.join("file"), "utf8"));
  expect(readdirSync(dir.path)).toEqual(["file"]);
});

test("that cannot be put there leaves nothing", async () => {
  mkdirSync(dir.join("file/inside"), { recursive: true });
  await expect(writeWhole(dir.join("file"), "text")).rejects.toMatchObject({ code: "EISDIR" });
  expect(readdirSync(dir.path)).toEqual(["file"]);
});
