// Whose desktop it is: two users, two ways to begin a session, and those who are not let in.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { sleep, until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import {
  connectViewer,
  copyBothWays,
  copyIn,
  daemonLog,
  daemonPid,
  fromViewer,
  installProduct,
  pasteIn,
  readStatus,
  targetsIn,
  toViewer,
  viewerCopies,
  waitForAgent,
  waitForStatus,
} from "./product.ts";

/**
 * Opens so many connections at once, again and again, says as many bytes on each, and waits until each is hung up. Prints
 * how many were, how many bytes came in on all of them, and how long the slowest was open.
 */
const KNOCK = `
import json, os, socket, sys, time
path, rounds, size, said = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
closed = heard = 0
slowest = 0.0
for _ in range(rounds):
    opened = []
    for _ in range(size):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(path)
        opened.append((s, time.monotonic()))
        try: s.sendall(bytes(said))
        except OSError: pass
    for s, since in opened:
        try:
            while piece := s.recv(65536): heard += len(piece)
            closed += 1
        except (ConnectionResetError, BrokenPipeError): closed += 1
        except TimeoutError: pass
        slowest = max(slowest, time.monotonic() - since)
        s.close()
print(json.dumps({"pid": os.getpid(), "closed": closed, "heard": heard, "slowestMs": round(1000 * slowest)}))
`;

interface Knocked {
  readonly pid: number;
  readonly closed: number;
  readonly heard: number;
  readonly slowestMs: number;
}

let guest: Guest;
let viewer: SpiceClient;

beforeAll(async () => {
  guest = await startGuest();
  await guest.waitForBoot();
  await installProduct(guest);
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
});

const knock = ({ rounds = 1, size = 1, said = 0 } = {}): readonly string[] => [
  ...["python3", "-c", KNOCK, "/run/tsvdagent/session.sock"],
  ...[rounds, size, said].map(String),
];

async function knocked(answer: Promise<string>): Promise<Knocked> {
  return JSON.parse(await answer) as Knocked;
}

test("startx with a bare window manager, and no target at all: it has an agent", async () => {
  await using console = await Desktop.start(guest, { kind: "startx" });
  await waitForAgent(guest, console);
  const target = await console.run(["systemctl", "--user", "is-active", "graphical-session.target"]);
  expect(target.stdout).toBe("inactive\n");
  viewer = await connectViewer(guest);
  await copyBothWays(viewer, console, "startx");
});

test("the session after it has one too, though its agent is the same process", async () => {
  await using desktop = await Desktop.start(guest);
  await waitForAgent(guest, desktop);
  await viewer.waitForAgent(10_000);
  await copyBothWays(viewer, desktop, "after startx");
  await desktop.stop();
  await waitForStatus(guest, "no session is on the screen", ({ port }) => port.state === "closed");
  await viewer.waitForNoAgent();
});

describe("row 85: two users, of whom one is on the screen", () => {
  let first: Desktop;
  let second: Desktop;

  beforeAll(async () => {
    first = await Desktop.start(guest);
    await waitForAgent(guest, first);
    await viewer.waitForAgent(20_000);
  });

  afterAll(async () => {
    await first?.stop();
  });

  test("the second takes the screen, and with it the viewer; the first one's clipboard stays its own", async () => {
    await fromViewer(viewer, first, "the viewer's, for the first");
    await using _copied = await copyIn(first, "of the first user");
    second = await Desktop.start(guest, { user: "other" });
    await waitForAgent(guest, second);
    await viewer.waitForAgent(20_000);
    // What was copied for the first is not on offer at the second.
    expect(await pasteIn(second)).toBeUndefined();
    await copyBothWays(viewer, second, "second");
    const grabs = viewer.events.all("clipboard-grab").length;
    await using _again = await copyIn(first, "of the first user, not on the screen");
    await viewerCopies(viewer, "for whoever is on the screen");
    await until("the viewer's offer", async () => (await targetsIn(second)).includes("UTF8_STRING"), 10_000, 100);
    expect(viewer.events.all("clipboard-grab").length).toBe(grabs);
    expect(await _again.owns()).toBe(true);
  });

  test("an agent that is not on the screen is told nothing and asked nothing", async () => {
    const { sessions } = await readStatus(guest);
    expect(sessions.map(({ uid, active }) => ({ uid, active }))).toEqual(
      expect.arrayContaining([
        { uid: 1000, active: false },
        { uid: 1001, active: true },
      ]),
    );
    // A second agent in that session is refused as it would be on the screen.
    const { pid, ...rest } = await knocked(first.output(knock()));
    expect(rest).toMatchObject({ closed: 1, heard: 0 });
    expect(await daemonLog(guest)).toContain(`process ${pid} of user 1000 refused: session ${first.sessionId} has an`);
  });

  test("back to the first: it has the viewer again", async () => {
    await first.activate();
    await waitForAgent(guest, first);
    await viewer.waitForAgent(20_000);
    await copyBothWays(viewer, first, "back");
    await second.activate();
    await second.stop();
    await first.activate();
    await waitForAgent(guest, first);
  });

  test("locked: nothing is copied in or out until it is open again", async () => {
    await guest.output(["loginctl", "lock-session", first.sessionId]);
    // The lock screens set this hint; there is none here.
    await first.output([
      ...["busctl", "call", "org.freedesktop.login1", "/org/freedesktop/login1/session/auto"],
      ...["org.freedesktop.login1.Session", "SetLockedHint", "b", "true"],
    ]);
    await waitForStatus(guest, "the session is shut", ({ sessions }) => sessions.some(({ shut }) => shut));
    const grabs = viewer.events.all("clipboard-grab").length;
    await using _copied = await copyIn(first, "secret while locked");
    await viewerCopies(viewer, "from the viewer while locked");
    await sleep(2000);
    expect(viewer.events.all("clipboard-grab").length).toBe(grabs);
    expect(await _copied.owns()).toBe(true);
    await first.output([
      ...["busctl", "call", "org.freedesktop.login1", "/org/freedesktop/login1/session/auto"],
      ...["org.freedesktop.login1.Session", "SetLockedHint", "b", "false"],
    ]);
    await waitForStatus(guest, "the session is open", ({ sessions }) => sessions.every(({ shut }) => !shut));
    await toViewer(viewer, first, "open again");
    await fromViewer(viewer, first, "open again, the other way");
  });
});

describe("row 84: refused, with a line in the log, and the one on the screen does not notice", () => {
  let desktop: Desktop;
  let pids: readonly number[];

  const agents = async (): Promise<readonly number[]> => {
    const { sessions } = await readStatus(guest);
    return [await daemonPid(guest), ...sessions.filter(({ active }) => active).map(({ pid }) => pid)];
  };

  beforeAll(async () => {
    desktop = await Desktop.start(guest);
    await waitForAgent(guest, desktop);
    await viewer.waitForAgent(20_000);
    pids = await agents();
  });

  afterAll(async () => {
    await desktop?.stop();
  });

  async function unharmed(mark: string): Promise<void> {
    await copyBothWays(viewer, desktop, mark);
    expect(await agents()).toEqual(pids);
  }

  test("another user's process", async () => {
    const { pid, ...rest } = await knocked(guest.output(knock(), { user: "other" }));
    expect(rest).toMatchObject({ closed: 1, heard: 0 });
    expect(await daemonLog(guest)).toContain(`process ${pid} of user 1001 refused: it belongs to no session`);
    await unharmed("another user");
  });

  test("a process of the same user that is in no session of theirs speaks for none but the session on the screen", async () => {
    const { pid, ...rest } = await knocked(guest.output(knock(), { user: "guest" }));
    expect(rest).toMatchObject({ closed: 1, heard: 0 });
    expect(await daemonLog(guest)).toMatch(new RegExp(`process ${pid} of user 1000 refused: `));
    await unharmed("no session");
  });

  test("a second agent of the session: a stranger, and our own program", async () => {
    const { pid, ...rest } = await knocked(desktop.output(knock()));
    expect(rest).toMatchObject({ closed: 1, heard: 0 });
    expect(await daemonLog(guest)).toContain(
      `process ${pid} of user 1000 refused: session ${desktop.sessionId} has an agent already, process ${pids[1]}`,
    );
    // By hand, it knows the display only, and so does not meet the lock of the one that serves the session.
    const second = await desktop.start(["tsvdagent", "session", "--display", desktop.display]);
    const says = async (): Promise<boolean> => /does not want us/.test(await second.output());
    await until("the second to be refused", says, 30_000, 500).finally(() => second.kill());
    await unharmed("a second agent");
  });

  test("a flood of connections, by another user and by the same one, with bytes on each", async () => {
    const floods = Promise.all([
      knocked(guest.output(knock({ rounds: 20, size: 40, said: 4000 }), { user: "other", timeoutMs: 150_000 })),
      knocked(desktop.output(knock({ rounds: 20, size: 40, said: 4000 }), { timeoutMs: 150_000 })),
    ]);
    await unharmed("during the flood");
    const results = await floods;
    console.log(`a flood of 2 × 800 connections: ${JSON.stringify(results)}`);
    for (const { closed, heard } of results) expect({ closed, heard }).toEqual({ closed: 800, heard: 0 });
    expect(await daemonLog(guest)).toMatch(/of user 1001 refused: more than 16 connections of user 1001/);
    await unharmed("after the flood");
  });
});
