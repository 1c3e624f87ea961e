// What root's helper says of a user or a folder that cannot be had: each fault by its own name.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { faultOf } from "../../../../src/programs/mount-helper.ts";
import { BackendError, ConfigError } from "../../../../src/support/errors.ts";
import { accountOf, openTarget } from "../../../../src/system/shared-folder/davfs-mount.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

const UID = process.getuid?.() ?? 0;

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("davfs-mount");
  mkdirSync(dir.join("own"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  dir[Symbol.dispose]();
});

test("a user who is not there, and one who cannot be looked up", async () => {
  expect(await accountOf(UID)).toMatchObject({ uid: UID });
  await expect(accountOf(4_000_000_000)).rejects.toMatchObject({ code: "mount.no-user" });
  vi.stubEnv("PATH", dir.path);
  await expect(accountOf(UID)).rejects.toMatchObject({
    name: "BackendError",
    code: "mount.failed",
    message: expect.stringContaining("ENOENT"),
  });
});

test("an empty folder of the user's own is opened", async () => {
  await using handle = await openTarget(dir.join("own"), UID);
  expect(handle.fd).toBeGreaterThan(0);
});

test.each([
  ["a file", "mount.not-owned", "is no folder", (path: string) => writeFileSync(path, "")],
  ["a link to a folder", "mount.not-owned", "is no folder", (path: string) => symlinkSync("own", path)],
  [
    "a folder with something in it",
    "mount.not-empty",
    "is not empty",
    (path: string) => mkdirSync(`${path}/a`, { recursive: true }),
  ],
  ["nothing any more", "mount.failed", "ENOENT", () => {}],
] as const)("%s: %s", async (_, code, text, make) => {
  const path = dir.join("target");
  make(path);
  await expect(openTarget(path, UID)).rejects.toMatchObject({
    name: "BackendError",
    code,
    message: expect.stringContaining(text),
  });
});

test("somebody else's folder", async () => {
  await expect(openTarget(dir.join("own"), UID + 1)).rejects.toMatchObject({ code: "mount.not-owned" });
});

test("what the system refuses is told to who asks, and a fault of ours is not hidden", () => {
  const refused = Object.assign(new Error("EROFS: read-only file system, mkdir '/run/x'"), { syscall: "mkdir" });
  expect(faultOf(refused)).toMatchObject({ code: "mount.failed", message: refused.message });
  expect(faultOf(new ConfigError("a.toml:3: wrong"))).toMatchObject({
    code: "mount.failed",
    message: "a.toml:3: wrong",
  });
  expect(faultOf(new BackendError("mount.no-davfs", "x"))).toMatchObject({ code: "mount.no-davfs" });
  expect(() => faultOf(new TypeError("ours"))).toThrow(TypeError);
});
