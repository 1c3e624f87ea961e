// The viewer's folder mounted by the user themselves, where root does not: with rclone.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type Clock, sleep } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";

const run = promisify(execFile);

/** What the mount says it is of, for the next to know it by. */
const DEVICE = "tsvdagent";
const UNIT = "tsvdagent-shared-folder.service";
const MOUNT_MS = 20_000;
const LOOK_MS = 50;
const COMMAND_MS = 5000;

/** Ends with the mount. */
export interface RcloneMount extends AsyncDisposable {
  readonly path: string;
}

export interface RcloneOptions {
  readonly url: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly clock: Clock;
  /** What is not mounted by then is not mounted at all. */
  readonly signal: AbortSignal;
}

/** Throws a BackendError `mount.no-rclone`, `mount.not-empty` or `mount.failed`. */
export async function mountRclone(options: RcloneOptions): Promise<RcloneMount> {
  const { path } = options;
  await emptyFolder(path);
  const end = isUnit() ? await startUnit(options) : await startChild(options);
  return { path, [Symbol.asyncDispose]: end };
}

/** What an agent has left that was killed: rclone outlives it. Throws a BackendError `mount.failed` when it is there still. */
export async function unmountRclone(path: string): Promise<void> {
  if (!(await isMounted(path, DEVICE))) return;
  await (isUnit() ? stopUnit(path) : unmount(path));
  if (await isMounted(path, DEVICE)) throw new BackendError("mount.failed", `${path} is mounted still`);
}

/** What takes rights by setuid, as fusermount3, cannot be a child of a unit that may not. */
function isUnit(): boolean {
  return (process.env.INVOCATION_ID ?? "") !== "";
}

function rcloneArguments({ url, path, readOnly }: RcloneOptions): string[] {
  const webdav = ["--webdav-url", url, "--webdav-vendor", "other", "--config", "/dev/null"];
  const caches = [
    "--vfs-cache-mode",
    "writes",
    "--dir-cache-time",
    "30s",
    "--attr-timeout",
    "1s",
    "--vfs-write-back",
    "1s",
  ];
  const limits = ["--timeout", "10s", "--contimeout", "5s", "--low-level-retries", "2", "--umask", "022"];
  return [
    "mount",
    ":webdav:",
    path,
    "--devname",
    DEVICE,
    ...webdav,
    ...caches,
    ...limits,
    ...(readOnly ? ["--read-only"] : []),
  ];
}

async function startUnit(options: RcloneOptions): Promise<() => Promise<void>> {
  const { path, signal } = options;
  await run("systemctl", ["--user", "reset-failed", UNIT], { timeout: COMMAND_MS, signal }).catch(() => {});
  const unit = ["--user", "--collect", "--quiet", `--unit=${UNIT}`, "-p", "Type=notify", "-p", "TimeoutStopSec=5"];
  await run("systemd-run", [...unit, "rclone", ...rcloneArguments(options)], { timeout: MOUNT_MS, signal }).catch(
    async (error: unknown) => {
      // Too slow, or called off, is not ended.
      await stopUnit(path);
      throw failure(error);
    },
  );
  return () => stopUnit(path);
}

async function stopUnit(path: string): Promise<void> {
  // A plain unmount fails while somebody is in it.
  const lazily = ["--user", "--collect", "--quiet", "--wait", "fusermount3", "-uz", path];
  await run("systemd-run", lazily, { timeout: COMMAND_MS }).catch(() => {});
  await run("systemctl", ["--user", "stop", UNIT], { timeout: 2 * COMMAND_MS }).catch(() => {});
}

async function unmount(path: string): Promise<void> {
  await run("fusermount3", ["-uz", path], { timeout: COMMAND_MS }).catch(() => {});
}

async function startChild(options: RcloneOptions): Promise<() => Promise<void>> {
  const { path, clock, signal } = options;
  const child = spawn("rclone", rcloneArguments(options), { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const failed = new Promise<unknown>((resolve) => child.once("error", resolve));
  const ended = once(child, "exit").catch(() => {});
  const end = async (): Promise<void> => {
    await unmount(path);
    child.kill();
    const over = new AbortController();
    const late = async (): Promise<void> => {
      await sleep(clock, COMMAND_MS, over.signal);
      if (over.signal.aborted) return;
      child.kill("SIGKILL");
      // One that the kernel keeps waiting is not waited for.
      await sleep(clock, COMMAND_MS, over.signal);
    };
    await Promise.race([ended, late()]);
    over.abort();
  };
  for (let waitedMs = 0; waitedMs < MOUNT_MS && !signal.aborted; waitedMs += LOOK_MS) {
    if (await isMounted(path, DEVICE)) return end;
    const error = await Promise.race([failed, ended.then(() => undefined), sleep(clock, LOOK_MS, signal)]);
    if (error !== undefined) throw failure(error);
    if (child.exitCode !== null) throw failure({ stderr: complaint, message: "rclone has ended" });
  }
  await end();
  const why = signal.aborted ? "called off" : `not mounted within ${MOUNT_MS} ms`;
  throw new BackendError("mount.failed", `rclone: ${why}`);
}

async function emptyFolder(path: string): Promise<void> {
  let names: readonly string[];
  try {
    await mkdir(path, { recursive: true });
    names = await readdir(path);
  } catch (error) {
    throw new BackendError("mount.failed", describeError(error), { cause: error });
  }
  if (names.length > 0) throw new BackendError("mount.not-empty", `${path} is not empty`);
}

async function isMounted(path: string, device: string): Promise<boolean> {
  const table = await readFile("/proc/self/mountinfo", "latin1");
  const spelled = Buffer.from(path)
    .toString("latin1")
    .replace(/[\s\\]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return table.split("\n").some((line) => {
    const [mount = "", source = ""] = line.split(" - ");
    return mount.split(" ")[4] === spelled && source.split(" ")[1] === device;
  });
}

function failure(error: unknown): BackendError {
  const { code, stderr = "", message } = error as { code?: unknown; stderr?: string; message: string };
  if (code === "ENOENT" || /Failed to find executable|No such file/.test(stderr))
    return new BackendError("mount.no-rclone", "neither a service of root's nor rclone is there to mount it");
  return new BackendError("mount.failed", `rclone: ${stderr.trim().split("\n").at(-1) || message}`);
}
