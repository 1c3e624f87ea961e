// What a person would otherwise have to mend: each part is killed or stopped, and all of it is back by itself.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { monotonicMs, sleep, until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import { loginSessions } from "./login-sessions.ts";
import {
  copyBothWays,
  copyIn,
  daemonPid,
  fromViewer,
  md5,
  pasteIn,
  readStatus,
  reconnect,
  startViewedGuest,
  targetsIn,
  type ViewedGuest,
  viewerCopies,
  waitForAgent,
} from "./product.ts";
import { type Point, pointerPosition } from "./watch.ts";

const TEXT = ClipboardType.UTF8_TEXT;
/** The promise: function is back this soon. */
const BACK_MS = 5000;
const TIMES = 5;

/**
 * Kills, runs what a person or a display manager would run, and asks until everything is there again. Milliseconds by the
 * guest's own clock, counted from the fault: `answers` is when X server or bus take connections again, `back` when all of
 * the agent works.
 */
const FAULT = `
import json, os, signal, socket, subprocess, sys, time

fault = json.loads(sys.argv[1])


def talk(path, words, size):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(words)
        answer = b""
        while not answer.endswith(b"\\n") and len(answer) < size:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        return answer


def answers():
    if "display" in fault:
        return talk("/tmp/.X11-unix/X%d" % fault["display"], b"l\\0\\x0b\\0" + bytes(8), 1) != b""
    if "bus" in fault:
        return talk(fault["bus"], b"\\0AUTH EXTERNAL 30\\r\\n", 3).startswith(b"OK ")
    return True


def works():
    status = json.loads(talk("/run/tsvdagent/control.sock", b'{"command":"status"}\\n', 1 << 20))
    if status["pid"] in fault["kill"] or status["logind"] != "watched" or status["screen"] is None:
        return False
    session = next((one for one in status["sessions"] if one["active"]), None)
    if session is None or session["pid"] in fault["kill"] or session["id"] in (None, fault.get("notSession")):
        return False
    drivers = {one["feature"]: one["driver"] for one in session["features"] if one["fault"] == ""}
    return (
        session["id"] == status["screen"]["id"]
        and drivers.get("display") == "randr"
        and drivers.get("clipboard") == "x11"
        and status["port"]["state"] == "open"
        and status["viewer"]["connected"]
        and status["pointer"]["state"] == "working"
    )


start = time.monotonic()
for pid in fault["kill"]:
    os.kill(pid, signal.SIGKILL)
if "run" in fault:
    subprocess.Popen(fault["run"])
seen = {}
while "back" not in seen and time.monotonic() - start < 90:
    try:
        if "answers" not in seen and answers():
            seen["answers"] = round(1000 * (time.monotonic() - start))
        if "answers" in seen and works():
            seen["back"] = round(1000 * (time.monotonic() - start))
    except (OSError, ValueError):
        pass
    # Each question takes its part of the two emulated processors from what is starting.
    time.sleep(0.2)
print(json.dumps(seen))
`;

/** So many programs at once before the X server that one of them gets any descriptor that is free; how many are not answered. */
const CROWD = `
import select, socket, sys, time

crowd = [socket.socket(socket.AF_UNIX) for _ in range(16)]
for one in crowd:
    one.connect("/tmp/.X11-unix/X" + sys.argv[1])
# Until the server has let them all in.
time.sleep(1)
for one in crowd:
    one.sendall(b"l\\0\\x0b\\0" + bytes(8))
waiting, end = crowd, time.monotonic() + 3
while waiting and time.monotonic() < end:
    answered = select.select(waiting, [], [], 0.5)[0]
    waiting = [one for one in waiting if one not in answered]
print(len(waiting))
`;

interface Fault {
  /** Process ids. */
  readonly kill: readonly number[];
  readonly run?: readonly string[];
  /** Number of the display whose server is to answer first. */
  readonly display?: number;
  /** Path of the bus that is to answer first. */
  readonly bus?: string;
  /** It is not this session that is waited for. */
  readonly notSession?: string;
}

let viewed: ViewedGuest;
let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;
/** What an empty Node takes from start to end here, which the emulation makes long. */
let nodeMs = 0;

beforeAll(async () => {
  // As in pointer.test.ts: with a second card that cannot be told sizes, they reach the agent.
  viewed = await startViewedGuest({ graphics: "virtio-gpu", extraArgs: ["-device", "bochs-display"] });
  ({ guest, desktop, viewer } = viewed);
  await works("before");
  const times = [];
  for (let i = 0; i < 5; i++) times.push(await guestMs(["node", "-e", "0"]));
  nodeMs = times.sort((a, b) => a - b)[2] ?? 0;
  console.log(`an empty Node in this guest: ${nodeMs} ms`);
});

afterAll(async () => {
  await viewed?.[Symbol.asyncDispose]();
});

/** How long a program runs, by the guest's own clock. */
async function guestMs(argv: readonly string[]): Promise<number> {
  const script =
    "import subprocess, sys, time; t = time.monotonic(); subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); print(round(1000 * (time.monotonic() - t)))";
  return Number(await guest.output(["python3", "-c", script, ...argv]));
}

/** Lets it happen; how long it took until the agent says that all of it works. Fails if it never does. */
async function happens(fault: Fault): Promise<{ readonly answers: number; readonly back: number }> {
  const said = await guest.output(["python3", "-c", FAULT, JSON.stringify(fault)], { timeoutMs: 120_000 });
  const { answers, back } = JSON.parse(said) as { answers?: number; back?: number };
  if (answers === undefined || back === undefined) {
    throw new Error(`not back: ${said}: ${JSON.stringify(await readStatus(guest).catch(String), null, 1)}`);
  }
  return { answers, back };
}

async function sessionPid(): Promise<number> {
  return (await readStatus(guest)).sessions.find(({ active }) => active)?.pid ?? 0;
}

let places = 0;

/** Everything, at the first try: copied both ways, the pointer where the viewer's is, the screen of the viewer's size. */
async function works(mark: string): Promise<void> {
  await viewer.waitForAgent(5000);
  await copyBothWays(viewer, desktop, mark);
  places += 1;
  const [width, height] = places % 2 === 0 ? [1024, 768] : [1003, 701];
  const { sentMs } = await viewer.setDisplays([{ width, height }]);
  await viewer.waitForMonitors([{ width, height }], { sinceMs: sentMs, timeoutMs: 20_000 });
  const at = { x: 100 + 37 * (places % 20), y: 50 + 29 * (places % 20) };
  await untilPointer(at, true);
}

/** `moves`: puts the viewer's pointer there, again and again: what comes before X has opened a new device is lost. */
async function untilPointer(wanted: Point, moves = false): Promise<void> {
  const arrived = async (): Promise<boolean> => {
    if (moves) {
      await viewer.position(wanted.x + 1, wanted.y);
      await viewer.position(wanted.x, wanted.y);
    }
    const { x, y } = await pointerPosition(desktop);
    return x === wanted.x && y === wanted.y;
  };
  await until(`the pointer to be at ${wanted.x},${wanted.y}`, arrived, 10_000, 100);
}

async function untilPasted(text: string): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await targetsIn(desktop)).includes("UTF8_STRING") && (await pasteIn(desktop))?.md5 === md5(text);
  await until(`"${text}" in the desktop`, isThere, 10_000, 100);
}

function tell(what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const text = `${what}: back after ${times.join(", ")} ms; median ${sorted[Math.floor(sorted.length / 2)]} ms`;
  console.log(`${text}, ${(Math.max(...times) / nodeMs).toFixed(1)} times an empty Node at most`);
}

/** Stops a process; `over` is when it goes on, 30 s of the guest's after it was stopped. */
async function stop(pid: string): Promise<AsyncDisposable & { over(): Promise<void> }> {
  const script =
    "import os, signal, sys, time\nos.kill(int(sys.argv[1]), signal.SIGSTOP)\ntime.sleep(30)\nos.kill(int(sys.argv[1]), signal.SIGCONT)";
  const stopped = guest.output(["python3", "-c", script, pid], { timeoutMs: 60_000 });
  stopped.catch(() => {});
  const isStopped = async () => (await guest.output(["ps", "-o", "state=", "-p", pid])).startsWith("T");
  await until(`process ${pid} to be stopped`, isStopped, 10_000, 50);
  return {
    over: async () => void (await stopped),
    [Symbol.asyncDispose]: async () => void (await guest.run(["kill", "-CONT", pid])),
  };
}

async function resources(pid: number): Promise<{ readonly descriptors: number; readonly privateKb: number }> {
  // V8 gives back what it does not need when nobody has wanted anything for some seconds.
  await sleep(40_000);
  const files = await guest.output(["ls", `/proc/${pid}/fd`]);
  const memory = await guest.output(["cat", `/proc/${pid}/smaps_rollup`]);
  const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(memory)?.[1]);
  return { descriptors: files.trim().split("\n").length, privateKb: kb("Private_Clean") + kb("Private_Dirty") };
}

describe("killed five times in a row", () => {
  test.each([
    ["the daemon", async () => [await daemonPid(guest)]],
    ["the session", async () => [await sessionPid()]],
    ["both", async () => [await daemonPid(guest), await sessionPid()]],
  ] as const)("%s: all of it is back within 5 s each time", async (what, pids) => {
    const times = [];
    for (let n = 1; n <= TIMES; n++) {
      const { back } = await happens({ kill: await pids() });
      times.push(back);
      await works(`${what} ${n}`);
    }
    tell(`${what} killed`, times);
    expect(Math.max(...times)).toBeLessThan(BACK_MS);
  });
});

test("the X server is killed, and its desktop starts again: within 5 s of its answering", async () => {
  const times = [];
  for (let n = 1; n <= 3; n++) {
    const server = Number(await guest.output(["pgrep", "-x", "Xorg"]));
    const before = desktop.sessionId;
    const unit = `desktop@${desktop.terminal}.service`;
    const fault = {
      kill: [server],
      run: ["systemctl", "restart", unit],
      display: desktop.terminal,
      notSession: before,
    };
    const { answers, back } = await happens(fault);
    times.push(back - answers);
    console.log(`X server killed: answers again after ${answers} ms`);
    const isGone = async () => (await loginSessions(guest)).every(({ id }) => id !== before);
    await until(`session ${before} to be gone`, isGone, 60_000, 500);
    desktop = await Desktop.start(guest);
    await works(`X server ${n}`);
  }
  tell("X server answers", times);
  expect(Math.max(...times)).toBeLessThan(BACK_MS);
});

describe("stopped for 30 s and continued", () => {
  test.each([
    ["the session", sessionPid],
    ["the daemon", () => daemonPid(guest)],
  ] as const)(
    "%s: what was said meanwhile is not lost",
    async (what, pidOf) => {
      const pids = [await daemonPid(guest), await sessionPid()];
      const pid = String(await pidOf());
      await fromViewer(viewer, desktop, `${what}: copied before`);

      // The viewer copies, moves, and changes its size.
      await using stopped = await stop(pid);
      const size = { width: 1111, height: 707 };
      await viewerCopies(viewer, `${what}: copied by the viewer meanwhile`);
      await viewer.setDisplays([size]);
      await viewer.position(611, 433);
      await stopped.over();
      await untilPasted(`${what}: copied by the viewer meanwhile`);
      await viewer.waitForMonitors([size], { timeoutMs: 20_000 });
      await untilPointer({ x: 611, y: 433 });

      // An application copies.
      await using again = await stop(pid);
      const sinceMs = monotonicMs();
      await using _copied = await copyIn(desktop, `${what}: copied in the guest meanwhile`);
      await again.over();
      await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs, timeoutMs: 10_000 });
      expect((await viewer.request(0, TEXT)).md5).toBe(md5(`${what}: copied in the guest meanwhile`));

      await works(`${what} goes on`);
      expect([await daemonPid(guest), await sessionPid()]).toEqual(pids);
    },
    300_000,
  );
});

test("a viewer that never answers a paste: the application is refused within 5 s", async () => {
  await viewer.provide(0, TEXT, { mode: "never" });
  await viewer.grab(0, [TEXT]);
  await until("the offer", async () => (await targetsIn(desktop)).includes("UTF8_STRING"), 10_000, 100);
  const times = [];
  for (let n = 1; n <= 3; n++) {
    const paste = `import subprocess, time; t = time.monotonic()
code = subprocess.run(["xclip", "-o", "-selection", "clipboard", "-t", "UTF8_STRING"], stdout=subprocess.DEVNULL).returncode
print(code, round(1000 * (time.monotonic() - t)))`;
    const [code, ms] = (await desktop.output(["python3", "-c", paste])).trim().split(" ").map(Number);
    expect(code).not.toBe(0);
    times.push(ms ?? 0);
  }
  console.log(`a paste that nobody answers: refused after ${times.join(", ")} ms`);
  expect(Math.max(...times)).toBeLessThan(BACK_MS);
  await works("answers again");
});

test("100 viewers come and go: no more memory, no more descriptors, and it works", async () => {
  const pids = [await daemonPid(guest), await sessionPid()];
  const visit = async (): Promise<void> => {
    await viewer.disconnect();
    await reconnect(guest, viewer);
  };
  const first = (await readStatus(guest)).viewer.number;
  for (let n = 1; n <= 10; n++) await visit();
  const before = await Promise.all(pids.map(resources));
  for (let n = 1; n <= 90; n++) await visit();
  const after = await Promise.all(pids.map(resources));
  console.log(`after 10 viewers ${JSON.stringify(before)}, after 100 ${JSON.stringify(after)}`);
  expect((await readStatus(guest)).viewer).toEqual({ connected: true, number: first + 100 });
  for (const [index, { descriptors, privateKb }] of after.entries()) {
    expect(descriptors).toBe(before[index]?.descriptors);
    expect(privateKb - (before[index]?.privateKb ?? 0)).toBeLessThan(3 * 1024);
  }
  await works("the hundredth viewer");
  expect([await daemonPid(guest), await sessionPid()]).toEqual(pids);
}, 900_000);

describe("the system bus is killed: within 5 s of its answering", () => {
  const killBus = async (): Promise<number> => {
    const bus = Number(await guest.output(["systemctl", "show", "-P", "MainPID", "dbus.service"]));
    const { answers, back } = await happens({ kill: [bus], bus: "/run/dbus/system_bus_socket" });
    // A program that connects to the X server now may never be answered, whoever it is: the one that gets the descriptor of
    // the lost bus, which the server believes to be watching already (strace: EPOLL_CTL_MOD, ENOENT). It keeps it for good.
    const unanswered = (await desktop.output(["python3", "-c", CROWD, String(desktop.terminal)])).trim();
    console.log(
      `system bus killed: answers again after ${answers} ms; the X server does not answer ${unanswered} of 16`,
    );
    return back - answers;
  };

  test("all of it is back, three times, where the X server holds its devices itself", async () => {
    await desktop.stop();
    desktop = await Desktop.start(guest, { devicesFrom: "root" });
    await waitForAgent(guest, desktop);
    await works("before the bus");
    const pids = [await daemonPid(guest), await sessionPid()];
    const times = [];
    for (let n = 1; n <= 3; n++) {
      times.push(await killBus());
      await works(`bus ${n}`);
    }
    tell("the bus answers", times);
    expect(Math.max(...times)).toBeLessThan(BACK_MS);
    expect([await daemonPid(guest), await sessionPid()]).toEqual(pids);
    // Whose session a new agent is of, it is logind that knows.
    await happens({ kill: [await sessionPid()] });
    await works("after the bus");
  });

  // What logind gave the X server is lost with the bus, whatever an agent does: logind ends with the bus, starts again and
  // knows of no server that it gave anything to; Xorg's log tells of the pointers and keyboards it loses, and it may set no
  // mode any more ("Configure crtc 0 failed"). A new session is what helps. Until then what needs no device works.
  test("text is copied both ways where logind gave the X server its devices, which are gone with the bus", async () => {
    await desktop.stop();
    desktop = await Desktop.start(guest);
    await waitForAgent(guest, desktop);
    await works("before the bus, with logind");
    const pids = [await daemonPid(guest), await sessionPid()];
    expect(await killBus()).toBeLessThan(BACK_MS);
    await copyBothWays(viewer, desktop, "after the bus, with logind");
    expect([await daemonPid(guest), await sessionPid()]).toEqual(pids);
    const log = await guest.output(["cat", `/home/guest/.local/share/xorg/Xorg.${desktop.terminal}.log`]);
    expect(log).toMatch(/spice vdagent tablet: device removed\n(?!.*spice vdagent tablet.*\n)/);
    const { stderr } = await desktop.run(["xrandr", "--output", "Virtual-1", "--mode", "800x600"]);
    expect(stderr).toContain("Configure crtc 0 failed");
  });
});

test("after all of this systemd has not given up, and nothing waits in vain", async () => {
  expect((await guest.run(["systemctl", "is-active", "tsvdagentd.service"])).stdout).toBe("active\n");
  expect((await desktop.run(["systemctl", "--user", "is-active", "tsvdagent.service"])).stdout).toBe("active\n");
  const restarts = Number(await guest.output(["systemctl", "show", "-P", "NRestarts", "tsvdagentd.service"]));
  expect(restarts).toBeGreaterThanOrEqual(2 * TIMES);
});
