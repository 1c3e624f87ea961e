// Daemon and session in two processes over a socket, and each of them with upstream's other half: Xspice, a real viewer.
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StatusReport } from "../../src/programs/status-report.ts";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { type Agent, program, startAgent } from "./peers/agent.ts";
import { startMonitorsTailProxy } from "./peers/monitors-tail-proxy.ts";
import { makePicture, pictureDifference } from "./peers/pixbuf.ts";
import type { PeerProcess } from "./peers/processes.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { monotonicMs, until } from "./peers/until.ts";
import { startUpstreamDaemon, startUpstreamSession, UPSTREAM_VERSION } from "./peers/upstream-agent.ts";
import { clipboardTargets, copyFile, md5OfFile, pasteToFile } from "./peers/x-clipboard.ts";
import { pointerPosition } from "./peers/x-pointer.ts";
import { runOn } from "./peers/x-programs.ts";
import { readScreen } from "./peers/x-screen.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP } = ClipboardType;
const MIB = 1024 * 1024;
/** From a fault to everything at work again. */
const BACK_MS = 20_000;

let dir: TempDir;
let xspice: Xspice;
let viewer: SpiceClient;
let started: AsyncDisposable[];

beforeEach(async () => {
  dir = makeTempDir("two-halves");
  started = [];
  xspice = await startXspice();
  viewer = await SpiceClient.start();
});

afterEach(async () => {
  for (const each of started.reverse()) await each[Symbol.asyncDispose]();
  await viewer?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

function kept<T extends AsyncDisposable>(each: T): T {
  started.push(each);
  return each;
}

async function ourDaemon(...more: readonly string[]): Promise<Agent> {
  const where = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--no-logind"];
  const sockets = ["--socket", dir.join("session"), "--control", dir.join("control")];
  const daemon = kept(await startAgent(["daemon", ...where, ...sockets, ...more]));
  await until("the daemon's sockets", () => spawnSync("test", ["-S", dir.join("control")]).status === 0, 20_000, 20);
  return daemon;
}

async function ourSession(): Promise<Agent> {
  return kept(await startAgent(["session", "--socket", dir.join("session"), "--display", xspice.display]));
}

async function upstreamDaemon(): Promise<PeerProcess> {
  return kept(await startUpstreamDaemon(xspice, dir.join("session")));
}

async function upstreamSession(): Promise<PeerProcess> {
  return kept(await startUpstreamSession(xspice, dir.join("session")));
}

async function compatConfig(): Promise<string> {
  const file = dir.join("compat.toml");
  await writeFile(file, `[compat]\nversion = "${UPSTREAM_VERSION}"\n`);
  return file;
}

async function status(): Promise<StatusReport> {
  const { stdout, stderr } = spawnSync(process.execPath, [
    program,
    "status",
    "--json",
    "--control",
    dir.join("control"),
  ]);
  expect(stderr.toString()).toBe("");
  return JSON.parse(stdout.toString()) as StatusReport;
}

async function textFile(name: string, bytes: number): Promise<string> {
  const file = dir.join(name);
  const text = Buffer.alloc(bytes, "😀 a line of text, ž漢字\n");
  text.fill(".", Math.max(0, bytes - 4));
  await writeFile(file, text.toString("utf8").replaceAll("\ufffd", "?"));
  return file;
}

async function resize(width: number, height: number): Promise<void> {
  const { sentMs } = await viewer.setDisplays([{ width, height }]);
  await viewer.waitForMonitors([{ width, height }], { sinceMs: sentMs, timeoutMs: BACK_MS });
  const screen = await readScreen(xspice.display);
  expect([screen.width, screen.height]).toEqual([width, height]);
}

async function viewerToGuest(file: string): Promise<void> {
  await viewer.provide(0, TEXT, { mode: "data", file });
  await viewer.grab(0, [TEXT]);
  const isOffered = async () => (await clipboardTargets(xspice.display)).includes("UTF8_STRING");
  await until("the viewer's text to be on offer", isOffered, BACK_MS);
  const pasted = await pasteToFile(xspice.display, dir.join("pasted"), { timeoutMs: 60_000 });
  expect(pasted.md5).toBe(await md5OfFile(file));
}

async function guestToViewer(file: string): Promise<void> {
  const sinceMs = monotonicMs();
  await using _ = await copyFile(xspice.display, file);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  const received = await viewer.request(0, TEXT, { timeoutMs: 60_000 });
  expect([received.type, received.md5]).toEqual([TEXT, await md5OfFile(file)]);
}

async function everythingWorks(bytes: number): Promise<void> {
  const file = await textFile(`text-${bytes}`, bytes);
  await viewerToGuest(file);
  await guestToViewer(file);
}

/** A bitmap both ways, as it is and as PNG. */
async function picturesWork(options: { readonly asPng: boolean }): Promise<void> {
  const file = dir.join("picture.bmp");
  await makePicture(file, "bmp", 300, 200);
  await viewer.provide(0, BMP, { mode: "data", file });
  await viewer.grab(0, [BMP]);
  const isOffered = async () => (await clipboardTargets(xspice.display)).includes("image/bmp");
  await until("the viewer's picture to be on offer", isOffered, BACK_MS);
  expect((await pasteToFile(xspice.display, dir.join("pasted"), { target: "image/bmp" })).md5).toBe(
    await md5OfFile(file),
  );
  if (options.asPng) {
    await pasteToFile(xspice.display, dir.join("as-png"), { target: "image/png" });
    expect(await pictureDifference(dir.join("as-png"), file)).toBe(0);
  }
  const sinceMs = monotonicMs();
  await using _ = await copyFile(xspice.display, file, { target: "image/bmp" });
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  expect((await viewer.request(0, BMP)).md5).toBe(await md5OfFile(file));
  if (options.asPng) expect(await pictureDifference((await viewer.request(0, PNG)).file, file)).toBe(0);
}

/** For an offer to be known everywhere; of upstream's halves nobody can be asked. */
async function connected(spicePort = xspice.spicePort): Promise<void> {
  await viewer.connect(spicePort, { maxClipboardBytes: -1 });
  await viewer.waitForAgent();
}

describe("rows 82, 83: halves of ours and of upstream's work together", () => {
  test("our daemon with our session", async () => {
    const daemon = await ourDaemon();
    await ourSession();
    await connected();
    await daemon.untilLogged(/connected, extended/);
    await resize(1283, 721);
    await resize(1024, 768);
    for (const bytes of [1, 1024, MIB, 5 * MIB]) await everythingWorks(bytes);
    await picturesWork({ asPng: true });
  });

  test("our daemon with spice-vdagent, which stays with the version it is told", async () => {
    const daemon = await ourDaemon("--config", await compatConfig());
    await upstreamSession();
    await connected();
    await daemon.untilLogged(/connected, plain/);
    // Theirs rounds the width down to a multiple of 8.
    await resize(1280, 720);
    await resize(1024, 768);
    for (const bytes of [1, 1024, MIB, 5 * MIB]) await everythingWorks(bytes);
    // Theirs makes no PNG.
    await picturesWork({ asPng: false });
    expect((await status()).sessions).toEqual([expect.objectContaining({ link: "plain", version: null })]);
  });

  test("without that version spice-vdagent leaves, and the daemon stays", async () => {
    const daemon = await ourDaemon();
    const session = await upstreamSession();
    await session.ended;
    await ourSession();
    await daemon.untilLogged(/connected, extended/);
  });

  test("our session with spice-vdagentd", async () => {
    await upstreamDaemon();
    const session = await ourSession();
    await using proxy = await startMonitorsTailProxy(xspice.spicePort);
    await connected(proxy.port);
    await session.untilLogged(/display: connected/);
    await resize(1283, 721);
    await resize(1024, 768);
    for (const bytes of [1, 1024, MIB, 5 * MIB]) await everythingWorks(bytes);
    await picturesWork({ asPng: true });
  });
});

describe("one half dies", () => {
  test("row 89: the daemon is killed: the session finds the next one", async () => {
    const first = await ourDaemon();
    await ourSession();
    await connected();
    await resize(1000, 700);
    await first.process.kill("SIGKILL");
    await viewer.waitForNoAgent(30_000);
    await ourDaemon();
    await viewer.waitForAgent();
    await resize(900, 600);
    await everythingWorks(1024);
  });

  test("row 1: the session is killed: the port closes, and is open again when there is a session again", async () => {
    const daemon = await ourDaemon();
    const session = await ourSession();
    await connected();
    await everythingWorks(1024);
    expect((await status()).port.state).toBe("open");
    await session.process.kill("SIGKILL");
    await daemon.untilLogged(/agent of process \d+ gone/);
    expect((await status()).port.state).toBe("closed");
    await viewer.waitForNoAgent(30_000);
    await ourSession();
    await viewer.waitForAgent();
    await everythingWorks(2000);
    await resize(900, 600);
  });
});

test("rows 34, 35: a session that is started anew is given the viewer's layout, and tells how its displays lie", async () => {
  await ourDaemon();
  const session = await ourSession();
  await connected();
  await resize(1000, 700);
  await session.process.kill("SIGKILL");
  await viewer.waitForNoAgent(30_000);
  await runOn(xspice.display, "xrandr", ["--output", "qxl-0", "--mode", "1024x768"]);
  await viewer.waitForMonitors([{ width: 1024, height: 768 }]);
  await ourSession();
  await viewer.waitForAgent();
  await viewer.waitForMonitors([{ width: 1000, height: 700 }], { timeoutMs: BACK_MS });
  // A person goes on moving; the viewer may see the layout a moment before the daemon is told of it.
  const isThere = async (): Promise<boolean> => {
    await viewer.position(989, 689);
    await viewer.position(990, 690);
    const { x, y } = await pointerPosition(xspice.display);
    return x === 990 && y === 690;
  };
  await until("the pointer to be in the corner", isThere, BACK_MS, 100);
});

describe("without logind", () => {
  test("row 87: a second agent is refused, and the first stays", async () => {
    const daemon = await ourDaemon();
    await ourSession();
    await connected();
    await using second = await startAgent(["session", "--socket", dir.join("session"), "--display", xspice.display]);
    await daemon.untilLogged(/refused: there is an agent already/);
    await second.untilLogged(/does not want us/);
    await everythingWorks(1024);
    await resize(900, 600);
  });

  test("row 1: no port is opened before the session has told its screen", async () => {
    const daemon = await ourDaemon();
    expect(daemon.logged).not.toMatch(/port: open/);
    await ourSession();
    await daemon.untilLogged(/port: open/);
    await connected();
    await viewer.position(321, 123);
    await until(
      "the pointer where the viewer has put it",
      async () => {
        const at = await pointerPosition(xspice.display);
        return at.x === 321 && at.y === 123;
      },
      BACK_MS,
    );
  });
});

describe("status", () => {
  test("tells port, viewer, pointer, the session and its drivers", async () => {
    await ourDaemon();
    await ourSession();
    await connected();
    await resize(1000, 700);
    const report = await status();
    expect(report).toMatchObject({
      port: { path: xspice.portPath, state: "open", fault: null },
      viewer: { connected: true, number: 1 },
      pointer: { device: `fifo:${xspice.fifoPath}`, state: "working" },
      logind: "unused",
      screen: null,
      otherSessions: 0,
    });
    expect(report.sessions).toEqual([
      expect.objectContaining({
        active: true,
        shut: false,
        link: "extended",
        features: expect.arrayContaining([
          { feature: "display", driver: "randr", fault: "" },
          { feature: "clipboard", driver: "x11", fault: "" },
        ]),
      }),
    ]);
  });

  test("shows it to a person, and says so where there is no daemon", async () => {
    const asked = [program, "status", "--control", dir.join("control")];
    const nobody = spawnSync(process.execPath, asked);
    expect([nobody.status, nobody.stderr.toString()]).toEqual([1, expect.stringContaining("no daemon answers at")]);
    await ourDaemon();
    const { stdout, status: code } = spawnSync(process.execPath, asked);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(
      /^daemon {4}.*\nport {6}closed: .*\nviewer {4}none\nfiles {5}.*\npointer {3}working: fifo:/,
    );
  });
});

test("row 16: both end on SIGTERM with 0, and the sockets are gone", async () => {
  const daemon = await ourDaemon();
  const session = await ourSession();
  await connected();
  for (const { process } of [session, daemon]) {
    process.signal("SIGTERM");
    expect(await process.ended).toEqual({ code: 0, signal: null });
  }
  await expect(readFile(dir.join("session"))).rejects.toMatchObject({ code: "ENOENT" });
  await expect(readFile(dir.join("control"))).rejects.toMatchObject({ code: "ENOENT" });
});
