// Where a file system has no files without a name, as FAT and many network file systems.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IncomingFile } from "../../../../src/desktop/downloads/incoming-file.ts";

vi.mock("../../../../src/support/native/unnamed-file.ts", () => ({
  openUnnamedFile: async () => {
    throw Object.assign(new Error("not supported"), { code: "EOPNOTSUPP" });
  },
}));

const DEAD_PID = 2 ** 22 + 1;
const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1")
  .replace(/[^0-9a-f]/g, "")
  .slice(0, 12);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "incoming-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const here = (): string[] => readdirSync(folder).sort();

test("is hidden until it is whole, and overwrites nothing", async () => {
  writeFileSync(join(folder, "a.txt"), "mine");
  symlinkSync("nowhere", join(folder, "a (1).txt"));
  await using file = await IncomingFile.create(folder, ["a.txt"]);
  await file.write(Buffer.from("all of "));
  expect(here()).toEqual([expect.stringMatching(/^\.tsvdagent-.*\.part$/), "a (1).txt", "a.txt"]);
  await file.write(Buffer.from("it"));
  expect(await file.keep()).toBe("a (2).txt");
  expect(here()).toEqual(["a (1).txt", "a (2).txt", "a.txt"]);
  expect(readFileSync(join(folder, "a (2).txt"), "utf8")).toBe("all of it");
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("mine");
});

test("nothing is left of one that is not kept", async () => {
  {
    await using file = await IncomingFile.create(folder, ["x", "a.txt"]);
    await file.write(Buffer.from("some"));
    expect(readdirSync(join(folder, "x")).length).toBe(1);
  }
  expect(readdirSync(join(folder, "x"))).toEqual([]);
});

test("what killed processes have left goes with the next file, and nothing else does", async () => {
  const left = `.tsvdagent-${bootId}-${DEAD_PID}-0123abcd.part`;
  const ofThis = `.tsvdagent-${bootId}-${process.pid}-0123abcd.part`;
  const ofOther = ".tsvdagent-0123456789ab-1-0123abcd.part";
  const old = ".tsvdagent-0123456789ab-2-0123abcd.part";
  const users = [".tsvdagent-x.part", `x.tsvdagent-${bootId}-${DEAD_PID}-0.part`, "a.part"];
  for (const name of [left, ofThis, ofOther, old, ...users]) writeFileSync(join(folder, name), "");
  utimesSync(join(folder, old), new Date(0), new Date(0));
  mkdirSync(join(folder, `.tsvdagent-${bootId}-${DEAD_PID}-1.part`));
  {
    await using file = await IncomingFile.create(folder, ["new"]);
    await file.keep();
  }
  const kept = [ofThis, ofOther, ...users, "new", `.tsvdagent-${bootId}-${DEAD_PID}-1.part`];
  expect(here()).toEqual(kept.sort());
});

test("many that begin at once clear the same leftovers away without harm to any", async () => {
  for (let n = 0; n < 200; n++) {
    const path = join(folder, `.tsvdagent-0123456789ab-1-${n.toString(16)}.part`);
    writeFileSync(path, "");
    utimesSync(path, new Date(0), new Date(0));
  }
  const files = await Promise.all(Array.from({ length: 16 }, (_, n) => IncomingFile.create(folder, [`f${n}`])));
  for (const file of files) await file.keep();
  for (const file of files) await file[Symbol.asyncDispose]();
  expect(here()).toHaveLength(16);
});

test("one that cannot be given its name leaves no empty file of that name", async () => {
  await using file = await IncomingFile.create(folder, ["a.txt"]);
  for (const name of here()) rmSync(join(folder, name));
  await expect(file.keep()).rejects.toThrow();
  expect(here()).toEqual([]);
});
