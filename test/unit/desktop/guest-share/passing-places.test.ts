// What is on its way in or out of a shared folder, and what a killed process has left of it.
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openDraft } from "../../../../src/desktop/draft-file.ts";
import { PassingPlaces } from "../../../../src/desktop/guest-share/passing-places.ts";
import { bootId } from "../../../../src/desktop/process-mark.ts";
import { openUnnamedFile } from "../../../../src/support/native/unnamed-file.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

vi.mock("../../../../src/support/native/unnamed-file.ts", { spy: true });

let dir: TempDir;
const log = recordingLog();
let passing: PassingPlaces;

beforeEach(() => {
  dir = makeTempDir("passing");
  for (const name of ["shared", "shared/deep", "notes"]) mkdirSync(dir.join(name));
  passing = new PassingPlaces(dir.join("notes"), log.log);
});

afterEach(() => dir[Symbol.dispose]());

async function leave(place: string, name: string): Promise<string> {
  const path = dir.join(`${place}/${name}`);
  mkdirSync(path);
  writeFileSync(`${path}/inside`, "inside");
  symlinkSync(path, dir.join(`notes/${name}`));
  return path;
}

const nameOf = (boot: string, pid: number, kind = "part"): string =>
  `.tsvdagent-${boot}-${pid}-${randomUUID()}.${kind}`;

test("a place is noted while it is held, and gone with what is in it after that", async () => {
  await using folder = await open(dir.join("shared/deep"));
  const held = await passing.take({ fd: folder.fd, path: `/proc/self/fd/${folder.fd}` });
  expect(readdirSync(dir.join("notes"))).toHaveLength(1);
  mkdirSync(held.path);
  writeFileSync(`${held.path}/f`, "f");
  expect(await passing.settleLeftovers()).toBe(0);
  expect(readdirSync(dir.join("shared/deep"))).toHaveLength(1);
  await held[Symbol.asyncDispose]();
  expect([...readdirSync(dir.join("shared/deep")), ...readdirSync(dir.join("notes"))]).toEqual([]);
});

test("what a process left that is no more, or that another start of the machine has ended, is removed at the next start", async () => {
  const { pid } = spawnSync("true");
  const left = [
    await leave("shared/deep", nameOf(await bootId(), pid)),
    await leave("shared", nameOf("0a0a", process.pid)),
  ];
  expect(await passing.settleLeftovers()).toBe(2);
  expect(left.map((path) => existsSync(path))).toEqual([false, false]);
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("nothing else is: not what a living process holds, and not where a note leads that is not ours", async () => {
  const alive = await leave("shared", nameOf(await bootId(), process.pid));
  mkdirSync(dir.join("shared/precious"));
  const { pid } = spawnSync("true");
  symlinkSync(dir.join("shared/precious"), dir.join(`notes/${nameOf(await bootId(), pid)}`));
  symlinkSync(dir.join("shared/precious"), dir.join("notes/precious"));
  await passing.settleLeftovers();
  expect(existsSync(alive) && existsSync(dir.join("shared/precious"))).toBe(true);
});

test("what was put aside on a drive that is not there now waits for it", async () => {
  const { pid } = spawnSync("true");
  const name = nameOf(await bootId(), pid, "aside");
  mkdirSync(dir.join(`drive/${name}`), { recursive: true });
  symlinkSync(`${statSync(dir.join("drive")).ino}:${dir.join("drive/folder")}`, dir.join(`notes/${name}`));
  // Nothing is where it is mounted, or another folder.
  renameSync(dir.join("drive"), dir.join("away"));
  expect(await passing.settleLeftovers()).toBe(0);
  mkdirSync(dir.join("drive"));
  expect(await passing.settleLeftovers()).toBe(0);
  rmSync(dir.join("drive"), { recursive: true });
  renameSync(dir.join("away"), dir.join("drive"));
  expect(await passing.settleLeftovers()).toBe(1);
  expect(readdirSync(dir.join("drive"))).toEqual(["folder"]);
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("a file that was put aside is no draft, which the next one would take away", async () => {
  await using handle = await open(dir.join("shared"));
  const folder = { fd: handle.fd, path: `/proc/self/fd/${handle.fd}` };
  const { pid } = spawnSync("true");
  const [draft, aside] = [nameOf(await bootId(), pid), nameOf(await bootId(), pid, "aside")];
  for (const name of [draft, aside]) writeFileSync(dir.join(`shared/${name}`), "thesis");
  vi.mocked(openUnnamedFile).mockRejectedValueOnce(Object.assign(new Error("FAT"), { code: "EOPNOTSUPP" }));
  await (await openDraft(folder, 0o600)).discard();
  expect(readdirSync(dir.join("shared")).sort()).toEqual([aside, "deep"]);
});

test("folders that are read only are removed, too; what cannot be stays noted", () => {
  for (const place of [dir.path, dir.join("shared"), dir.join("notes")]) chmodSync(place, 0o777);
  const module = new URL("../../../../src/desktop/guest-share/passing-places.ts", import.meta.url).pathname;
  writeFileSync(
    dir.join("removes.mts"),
    `import { chmodSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
     import { PassingPlaces } from ${JSON.stringify(module)};
     const [shared, notes] = process.argv.slice(2);
     // Root may remove everything.
     if (process.getuid() === 0) process.setuid(65534);
     const fd = openSync(shared, "r");
     const passing = new PassingPlaces(notes, { error: console.error });
     for (const isShut of [false, true]) {
       const held = await passing.take({ fd, path: "/proc/self/fd/" + fd });
       mkdirSync(held.path + "/sub", { recursive: true });
       writeFileSync(held.path + "/sub/file", "");
       for (const folder of ["/sub", ""]) chmodSync(held.path + folder, 0o555);
       if (isShut) chmodSync(shared, 0o555);
       await held[Symbol.asyncDispose]();
       // Beside what was there before.
       console.log(readdirSync(shared).length, readdirSync(notes).length);
     }`,
  );
  // Its own: so that it may shut it.
  if (process.getuid?.() === 0) chownSync(dir.join("shared"), 65534, 65534);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", dir.join("removes.mts"), dir.join("shared"), dir.join("notes")],
    { encoding: "utf8", cwd: new URL("../../../..", import.meta.url).pathname },
  );
  expect(stderr).toBe("");
  expect(stdout).toBe("1 0\n2 1\n");
});
