// The viewer's folder as a folder of a user, mounted by root with davfs2. Nothing of the user's is trusted: davfs2 mounts into a
// folder of root's, and that is then bound to the user's, which is opened first and looked at while it is open.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sleep, systemClock } from "../../support/clock.ts";
import { BackendError } from "../../support/errors.ts";
import { type MountedAt, mountTable } from "../../support/mount-table.ts";
import { libc, NativeFailure } from "../../support/native/libc.ts";
import { MOUNTS_FOLDER } from "./user-mounts.ts";

const run = promisify(execFile);

const PID_FILES = "/run/mount.davfs";
/** Where the daemon serves it. */
const URL = "http://127.0.0.1:9843/";
/** Where mount looks for it: on NixOS, in the folder of what keeps its rights. */
const HELPERS = ["/sbin/mount.davfs", "/run/wrappers/bin/mount.davfs"];
/** davfs2 waits for 30 s where nobody answers. */
const MOUNT_MS = 20_000;
/** For davfs2's process to write down what it has not sent. */
const END_MS = 2000;
/** sys/mount.h, bits/fcntl-linux.h */
const MS_BIND = 0x1000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const O_PATH = 0o10000000;
/** getent(1) */
const GETENT_NOT_FOUND = 2;
/** Something else is in its place, or a link. */
const NO_FOLDER: ReadonlySet<string> = new Set(["ENOTDIR", "ELOOP"]);
/** No mount point any more, or no folder; no process. */
const GONE: ReadonlySet<string> = new Set(["EINVAL", "ENOENT", "ESRCH"]);
const NEVER = new AbortController().signal;

/** davfs2.conf(5): soon to notice what has changed, and never long to wait. */
const DAVFS_CONFIG = `ask_auth 0
use_locks 0
delay_upload 0
gui_optimize 1
dir_refresh 2
file_refresh 1
connect_timeout 4
read_timeout 4
retry 2
max_retry 5
cache_size 200
`;

export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** As the system knows the user, from wherever it knows them. Throws a BackendError `mount.no-user` or `mount.failed`. */
export async function accountOf(uid: number): Promise<Account> {
  const { stdout } = await run("getent", ["passwd", String(uid)]).catch((error: unknown) => {
    if ((error as { readonly code?: unknown }).code === GETENT_NOT_FOUND) return { stdout: "" };
    throw new BackendError("mount.failed", `user ${uid} cannot be looked up: ${lastLine(error)}`, { cause: error });
  });
  const [, , found, gid, , home] = stdout.split("\n")[0]?.split(":") ?? [];
  if (Number(found) !== uid || !/^\d+$/.test(gid ?? "") || home === undefined || !/^\/./.test(home))
    throw new BackendError("mount.no-user", `user ${uid} has no home here`);
  return { uid, gid: Number(gid), home };
}

/**
 * Mounts it at `folder` below the user's home; where it is mounted. Throws a BackendError `mount.no-davfs`, `mount.not-empty`,
 * `mount.not-owned` or `mount.failed`.
 */
export async function mountDavfs(account: Account, folder: string, readOnly: boolean): Promise<string> {
  if (!(await Promise.all(HELPERS.map(isThere))).includes(true))
    throw new BackendError("mount.no-davfs", "davfs2 is not installed");
  await unmountDavfs(account.uid);
  const target = join(account.home, folder);
  // As the user: root's right to make folders would be the user's to lead astray.
  await run("mkdir", ["-p", "--", target], { uid: account.uid, gid: account.gid }).catch((error: unknown) => {
    throw new BackendError("mount.failed", `${target} cannot be made: ${lastLine(error)}`);
  });
  await using handle = await openTarget(target, account.uid);
  try {
    await mountOurs(account, readOnly);
    (await libc()).mount(ours(account.uid), opened(handle), null, MS_BIND, null);
    return target;
  } catch (error) {
    await unmountDavfs(account.uid).catch(() => {});
    throw error;
  }
}

/** The folder it is to be bound to, as it is when it is looked at. Throws as `mountDavfs`. */
export async function openTarget(target: string, uid: number): Promise<FileHandle> {
  const failed = (error: unknown): never => {
    throw new BackendError("mount.failed", `${target} cannot be looked at: ${lastLine(error)}`, { cause: error });
  };
  const handle = await open(target, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (!NO_FOLDER.has((error as NodeJS.ErrnoException).code ?? "")) return failed(error);
    throw new BackendError("mount.not-owned", `${target} is no folder`);
  });
  try {
    if ((await handle.stat().catch(failed)).uid !== uid)
      throw new BackendError("mount.not-owned", `${target} is not the user's own`);
    if ((await readdir(opened(handle)).catch(failed)).length > 0)
      throw new BackendError("mount.not-empty", `${target} is not empty`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function opened({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}

/**
 * Takes it away, whoever is in it. Nothing is asked of the viewer, who may be gone. Throws a BackendError, `native.failed` or
 * `mount.failed`, when it is there still.
 */
export async function unmountDavfs(uid: number): Promise<void> {
  const system = await libc();
  const staging = ours(uid);
  const table = await mountTable();
  const devices = table.flatMap(({ path, device }) => (path === staging ? [device] : []));
  const isIts = ({ device }: MountedAt): boolean => devices.includes(device);
  // Those that were bound to it first.
  const all = table.filter(isIts).sort((a) => (a.path === staging ? 1 : -1));
  for (const { path } of all) ifThere(() => system.umount(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  const left = all.length === 0 ? undefined : (await mountTable()).find(isIts);
  if (left !== undefined) throw new BackendError("mount.failed", `${left.path} is mounted still`);
  await endProcess(staging);
  await rm(staging, { recursive: false, force: true }).catch(() => {});
}

async function mountOurs({ uid, gid }: Account, readOnly: boolean): Promise<void> {
  const staging = ours(uid);
  const config = join(MOUNTS_FOLDER, "davfs2.conf");
  await mkdir(MOUNTS_FOLDER, { recursive: true, mode: 0o700 });
  await mkdir(staging, { recursive: true, mode: 0o700 });
  await writeFile(config, DAVFS_CONFIG, { mode: 0o600 });
  const options = [`uid=${uid}`, `gid=${gid}`, "file_mode=0600", "dir_mode=0700", `conf=${config}`];
  const all = [...options, "nosuid", "nodev", "noexec", ...(readOnly ? ["ro"] : [])].join(",");
  // A unit of its own: davfs2's process is to outlive us.
  const unit = ["--collect", "--no-ask-password", "--quiet", `--description=The viewer's folder for user ${uid}`];
  await run("systemd-mount", [...unit, "-t", "davfs", "-o", all, URL, staging], { timeout: MOUNT_MS }).catch(
    (error: unknown) => {
      throw new BackendError("mount.failed", `davfs2: ${lastLine(error)}`);
    },
  );
}

/** davfs2's process, which a lazy unmount leaves, and its pid file, which would keep the next from being mounted. */
async function endProcess(staging: string): Promise<void> {
  const pidFile = join(PID_FILES, `${staging.slice(1).replaceAll("/", "-")}.pid`);
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  const isRunning = async (): Promise<boolean> =>
    pid > 1 && (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() === "mount.davfs";
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!(await isRunning())) break;
    ifThere(() => process.kill(pid, signal));
    for (let waitedMs = 0; waitedMs < END_MS && (await isRunning()); waitedMs += 50)
      await sleep(systemClock, 50, NEVER);
  }
  if (await isRunning()) throw new BackendError("mount.failed", `davfs2: process ${pid} does not end`);
  await rm(pidFile, { force: true });
}

/** What ends by itself in the same moment is no fault. */
function ifThere(end: () => void): void {
  try {
    end();
  } catch (error) {
    const errno = error instanceof NativeFailure ? error.errno : (error as NodeJS.ErrnoException).code;
    if (!GONE.has(errno ?? "")) throw error;
  }
}

function ours(uid: number): string {
  return join(MOUNTS_FOLDER, String(uid));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function lastLine(error: unknown): string {
  const { stderr = "", message } = error as { readonly stderr?: string; readonly message: string };
  return stderr.trim().split("\n").at(-1) || message;
}
