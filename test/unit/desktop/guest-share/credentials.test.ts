// Name and password of the guest's folders.
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { credentialsAt } from "../../../../src/desktop/guest-share/credentials.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let dir: TempDir;
let path: string;

beforeEach(() => {
  dir = makeTempDir("credentials");
  path = dir.join("state/password");
});

afterEach(() => dir[Symbol.dispose]());

test("are made once, for the user's eyes only, and stay", async () => {
  const made = await credentialsAt(path);
  expect(made.password).toMatch(/^[\w-]{24}$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dir.join("state")).mode & 0o077).toBe(0);
  expect(await credentialsAt(path)).toEqual(made);
  expect(readFileSync(path, "utf8")).toBe(`${made.user}:${made.password}\n`);
});

test("may be chosen by the user, with colons in the password", async () => {
  mkdirSync(dir.join("state"));
  writeFileSync(path, "me:a:b:c:d:e", { mode: 0o600 });
  expect(await credentialsAt(path)).toEqual({ user: "me", password: "a:b:c:d:e" });
});

test.each([
  ["that others may read", "me:long enough\n", 0o644],
  ["with a short password", "me:short\n", 0o600],
  ["without a name", ":long enough\n", 0o600],
  ["of several lines", "me:long enough\nand more\n", 0o600],
  ["that is empty", "", 0o600],
  ["that is far too long", `me:${"x".repeat(2000)}`, 0o600],
])("a file %s is refused, and left as it is", async (_, text, mode) => {
  mkdirSync(dir.join("state"));
  writeFileSync(path, text);
  chmodSync(path, mode);
  await expect(credentialsAt(path)).rejects.toMatchObject({ code: "guest-share.password" });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("what is no file, or cannot be written, is refused", async () => {
  mkdirSync(path, { recursive: true });
  await expect(credentialsAt(path)).rejects.toMatchObject({ code: "guest-share.password" });
  symlinkSync("loop", dir.join("loop"));
  await expect(credentialsAt(dir.join("loop"))).rejects.toMatchObject({ code: "guest-share.password" });
});
