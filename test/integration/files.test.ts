// Files dropped on a real viewer (spice-gtk) arrive in the guest, over Xspice, with the built program.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Agent, program, startAgent } from "./peers/agent.ts";
import { isRoot } from "./peers/login-daemon.ts";
import { startProcess } from "./peers/processes.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import { startUpstreamDaemon, startUpstreamSession, UPSTREAM_VERSION } from "./peers/upstream-agent.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const KIB = 1024;

let dir: TempDir;
let xspice: Xspice;
let viewer: SpiceClient;
/** Everything that is to be ended, last first. */
let started: AsyncDisposable[];

beforeEach(async () => {
  started = [];
  dir = makeTempDir("files");
  mkdirSync(dir.join("sent"));
  mkdirSync(dir.join("saved"));
  xspice = await startXspice();
  viewer = await SpiceClient.start();
  await viewer.connect(xspice.spicePort);
});

afterEach(async () => {
  await viewer?.[Symbol.asyncDispose]();
  for (const each of started.reverse()) await each[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

function kept<T extends AsyncDisposable>(each: T): T {
  started.push(each);
  return each;
}

async function run(more: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Agent> {
  const where = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--display", xspice.display];
  const agent = kept(await startAgent(["run", ...where, "--save-dir", dir.join("saved"), ...more], { env }));
  // Xspice may take 10 s to see that the one before has gone.
  await viewer.waitForAgent(30_000);
  return agent;
}

/** A file system of its own in the folder for saved files. */
function mounted(type: string, options: string): void {
  const { status, stderr } = spawnSync("mount", ["-t", type, "-o", options, "none", dir.join("saved")]);
  if (status !== 0) throw new Error(stderr.toString());
  kept({ [Symbol.asyncDispose]: async () => void spawnSync("umount", ["--lazy", dir.join("saved")]) });
}

/** A file at the viewer's, whose content tells it from others. */
function file(name: string, bytes: number): string {
  const path = dir.join(`sent/${name}`);
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 4096) createHash("sha256").update(`${name} ${at}`).digest().copy(content, at);
  writeFileSync(path, content);
  return path;
}

const md5 = (path: string): string => createHash("md5").update(readFileSync(path)).digest("hex");

/** What is in the folder, hidden things included. */
const saved = (): string[] => readdirSync(dir.join("saved")).sort();

const savedFile = (name: string): string => dir.join(`saved/${name}`);

test("rows 65, 66: files of any size and name arrive as they were", async () => {
  await run();
  const names = [
    "a name with spaces.txt",
    `quotes ' and ".txt`,
    "two\nlines\tand a tab",
    "😀 漢字 ž.png",
    "-rf $(reboot) `reboot`",
    "\\backslash\\s",
    ".hidden",
    `${"x".repeat(251)}.bin`,
  ];
  const files = [
    ...[0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * KIB * KIB + 3].map((bytes) => file(`${bytes}.bin`, bytes)),
    ...names.map((name, index) => file(name, 100 + index)),
  ];
  const over = await viewer.dropAndWait(files);
  expect(over.filter(({ error }) => error !== null)).toEqual([]);
  expect(saved()).toEqual(files.map((path) => basename(path)).sort());
  for (const path of files) expect(md5(savedFile(basename(path)))).toBe(md5(path));
});

test("rows 70, 72: a thousand files at once arrive, and one that is too large for the disk is refused with the reason", async () => {
  await run();
  const files = Array.from({ length: 1000 }, (_, index) => file(`${index}.txt`, 20 + index));
  const large = dir.join("sent/large");
  writeFileSync(large, "");
  truncateSync(large, 2 ** 43);
  const over = await viewer.dropAndWait([...files, large], 30_000);
  const failed = over.filter(({ error }) => error !== null);
  expect(failed.map((each) => each.file)).toEqual(["large"]);
  // Spice-gtk's own words for NOT_ENOUGH_SPACE with its detail.
  expect(failed[0]?.error).toMatch(/free space/);
  expect(saved().length).toBe(1000);
  for (const path of files) expect(md5(savedFile(basename(path)))).toBe(md5(path));
});

test("row 67: the same file again gets a name of its own, and links in the folder are not followed", async () => {
  symlinkSync(dir.join("elsewhere"), savedFile("b.txt"));
  await run();
  const files = [file("a.txt", 10), file("b.txt", 11)];
  for (let times = 0; times < 3; times += 1) await viewer.dropAndWait(files);
  expect(saved()).toEqual(["a (1).txt", "a (2).txt", "a.txt", "b (1).txt", "b (2).txt", "b (3).txt", "b.txt"]);
  expect(existsSync(dir.join("elsewhere"))).toBe(false);
});

describe("row 78: where they go", () => {
  async function dropped(home: string, ...more: readonly string[]): Promise<void> {
    const where = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--display", xspice.display];
    kept(await startAgent(["run", ...where, ...more], { env: { HOME: home, XDG_CONFIG_HOME: "" } }));
    await viewer.waitForAgent();
    expect((await viewer.dropAndWait([file("a.txt", 10)]))[0]?.error).toBe(null);
  }

  test("~/Downloads where nothing is configured, and it is made", async () => {
    await dropped(dir.path);
    expect(readdirSync(dir.join("Downloads"))).toEqual(["a.txt"]);
  });

  test("the user's own folder for downloads", async () => {
    mkdirSync(dir.join(".config"));
    writeFileSync(dir.join(".config/user-dirs.dirs"), '# by hand\nXDG_DOWNLOAD_DIR="$HOME/Herunter geladen"\n');
    await dropped(dir.path);
    expect(readdirSync(dir.join("Herunter geladen"))).toEqual(["a.txt"]);
  });

  test("what the user's configuration says", async () => {
    mkdirSync(dir.join(".config/tsvdagent"), { recursive: true });
    writeFileSync(dir.join(".config/tsvdagent/config.toml"), '[files]\nsave-dir = "~/In"\n');
    await dropped(dir.path);
    expect(readdirSync(dir.join("In"))).toEqual(["a.txt"]);
  });

  test("the desktop, and the folder is opened once, when all are there, by a program and not by a shell", async () => {
    const home = dir.join("home $(touch x); 'y'");
    mkdirSync(home);
    mkdirSync(dir.join("bin"));
    writeFileSync(dir.join("bin/xdg-open"), `#!/bin/sh\nprintf '%s\\n' "$#" "$@" >> "${dir.join("opened")}"\n`);
    chmodSync(dir.join("bin/xdg-open"), 0o755);
    symlinkSync(program, dir.join("bin/spice-vdagent"));
    const daemonArgs = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--no-logind"];
    kept(await startAgent(["daemon", ...daemonArgs, "--socket", dir.join("session"), "--control", "none"]));
    await until("the daemon", () => existsSync(dir.join("session")), 20_000);
    const args = [dir.join("bin/spice-vdagent"), "-x", "-s", xspice.portPath, "-S", dir.join("session")];
    const more = ["-f", "xdg-desktop", "-o", "1", "--display", xspice.display];
    const env = { HOME: home, PATH: `${dir.join("bin")}:${process.env.PATH}`, XDG_RUNTIME_DIR: dir.path };
    kept(await startProcess(process.execPath, [...args, ...more], { env }));
    await viewer.waitForAgent();
    await viewer.dropAndWait([file("a.txt", 10), file("b.txt", 10), file("c.txt", 10)]);
    expect(readdirSync(`${home}/Desktop`).sort()).toEqual(["a.txt", "b.txt", "c.txt"]);
    await until("the folder to be opened", () => existsSync(dir.join("opened")), 20_000);
    await sleep(500);
    expect(readFileSync(dir.join("opened"), "utf8")).toBe(`1\n${home}/Desktop\n`);
  });
});

test("row 71: switched off: the viewer is told, and nothing is written", async () => {
  writeFileSync(dir.join("off.toml"), "[files]\nenabled = false\n");
  await run(["--config", dir.join("off.toml")]);
  expect(await viewer.hasCapability(13)).toBe(true);
  expect((await viewer.dropAndWait([file("a.txt", 10)]))[0]?.error).toMatch(/disabled/i);
  expect(saved()).toEqual([]);
});

describe("nothing is left of a file that is not whole", () => {
  const LARGE = 40 * KIB * KIB;

  /** So large that it is never there before somebody has looked. */
  function endless(name: string): string {
    const path = file(name, 0);
    truncateSync(path, 4 * KIB * KIB * KIB);
    return path;
  }

  /** In the middle of a file. */
  async function half(agent: Agent): Promise<void> {
    const fds = `/proc/${agent.pid}/fd`;
    const isOpen = (fd: string): boolean => {
      try {
        return readlinkSync(`${fds}/${fd}`).startsWith(`${dir.join("saved")}/`);
      } catch {
        return false;
      }
    };
    await until("the file to be written to", () => readdirSync(fds).some(isOpen), 10_000, 5);
  }

  test("row 74: the viewer cancels", async () => {
    const agent = await run();
    await viewer.drop([endless("a.bin")]);
    await half(agent);
    await viewer.cancelDrops();
    await viewer.waitFor("file-finished");
    expect(saved()).toEqual([]);
    expect((await viewer.dropAndWait([file("b.bin", 10)]))[0]?.error).toBe(null);
    expect(saved()).toEqual(["b.bin"]);
  });

  test("row 77: the viewer leaves", async () => {
    const agent = await run();
    await viewer.drop([endless("a.bin")]);
    await half(agent);
    await viewer.disconnect();
    await agent.untilLogged(/files: 1 broken off/);
    await viewer.connect(xspice.spicePort);
    await viewer.waitForAgent();
    await viewer.dropAndWait([file("b.bin", 10)]);
    expect(saved()).toEqual(["b.bin"]);
  });

  test("row 76: the agent is killed", async () => {
    const agent = await run();
    await viewer.drop([endless("a.bin")]);
    await half(agent);
    await agent.process.kill("SIGKILL");
    expect(saved()).toEqual([]);
  });

  test.runIf(isRoot)("row 76: the disk fills in the middle, and has room again after it", async () => {
    mounted("tmpfs", "size=60m");
    const agent = await run();
    const { sentMs } = await viewer.drop([file("a.bin", LARGE)]);
    await half(agent);
    // Otherwise it takes the room that is being counted.
    agent.process.signal("SIGSTOP");
    const { bavail, bsize } = statfsSync(dir.join("saved"));
    writeFileSync(savedFile("filler"), Buffer.alloc(bavail * bsize - 10 * KIB * KIB));
    agent.process.signal("SIGCONT");
    const { error } = await viewer.waitFor("file-finished", undefined, { sinceMs: sentMs, timeoutMs: 30_000 });
    expect(error).toMatch(/free space/);
    expect(saved()).toEqual(["filler"]);
    expect((await viewer.dropAndWait([file("b.bin", 5 * KIB * KIB)]))[0]?.error).toBe(null);
  });
});

describe("row 82: with upstream's halves", () => {
  const sizes = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * KIB * KIB];

  async function allArrive(): Promise<void> {
    await viewer.waitForAgent();
    const files = [...sizes.map((bytes) => file(`${bytes}.bin`, bytes)), file("two\nlines 😀.txt", 99)];
    const over = await viewer.dropAndWait(files);
    expect(over.filter(({ error }) => error !== null)).toEqual([]);
    for (const path of files) expect(md5(savedFile(basename(path)))).toBe(md5(path));
    await viewer.dropAndWait(files.slice(0, 1));
    expect(saved()).toContain("0 (1).bin");
  }

  test("our daemon with spice-vdagent, also a thousand at once", async () => {
    writeFileSync(dir.join("compat.toml"), `[compat]\nversion = "${UPSTREAM_VERSION}"\n`);
    const where = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--no-logind"];
    const sockets = ["--socket", dir.join("session"), "--control", "none", "--config", dir.join("compat.toml")];
    kept(await startAgent(["daemon", ...where, ...sockets]));
    await until("the daemon", () => existsSync(dir.join("session")), 20_000);
    kept(await startUpstreamSession(xspice, dir.join("session"), { saveDir: dir.join("saved") }));
    await allArrive();
    const many = Array.from({ length: 1000 }, (_, index) => file(`many ${index}`, 1 + index));
    expect((await viewer.dropAndWait(many, 30_000)).filter(({ error }) => error !== null)).toEqual([]);
  });

  test("our session with spice-vdagentd", async () => {
    kept(await startUpstreamDaemon(xspice, dir.join("session")));
    const where = ["--socket", dir.join("session"), "--display", xspice.display];
    kept(await startAgent(["session", ...where, "--save-dir", dir.join("saved")]));
    await allArrive();
  });
});
