// The built daemon with a logind on a real bus: who is let in, who is on the screen, and what the others may.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ClipboardSelection, ClipboardType, FileXferStatus, ReplyError } from "../../src/wire/agent-constants.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { FakeSession } from "../fakes/fake-session.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { notifySocket } from "../fakes/notify-socket.ts";
import { ViewerClipboard } from "../fakes/viewer-clipboard.ts";
import { program, startAgent } from "./peers/agent.ts";
import { isRoot, LoginDaemon, ME, OTHER } from "./peers/login-daemon.ts";
import { TestBus } from "./peers/message-bus.ts";
import { PYTHON, startAs } from "./peers/played-session.ts";
import { type PeerProcess, startProcess } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { monotonicMs, sleep, until, within } from "./peers/until.ts";

const { CLIPBOARD, PRIMARY } = ClipboardSelection;
const { NONE, UTF8_TEXT: TEXT } = ClipboardType;
/** For what is only a few signals and messages away, and a process or two that have to start. */
const SOON_MS = 20_000;
/** From a fault that is over to everything at work again, as it is promised. */
const BACK_MS = 5000;
/** For something that must not happen to have happened. */
const QUIET_MS = 300;
/** So many connections at once, each held until it is hung up, round after round. */
const FLOOD = `
import socket, sys
path, rounds, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.read(1)
for _ in range(rounds):
    opened = []
    for _ in range(size):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.settimeout(10)
        opened.append(s)
    for s in opened:
        try:
            while s.recv(65536): pass
        except ConnectionResetError: pass
        s.close()
    print("over", flush=True)
`;
/** Listens as systemd does for a unit with two sockets, and becomes the service. */
const ACTIVATE = `
import os, socket, sys
session, control, *command = sys.argv[1:]
sockets = []
for path in (session, control):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    sockets.append(s.detach())
# First out of the way of where they are to be.
high = [os.dup2(fd, 50 + i) for i, fd in enumerate(sockets)]
for i, fd in enumerate(high): os.dup2(fd, 3 + i)
os.closerange(5, 64)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="session:control")
os.execvp(command[0], command)
`;
const monitors = { monitors: [{ width: 1024, height: 768, depth: 32, x: 0, y: 0 }], usePosition: true };

let bus: TestBus;
let port: HostSocket;
let login: LoginDaemon;

beforeAll(async () => {
  bus = await TestBus.start();
});

afterAll(async () => {
  await bus?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  port = await hostSocket();
  login = await LoginDaemon.start(bus, { port: port.path });
});

afterEach(async () => {
  await login?.[Symbol.asyncDispose]();
  await port?.[Symbol.asyncDispose]();
});

interface Viewer {
  readonly host: FakeHost;
  readonly clipboard: ViewerClipboard;
}

/** A viewer on the next opening of the port. */
async function viewerThere(): Promise<Viewer> {
  const host = await port.opened();
  await host.connectViewer();
  return { host, clipboard: new ViewerClipboard(host) };
}

/** Text goes both ways. */
async function works({ clipboard }: Viewer, agent: FakeSession, text = "some text"): Promise<void> {
  clipboard.copies();
  await agent.next("clipboard-grab");
  await pastes({ clipboard }, agent, text);
  agent.copies(CLIPBOARD);
  expect(await clipboard.grabbed()).toBe(CLIPBOARD);
  clipboard.asks();
  await agent.answer(await agent.next("content-request"), Buffer.from(text));
  expect(await clipboard.answer()).toEqual({ type: TEXT, text });
}

/** What the viewer has copied already reaches the guest. */
async function pastes({ clipboard }: Pick<Viewer, "clipboard">, agent: FakeSession, text: string): Promise<void> {
  agent.pastes(CLIPBOARD);
  await clipboard.gives(text);
  const content = await agent.content(await agent.next("content-answer"));
  expect(content.toString()).toBe(text);
}

/** All that may come has come. */
async function quiet(): Promise<void> {
  await sleep(QUIET_MS);
}

function names({ host }: Viewer): readonly string[] {
  return host.unread.map(({ name }) => name);
}

function kinds(agent: FakeSession): readonly string[] {
  return agent.unread.map(({ kind }) => kind);
}

async function unseen(pattern: RegExp): Promise<void> {
  await quiet();
  expect(login.daemon.logged).not.toMatch(pattern);
}

describe("row 84: who is let in", () => {
  test.runIf(isRoot)("a process of another user in our session is refused, and we are not", async () => {
    const knocker = await login.knocker("1", OTHER);
    const agent = knocker.play();
    await within("the connection to end", agent.closed, SOON_MS);
    await login.daemon.untilLogged(new RegExp(`process ${knocker.pid} of user ${OTHER} refused: it belongs to no`));
    const ours = await login.agent("1");
    await works(await viewerThere(), ours.agent);
  });

  test("a second agent of the same session is refused, and the first stays", async () => {
    const first = await login.agent("1");
    const viewer = await viewerThere();
    const knocker = await login.knocker("1");
    const second = knocker.play();
    await within("the connection to end", second.closed, SOON_MS);
    await login.daemon.untilLogged(
      new RegExp(`process ${knocker.pid} of user ${ME} refused: session 1 has an agent already, process ${first.pid}`),
    );
    await works(viewer, first.agent);
    expect((await login.status()).sessions).toEqual([expect.objectContaining({ id: "1", pid: first.pid })]);
  });

  test("a process without a session is refused", async () => {
    const knocker = await login.knocker(undefined);
    const agent = knocker.play();
    await within("the connection to end", agent.closed, SOON_MS);
    await login.daemon.untilLogged(
      new RegExp(`process ${knocker.pid} of user ${ME} refused: it belongs to no session`),
    );
    expect(port.openings).toBe(0);
  });
});

describe("row 84: too many", () => {
  const ROUNDS = 5;
  const SIZE = 200;
  /** Garbage that V8 has not found worth collecting yet; with a small heap there is no growth (12,000 connections: 5 MiB). */
  const GROWTH_BYTES = 24 * 1024 * 1024;

  test.each<[string, number | undefined, string | undefined]>([
    ["another user", OTHER, undefined],
    ["our own, in our session", undefined, "1"],
  ])(
    "a flood of connections of %s: it is refused, the agent works on, and nothing piles up",
    async (_, uid, session) => {
      if (uid !== undefined && !isRoot) return;
      const { agent } = await login.agent("1");
      const viewer = await viewerThere();
      await works(viewer, agent);
      const flood = login.keep(await startFlood(uid, ROUNDS, SIZE));
      if (session !== undefined) await login.logind.setProcess(flood.pid, session);
      const descriptors = openDescriptors();
      const roundOver = async (round: number): Promise<void> => {
        const isOver = (): boolean => flood.output.split("\n").length > round;
        await until(`round ${round}`, () => isOver() || flood.exit !== undefined, 20_000);
        if (!isOver()) throw new Error(flood.errors);
      };
      // None is known before the seventeenth knocks, however fast the daemon is.
      await login.logind.hang(true);
      flood.stdin.write("!");
      await login.daemon.untilLogged(new RegExp(`of user ${uid ?? ME} refused: more than 16 connections of user`));
      await login.logind.hang(false);
      await roundOver(1);
      const residentBytes = memory();
      for (let round = 2; round <= ROUNDS; round += 1) {
        await works(viewer, agent, `beside round ${round}`);
        await roundOver(round);
      }
      expect(await flood.ended).toEqual({ code: 0, signal: null });
      await until("all descriptors to be closed", () => openDescriptors() === descriptors, SOON_MS);
      expect(memory() - residentBytes).toBeLessThan(GROWTH_BYTES);
      await works(viewer, agent, "after it");
      expect((await login.status()).sessions).toHaveLength(1);
    },
  );

  test("connections that say nothing: without a session they are refused at once, with one after a while", async () => {
    const strangers = await Promise.all(Array.from({ length: 5 }, () => login.knocker(undefined)));
    for (const stranger of strangers) stranger.connect();
    await within("the strangers to be refused", Promise.all(strangers.map(({ ended }) => ended)), SOON_MS);
    const silent = await login.knocker("1");
    silent.connect();
    await until("it to have the session's place", async () => (await login.status()).sessions.length === 1, SOON_MS);
    const early = (await login.knocker("1")).play();
    await within("the second to be refused", early.closed, SOON_MS);
    await within("the silent one to be let go", silent.ended, 12_000);
    await login.daemon.untilLogged(/session 1: not a word of its agent/);
    const { agent } = await login.agent("1");
    await works(await viewerThere(), agent);
  });

  async function startFlood(uid: number | undefined, rounds: number, size: number): Promise<PeerProcess> {
    const args = ["-c", FLOOD, login.socket, String(rounds), String(size)];
    return startAs(uid, PYTHON, args, { stdin: "pipe" });
  }

  function openDescriptors(): number {
    return readdirSync(`/proc/${login.daemon.pid}/fd`).length;
  }

  function memory(): number {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${login.daemon.pid}/status`, "latin1"))?.[1];
    return Number(kib) * 1024;
  }
});

describe("row 85: who is on the screen", () => {
  test("row 1: before an agent of that session there is no port; with it there is", async () => {
    const other = await login.agent("3");
    await unseen(/port: open/);
    expect(port.openings).toBe(0);
    expect(await login.status()).toMatchObject({
      port: { state: "closed" },
      screen: { id: "1", class: "user", hasAgent: false },
      sessions: [{ id: "3", active: false, pid: other.pid }],
    });
    const ours = await login.agent("1");
    await works(await viewerThere(), ours.agent);
    expect(kinds(other.agent)).toEqual([]);
  });

  test("nobody is: the port is closed; somebody is again: it is open, and everything works", async () => {
    const { agent } = await login.agent("1");
    const first = await viewerThere();
    agent.copies(CLIPBOARD);
    await first.clipboard.grabbed();
    await login.logind.activate(undefined);
    await within("the port to be closed", first.host.closed, SOON_MS);
    expect((await login.status()).port.state).toBe("closed");
    await login.logind.activate("1");
    const second = await viewerThere();
    expect(await second.clipboard.grabbed()).toBe(CLIPBOARD);
    await works(second, agent);
  });

  test("another session is: it gets the layout that the viewer wants, and what was under way is over", async () => {
    const ours = await login.agent("1");
    const other = await login.agent("3");
    const first = await viewerThere();
    first.host.send({ name: "MONITORS_CONFIG", value: monitors });
    await ours.agent.next("monitors-config");
    // A paste of ours that the viewer has not answered yet, and one of the viewer that we have not.
    first.clipboard.copies(CLIPBOARD);
    await ours.agent.next("clipboard-grab");
    ours.agent.pastes(CLIPBOARD);
    await first.host.next("CLIPBOARD_REQUEST");
    ours.agent.copies(PRIMARY);
    expect(await first.clipboard.grabbed()).toBe(PRIMARY);
    first.clipboard.asks(PRIMARY);
    const asked = await ours.agent.next("content-request");

    await login.logind.activate("3");
    expect((await other.agent.next("monitors-config")).config.monitors).toEqual(monitors.monitors);
    expect(await ours.agent.next("content-answer")).toMatchObject({ type: NONE });
    expect(await ours.agent.next("content-cancel")).toMatchObject({ requestId: asked.requestId });
    await within("the port to be closed", first.host.closed, SOON_MS);
    const second = await viewerThere();
    await works(second, other.agent);
  });

  test("the one that is not is not passed on: neither what it copies nor what it wants to paste", async () => {
    const ours = await login.agent("1");
    const other = await login.agent("3");
    const first = await viewerThere();
    other.agent.copies(CLIPBOARD);
    await quiet();
    expect(names(first)).toEqual([]);
    first.clipboard.copies();
    await ours.agent.next("clipboard-grab");
    other.agent.pastes(CLIPBOARD);
    expect(await other.agent.next("content-answer")).toMatchObject({ type: NONE });
    await login.daemon.untilLogged(/session 3 is not on the screen: its paste is refused/);
    expect(kinds(other.agent)).toEqual([]);
    await pastes(first, ours.agent, "ours alone");
  });

  test("what a session has copied is told when it is on the screen, also for the second time", async () => {
    const ours = await login.agent("1");
    const other = await login.agent("3");
    await works(await viewerThere(), ours.agent);
    other.agent.copies(PRIMARY);
    await login.logind.activate("3");
    const second = await viewerThere();
    expect(await second.clipboard.grabbed()).toBe(PRIMARY);
    await quiet();
    expect(names(second)).toEqual([]);
    await login.logind.activate("1");
    const third = await viewerThere();
    expect(await third.clipboard.grabbed()).toBe(CLIPBOARD);
    ours.agent.copies(CLIPBOARD);
    expect(await third.clipboard.grabbed()).toBe(CLIPBOARD);
    await works(third, ours.agent, "after all that");
  });

  test("row 60: another session is: before the port closes, the viewer is told that each of the first one's copies is gone", async () => {
    const ours = await login.agent("1");
    await login.agent("3");
    const first = await viewerThere();
    for (const selection of [CLIPBOARD, PRIMARY]) {
      ours.agent.copies(selection);
      expect(await first.clipboard.grabbed()).toBe(selection);
    }
    await login.logind.activate("3");
    await within("the port to be closed", first.host.closed, SOON_MS);
    const released = first.host.unread.filter(({ name }) => name === "CLIPBOARD_RELEASE");
    expect(released.map(({ value }) => value)).toEqual([{ selection: CLIPBOARD }, { selection: PRIMARY }]);
    expect(first.host.violations).toEqual([]);
    const second = await viewerThere();
    await quiet();
    expect(names(second)).toEqual([]);
  });

  test("what the viewer had copied for another session is not offered to the next, whose own copy is told", async () => {
    const ours = await login.agent("1");
    const other = await login.agent("3");
    const first = await viewerThere();
    first.clipboard.copies();
    await ours.agent.next("clipboard-grab");
    other.agent.copies(CLIPBOARD);
    await quiet();
    await login.logind.activate("3");
    const second = await viewerThere();
    expect(await second.clipboard.grabbed()).toBe(CLIPBOARD);
    await quiet();
    expect(kinds(other.agent)).toEqual([]);
  });

  test("what a session had copied before the viewer copied is not told when it comes back", async () => {
    const { agent } = await login.agent("1");
    const first = await viewerThere();
    agent.copies(CLIPBOARD);
    await first.clipboard.grabbed();
    first.clipboard.copies();
    await agent.next("clipboard-grab");
    await login.logind.activate(undefined);
    // The viewer's is no more to be had either.
    await agent.next("clipboard-release");
    await login.logind.activate("1");
    const second = await viewerThere();
    await quiet();
    expect(names(second)).toEqual([]);
    await works(second, agent);
  });

  test.runIf(isRoot)("another user's is: theirs is served, ours is not, and each sees its own in status", async () => {
    const ours = await login.agent("1");
    const other = await login.agent("2", OTHER);
    const first = await viewerThere();
    await works(first, ours.agent);
    await login.logind.activate("2");
    await within("the port to be closed", first.host.closed, SOON_MS);
    const second = await viewerThere();
    await works(second, other.agent);
    ours.agent.copies(CLIPBOARD);
    ours.agent.pastes(CLIPBOARD);
    expect(await ours.agent.next("content-answer")).toMatchObject({ type: NONE });
    expect(names(second)).toEqual([]);
  });
});

describe("nobody is before the screen", () => {
  test("row 86: a greeter gets the layout, and neither clipboard nor files", async () => {
    await login.logind.addSession("c1", { uid: ME, class: "greeter" });
    await login.logind.activate("c1");
    const { agent } = await login.agent("c1");
    const viewer = await viewerThere();
    await agent.next("file-transfer-disabled");
    viewer.host.send({ name: "MONITORS_CONFIG", value: monitors });
    expect((await agent.next("monitors-config")).config.monitors).toEqual(monitors.monitors);
    expect((await viewer.host.next("REPLY")).value.error).toBe(ReplyError.SUCCESS);
    agent.copies(CLIPBOARD);
    viewer.clipboard.copies(PRIMARY);
    viewer.clipboard.asks(CLIPBOARD);
    expect((await viewer.clipboard.answer()).type).toBe(NONE);
    agent.pastes(PRIMARY);
    expect(await agent.next("content-answer")).toMatchObject({ type: NONE });
    const start = { id: 7, name: "file", size: 1n };
    viewer.host.send({ name: "FILE_XFER_START", value: start } as never);
    expect((await viewer.host.next("FILE_XFER_STATUS")).value.result).toBe(FileXferStatus.DISABLED);
    await quiet();
    expect(names(viewer)).toEqual([]);
    expect(agent.messages.map(({ kind }) => kind)).not.toContain("clipboard-grab");
  });

  test.each([
    ["the signals", (isLocked: boolean) => login.logind.sessionSignal("1", isLocked ? "Lock" : "Unlock")],
    ["LockedHint", (isLocked: boolean) => login.logind.setLockedHint("1", isLocked)],
  ])("locked by %s: what is copied on either side waits, and is delivered when it is opened", async (_, lock) => {
    const { agent } = await login.agent("1");
    const viewer = await viewerThere();
    await works(viewer, agent);
    await lock(true);
    await login.daemon.untilLogged(/session: shut/);
    agent.copies(CLIPBOARD);
    viewer.clipboard.copies(PRIMARY);
    viewer.clipboard.asks(CLIPBOARD);
    expect((await viewer.clipboard.answer()).type).toBe(NONE);
    agent.pastes(PRIMARY);
    expect(await agent.next("content-answer")).toMatchObject({ type: NONE });
    viewer.host.send({ name: "FILE_XFER_START", value: { id: 7, name: "file", size: 1n } });
    expect((await viewer.host.next("FILE_XFER_STATUS")).value.result).toBe(FileXferStatus.SESSION_LOCKED);
    await quiet();
    expect(names(viewer)).toEqual([]);
    expect(kinds(agent)).not.toContain("clipboard-grab");
    await lock(false);
    expect(await viewer.clipboard.grabbed()).toBe(CLIPBOARD);
    expect(await agent.next("clipboard-grab")).toMatchObject({ selection: PRIMARY });
    await works(viewer, agent);
  });

  test("locked while it is asked: the viewer is told no, and nothing of the answer leaves", async () => {
    const { agent } = await login.agent("1");
    const viewer = await viewerThere();
    agent.copies(CLIPBOARD);
    await viewer.clipboard.grabbed();
    viewer.clipboard.asks();
    const asked = await agent.next("content-request");
    await login.logind.sessionSignal("1", "Lock");
    expect((await viewer.clipboard.answer()).type).toBe(NONE);
    await agent.answer(asked, Buffer.from("secret")).catch(() => {});
    await quiet();
    expect(names(viewer)).toEqual([]);
  });
});

describe("trouble with logind", () => {
  test("the bus is killed: the agent stays; a new one is refused, and is in within 5 s of the bus", async () => {
    const { agent } = await login.agent("1");
    const viewer = await viewerThere();
    await bus.kill();
    await login.daemon.untilLogged(/logind: not available/);
    await works(viewer, agent);
    // A real one, for it is its own patience that gets it in; without a desktop, which it does not need for that.
    const late = login.keep(await startAgent(["session", "--socket", login.socket, "--display", ":65000"]));
    await late.untilLogged(/does not want us: trying again/);
    await login.daemon.untilLogged(
      new RegExp(`process ${late.pid} of user ${ME}: whose session it is cannot be told: bus`),
    );
    expect((await login.status()).logind).toBe("unavailable");
    // So long that whoever waits longer and longer has come to do so.
    await sleep(3000);
    await bus.restart();
    const backMs = monotonicMs();
    await login.logind.connect(bus.address);
    await login.logind.setProcess(late.pid, "3");
    await login.daemon.untilLogged(/agent of session 3 connected/);
    expect(monotonicMs() - backMs).toBeLessThan(BACK_MS);
    expect((await login.status()).sessions).toHaveLength(2);
    expect(port.openings).toBe(1);
    await works(viewer, agent);
    await login.logind.activate(undefined);
    await within("the port to be closed", viewer.host.closed, SOON_MS);
  });

  test("logind is started anew: the agent stays, and what has changed meanwhile is seen", async () => {
    const { agent } = await login.agent("1");
    const viewer = await viewerThere();
    await login.logind.own(false);
    await login.daemon.untilLogged(/logind: not available/);
    await works(viewer, agent);
    await login.logind.sessionSignal("1", "Lock");
    await login.logind.setLockedHint("1", true);
    expect(port.openings).toBe(1);
    await login.logind.own(true);
    await login.daemon.untilLogged(/session: shut/);
    viewer.clipboard.asks();
    expect((await viewer.clipboard.answer()).type).toBe(NONE);
    await login.logind.setLockedHint("1", false);
    await login.daemon.untilLogged(/session: open/);
    await works(viewer, agent);
  });

  test("logind hangs: a new agent is refused after 2 s, the other works on", async () => {
    const { agent } = await login.agent("1");
    const viewer = await viewerThere();
    await login.logind.hang(true);
    const knocker = await login.knocker("3");
    const late = knocker.play();
    const sinceMs = monotonicMs();
    await works(viewer, agent);
    await within("it to be refused", late.closed, 20_000);
    expect(monotonicMs() - sinceMs).toBeGreaterThan(1500);
    await login.daemon.untilLogged(new RegExp(`process ${knocker.pid} of user ${ME} refused`));
    await works(viewer, agent);
    await login.logind.hang(false);
    await login.agent("3");
  });
});

test("the machine has slept: the port is opened anew, and what was copied is offered again", async () => {
  const { agent } = await login.agent("1");
  const first = await viewerThere();
  agent.copies(CLIPBOARD);
  await first.clipboard.grabbed();
  await login.logind.prepareForSleep(true);
  await quiet();
  expect(port.openings).toBe(1);
  await login.logind.prepareForSleep(false);
  await within("the port to be closed", first.host.closed, SOON_MS);
  const host = await port.opened();
  await quiet();
  // Not before the viewer has announced itself: until then it counts its serials from somewhere else.
  expect(host.messages).toEqual([]);
  await host.connectViewer();
  const second = { host, clipboard: new ViewerClipboard(host) };
  expect(await second.clipboard.grabbed()).toBe(CLIPBOARD);
  await works(second, agent);
});

test.runIf(isRoot)("status: one's own sessions and faults in full, others' sessions as a count", async () => {
  const ours = await login.agent("1");
  const other = await login.agent("2", OTHER);
  const stranger = (await login.knocker(undefined, OTHER)).play();
  await within("a fault", stranger.closed, SOON_MS);
  const asRoot = await login.status();
  expect(asRoot.sessions.map(({ id, pid }) => [id, pid])).toEqual([
    ["1", ours.pid],
    ["2", other.pid],
  ]);
  expect(asRoot.otherSessions).toBe(0);
  expect(asRoot.errors).toEqual([expect.objectContaining({ text: expect.stringContaining("refused") })]);
  const asOther = await login.status(OTHER);
  expect(asOther).toMatchObject({
    otherSessions: 1,
    errors: asRoot.errors,
    logind: "watched",
    screen: { id: "1", hasAgent: true },
  });
  expect(asOther.sessions).toEqual([
    expect.objectContaining({ id: "2", uid: OTHER, pid: other.pid, active: false, link: "extended" }),
  ]);
  expect([asRoot.sharedFolder?.user, asOther.sharedFolder?.user]).toEqual([ME, null]);
  await login.logind.activate("2");
  await until("it on the screen", async () => (await login.status(OTHER)).sessions[0]?.active === true, SOON_MS);
  expect((await login.status(OTHER)).sharedFolder?.user).toBe(OTHER);
  expect(await login.status(OTHER + 1)).toMatchObject({ sessions: [], errors: [] });
});

test("row 16: the daemon ends at once on SIGTERM, with agents and people connected, and its sockets are gone", async () => {
  const { agent } = await login.agent("1");
  const viewer = await viewerThere();
  await using person = await startProcess(process.execPath, [program, "status", "--watch", "--control", login.control]);
  await until("status to be told", () => person.output.includes("session"), SOON_MS);
  const sinceMs = monotonicMs();
  login.daemon.process.signal("SIGTERM");
  expect(await login.daemon.process.ended).toEqual({ code: 0, signal: null });
  expect(monotonicMs() - sinceMs).toBeLessThan(1000);
  await within("the agent to see it", Promise.all([agent.closed, viewer.host.closed, person.ended]), SOON_MS);
  expect([existsSync(login.socket), existsSync(login.control)]).toEqual([false, false]);
});

test("row 88: both sockets may be systemd's: they are used, and stay when the daemon ends", async () => {
  using dir = makeTempDir("activated");
  await using own = await hostSocket();
  const command = [process.execPath, program, "daemon", "--no-logind", "--uinput", "none", "--port", own.path];
  const [session, control] = [dir.join("s"), dir.join("c")];
  await using daemon = await startProcess(PYTHON, ["-c", ACTIVATE, session, control, ...command], {
    env: { HOME: dir.path },
  });
  await until("systemd to listen", () => existsSync(control), SOON_MS);
  const socket = connect({ path: session });
  const agent = new FakeSession(socket);
  const host = await own.opened();
  await host.connectViewer();
  await works({ host, clipboard: new ViewerClipboard(host) }, agent);
  await using asked = await startProcess(process.execPath, [program, "status", "--json", "--control", control]);
  expect(await asked.ended).toEqual({ code: 0, signal: null });
  expect(JSON.parse(asked.output)).toMatchObject({ pid: daemon.pid, port: { state: "open" } });
  daemon.signal("SIGTERM");
  expect(await daemon.ended).toEqual({ code: 0, signal: null });
  await within("the connection to end", agent.closed, SOON_MS);
  expect([existsSync(session), existsSync(control)]).toEqual([true, true]);
});

test("what systemctl status shows of it: the viewer, and the session on the screen", async () => {
  using dir = makeTempDir("state");
  await using system = await notifySocket(dir.join("notify"));
  await using own = await hostSocket();
  await login.logind.setProcess(process.pid, "1");
  const sockets = ["--socket", dir.join("session"), "--control", dir.join("control")];
  await using _ = await startAgent(["daemon", "--port", own.path, "--uinput", "none", ...sockets], {
    env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address, NOTIFY_SOCKET: dir.join("notify") },
  });
  const states = (): readonly string[] => system.received.filter((text) => text.startsWith("STATUS="));
  const here = "STATUS=no viewer, session 1 is on the screen";
  await until("the session to be told", () => states().at(-1) === here, SOON_MS);
  const socket = connect({ path: dir.join("session") });
  const agent = new FakeSession(socket);
  const host = await own.opened();
  await host.connectViewer();
  const viewed = "STATUS=a viewer is connected, session 1 is on the screen";
  await until("the viewer to be told", () => states().at(-1) === viewed, SOON_MS);
  host.close();
  await until("it to be told that it is gone", () => states().at(-1) === here, SOON_MS);
  socket.destroy();
  await agent.closed;
});
