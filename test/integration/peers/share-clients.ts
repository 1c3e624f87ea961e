/** Programs of the host at work on the guest's folder: a console, a copier, a browser. */
import { writeFileSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import { cleanEnvironment, run } from "./processes.ts";
import type { TempDir } from "./temp-dir.ts";

/** A folder that is served, with a slash at its end, to whoever knows name and password. */
export interface FolderOfGuest {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

/** curl with name and password; its output. */
export function curl({ user, password }: FolderOfGuest, ...args: readonly string[]): Promise<string> {
  return run("curl", ["-sS", "--noproxy", "*", "-u", `${user}:${password}`, ...args], { timeoutMs: 60_000 });
}

/** cadaver's word for these commands; what it edits gets the line "edited". */
export async function cadaver(
  { url, user, password }: FolderOfGuest,
  dir: TempDir,
  commands: readonly string[],
): Promise<string> {
  writeFileSync(dir.join(".netrc"), `machine ${new URL(url).hostname} login ${user} password ${password}\n`, {
    mode: 0o600,
  });
  writeFileSync(dir.join("edit.sh"), '#!/bin/sh\nsleep 1.1; echo edited >> "$1"\n', { mode: 0o700 });
  writeFileSync(dir.join("commands"), `${[...commands, "quit"].join("\n")}\n`);
  return await run("sh", ["-c", 'cadaver "$0" < "$1"', url, dir.join("commands")], {
    env: { ...(cleanEnvironment() as Record<string, string>), HOME: dir.path, EDITOR: dir.join("edit.sh") },
  });
}

/** rclone, to which the folder is `guest:`. */
export async function rcloneOf(
  { url, user, password }: FolderOfGuest,
  dir: TempDir,
): Promise<(...args: readonly string[]) => Promise<string>> {
  const env = {
    HOME: dir.path,
    RCLONE_CONFIG_GUEST_TYPE: "webdav",
    RCLONE_CONFIG_GUEST_URL: url,
    RCLONE_CONFIG_GUEST_USER: user,
    RCLONE_CONFIG_GUEST_PASS: (await run("rclone", ["obscure", password])).trim(),
  };
  return (...args) => run("rclone", args, { env, timeoutMs: 60_000 });
}

/** A page of headless Chromium, and what it complains of. */
export async function inBrowser(
  { user, password }: FolderOfGuest,
  use: (page: Page, complaints: readonly string[]) => Promise<void>,
): Promise<void> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
  try {
    const context = await browser.newContext({ httpCredentials: { username: user, password } });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await use(page, complaints);
  } finally {
    await browser.close();
  }
}

/** `gio`, as GTK's file managers do it, line by line of a shell; `$at` is the folder. What it prints. */
export async function withGvfs(
  { url, user, password }: FolderOfGuest,
  dir: TempDir,
  lines: readonly string[],
): Promise<string> {
  const { host, pathname } = new URL(url);
  const script = [
    "set -e",
    'printf "%s\\n" "$password" | gio mount "$at" > /dev/null 2>&1',
    ...lines,
    'gio mount -u "$at"',
  ];
  return await run("dbus-run-session", ["--", "sh", "-c", script.join("\n")], {
    timeoutMs: 30_000,
    env: {
      ...(cleanEnvironment() as Record<string, string>),
      ...{ HOME: dir.path, XDG_RUNTIME_DIR: dir.path, LC_ALL: "C.UTF-8" },
      ...{ password, at: `dav://${user}@${host}${pathname.replace(/\/$/, "")}` },
    },
  });
}
