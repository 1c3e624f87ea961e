// Daemon and session in two processes on a machine with logind, with a real desktop and a real viewer: Xspice.
import { afterEach, beforeEach, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { type Ends, guestToViewer, offerToGuest, pasteInGuest, resize, textFile } from "./peers/exchange.ts";
import { LoginDaemon, ME } from "./peers/login-daemon.ts";
import { TestBus } from "./peers/message-bus.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { monotonicMs, sleep } from "./peers/until.ts";
import { copyFile, md5OfFile, pasteToFile } from "./peers/x-clipboard.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const TEXT = ClipboardType.UTF8_TEXT;
/** How long an application may be kept waiting for a viewer that says nothing. */
const REFUSED_MS = 5000;
const STOPPED_MS = 3000;

let bus: TestBus;
let xspice: Xspice;
let viewer: SpiceClient;
let login: LoginDaemon;
let session: Agent;
let ends: Ends;

beforeEach(async () => {
  bus = await TestBus.start();
  // One for each test: it takes its time to notice that an agent is gone, and the next would be taken for it.
  xspice = await startXspice();
  viewer = await SpiceClient.start();
  login = await LoginDaemon.start(bus, { port: xspice.portPath, uinput: `fifo:${xspice.fifoPath}` });
  // As for a user unit: its processes are in no session, so it is the one that its user is looking at.
  await login.logind.setDisplay(ME, "1");
  session = await startAgent(["session", "--socket", login.socket, "--display", xspice.display]);
  await viewer.connect(xspice.spicePort, { maxClipboardBytes: -1 });
  await viewer.waitForAgent();
  ends = { viewer, display: xspice.display, dir: login.dir };
});

afterEach(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await session?.[Symbol.asyncDispose]();
  await login?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  await bus?.[Symbol.asyncDispose]();
});

test("everything works", async () => {
  await resize(ends, 1283, 721);
  const file = await textFile(login.dir, "text", 100_000);
  await offerToGuest(ends, file);
  await pasteInGuest(ends, file);
  await guestToViewer(ends, file);
});

test("the session is stopped for some seconds: what was said to it meanwhile is done when it goes on", async () => {
  const text = await textFile(login.dir, "of-the-viewer", 50_000);
  session.process.signal("SIGSTOP");
  const { sentMs } = await viewer.setDisplays([{ width: 1111, height: 777 }]);
  await viewer.provide(0, TEXT, { mode: "data", file: text });
  await viewer.grab(0, [TEXT]);
  await sleep(STOPPED_MS);
  session.process.signal("SIGCONT");
  await viewer.waitForMonitors([{ width: 1111, height: 777 }], { sinceMs: sentMs });
  await offerToGuest(ends, text);
  await pasteInGuest(ends, text);

  // An application that waits, and then one that copies.
  session.process.signal("SIGSTOP");
  const pasting = pasteInGuest(ends, text);
  await sleep(STOPPED_MS);
  session.process.signal("SIGCONT");
  await pasting;
  session.process.signal("SIGSTOP");
  const sinceMs = monotonicMs();
  const copied = await textFile(login.dir, "of-the-guest", 60_000);
  await using _ = await copyFile(xspice.display, copied);
  await sleep(STOPPED_MS);
  session.process.signal("SIGCONT");
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  const received = await viewer.request(0, TEXT);
  expect(received.md5).toBe(await md5OfFile(copied));
  expect(login.daemon.logged).not.toMatch(/gone/);
});

test("a viewer never answers: the application that pastes is refused within 5 s, and the next paste works", async () => {
  const file = await textFile(login.dir, "text", 1000);
  await offerToGuest(ends, file);
  await viewer.provide(0, TEXT, { mode: "never" });
  const sinceMs = monotonicMs();
  // Xclip's own words, not those of a test that has lost its patience.
  await expect(pasteToFile(xspice.display, login.dir.join("nothing"))).rejects.toThrow(/xclip .*: exit 1/);
  expect(monotonicMs() - sinceMs).toBeLessThan(REFUSED_MS);
  await viewer.waitFor("clipboard-request");
  const next = await textFile(login.dir, "next", 2000);
  await offerToGuest(ends, next);
  await pasteInGuest(ends, next);
});
