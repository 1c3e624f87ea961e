// Sessions from a logind on a real message bus, which both go away and come back.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MessageBus } from "../../src/support/bus/message-bus.ts";
import { systemClock } from "../../src/support/clock.ts";
import { Logind } from "../../src/system/logind.ts";
import { type RecordingLog, recordingLog } from "../fakes/recording-log.ts";
import { FakeLogind } from "./peers/fake-logind.ts";
import { TestBus } from "./peers/message-bus.ts";
import { monotonicMs, sleep, until, within } from "./peers/until.ts";

const ME = 1000;
const OTHER = 1001;
const GREETER = 116;
const theBus = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};
/** For a signal and the answer to what is asked because of it. */
const SOON_MS = 20_000;

let bus: TestBus;
let fake: FakeLogind;
let connection: MessageBus;
let logind: Logind;
let record: RecordingLog;

beforeAll(async () => {
  bus = await TestBus.start();
});

afterAll(async () => {
  await bus?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  fake = await FakeLogind.start(bus.address);
  await fake.addSession("1", { uid: ME });
  await fake.addSession("c2", { uid: GREETER, class: "greeter", type: "wayland" });
  await fake.addSession("3", { uid: OTHER });
  await fake.addSession("4", { uid: ME, seat: "", type: "tty", isRemote: true });
  await fake.activate("1");
  record = recordingLog();
  connection = new MessageBus({ address: bus.address, clock: systemClock, log: record.log });
  logind = new Logind(connection, systemClock, record.log);
  logind.start();
  await soon("logind to be read", () => logind.available);
  return async () => {
    await logind[Symbol.asyncDispose]();
    await connection[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  };
});

const soon = async (what: string, state: () => boolean): Promise<void> => {
  await until(what, state, SOON_MS, 2);
};

const activeId = (): string | undefined => logind.activeSession?.id;

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => `no error but ${value}`,
    (error: unknown) => (error as { readonly code?: unknown }).code,
  );

describe("the console", () => {
  test("the active session, as it is described", () => {
    expect(logind.activeSession).toEqual({
      id: "1",
      path: "/org/freedesktop/login1/session/_31",
      uid: ME,
      class: "user",
      type: "x11",
      seat: "seat0",
      state: "active",
      isLocked: false,
      scope: "session-1.scope",
    });
    expect(logind.sessionsOfUser(ME).map(({ id }) => id)).toEqual(["1"]);
  });

  test("switches to another user, by way of nobody, and to the greeter", async () => {
    await fake.activate(undefined);
    await soon("nobody to be active", () => activeId() === undefined);
    await fake.activate("3");
    await soon("the other user", () => activeId() === "3");
    expect(logind.sessionsOfUser(ME)).toMatchObject([{ state: "online" }]);
    await fake.activate("c2");
    await soon("the greeter", () => logind.activeSession?.class === "greeter");
    expect(logind.activeSession).toMatchObject({ id: "c2", uid: GREETER, type: "wayland" });
  });

  test("a user logs in, and out again", async () => {
    const changes: number[] = [];
    logind.onChange(() => changes.push(logind.sessionsOfUser(1234).length));
    await fake.addSession("5", { uid: 1234, type: "wayland" });
    await fake.activate("5");
    await soon("the new session", () => activeId() === "5");
    await fake.removeSession("5");
    await soon("nobody", () => activeId() === undefined && logind.sessionsOfUser(1234).length === 0);
    expect([changes.at(0), changes.at(-1)]).toEqual([1, 0]);
  });

  test("locked and opened by signal", async () => {
    await fake.sessionSignal("1", "Lock");
    await soon("the lock", () => logind.activeSession?.isLocked === true);
    await fake.sessionSignal("1", "Unlock");
    await soon("no lock", () => logind.activeSession?.isLocked === false);
  });

  test("locked and opened by LockedHint", async () => {
    await fake.setLockedHint("1", true);
    await soon("the lock", () => logind.activeSession?.isLocked === true);
    await fake.setLockedHint("1", false);
    await soon("no lock", () => logind.activeSession?.isLocked === false);
  });

  test("locked by signal and hint, opened by the hint alone, as GNOME does", async () => {
    await fake.sessionSignal("1", "Lock");
    await fake.setLockedHint("1", true);
    await soon("the lock", () => logind.activeSession?.isLocked === true);
    await fake.setLockedHint("1", false);
    await soon("no lock", () => logind.activeSession?.isLocked === false);
  });

  test("the machine goes to sleep and wakes up", async () => {
    let resumes = 0;
    logind.onResume(() => {
      resumes += 1;
    });
    await fake.prepareForSleep(true);
    await soon("the sleep", () => record.lines.includes("info: logind: the machine goes to sleep"));
    expect(resumes).toBe(0);
    await fake.prepareForSleep(false);
    await soon("the wake-up", () => resumes === 1);
  });
});

describe("the session of a process", () => {
  test("its own", async () => {
    await fake.setProcess(77, "1");
    expect(await logind.sessionOfPeer({ pid: 77, uid: ME })).toMatchObject({ id: "1", uid: ME });
  });

  test("none of its own, as in the user's service manager: the user's display", async () => {
    await fake.setDisplay(ME, "1");
    expect((await logind.sessionOfPeer({ pid: 78, uid: ME }))?.id).toBe("1");
  });

  test("one by ssh: the user's display; one on the console without X: that one", async () => {
    await fake.setProcess(79, "4");
    await fake.setDisplay(ME, "1");
    expect((await logind.sessionOfPeer({ pid: 79, uid: ME }))?.id).toBe("1");
    await fake.addSession("6", { uid: ME, type: "tty" });
    await fake.setProcess(80, "6");
    expect((await logind.sessionOfPeer({ pid: 80, uid: ME }))?.id).toBe("6");
  });

  test("another user's is refused, by whatever way it comes", async () => {
    await fake.setProcess(81, "3");
    await fake.setDisplay(ME, "3");
    expect(await logind.sessionOfPeer({ pid: 81, uid: ME })).toBe(undefined);
    expect(await logind.sessionOfPeer({ pid: 82, uid: 4321 })).toBe(undefined);
  });

  test.each([
    ["GetSessionByPID", "(7,)"],
    ["GetSessionByPID", "('not a path',)"],
    ["GetAll", "({'Id': <'1'>},)"],
    ["GetAll", "(uint32 5,)"],
  ])("%s answers %s: that is an error of the call, and nothing else", async (member, body) => {
    await fake.setProcess(77, "1");
    await fake.lie(member, body);
    expect(await codeOf(logind.sessionOfPeer({ pid: 77, uid: ME }))).toBe("bus.bad-answer");
    expect([logind.available, activeId()]).toEqual([true, "1"]);
  });
});

describe("trouble", () => {
  test("logind is restarted: what was known stands meanwhile, and all is read again", async () => {
    await fake.own(false);
    await soon("logind to be missed", () => !logind.available);
    expect(activeId()).toBe("1");
    await fake.activate("3");
    await fake.own(true);
    await soon("logind to be read again", () => logind.available);
    expect(activeId()).toBe("3");
    await fake.sessionSignal("3", "Lock");
    await soon("its signals", () => logind.activeSession?.isLocked === true);
  });

  test("the bus is killed: calls fail at once; it comes back: so does everything, within 2 s", async () => {
    await fake.hang(true);
    const pending = codeOf(logind.sessionOfPeer({ pid: 77, uid: ME }));
    await until("the question", async () => (await fake.asked()).length > 0, SOON_MS);
    await bus.kill();
    const killedMs = monotonicMs();
    expect(await within("the pending call", pending, 4000)).toBe("bus.lost");
    await soon("the bus to be missed", () => !logind.available);
    expect(activeId()).toBe("1");
    expect(await within("the next call", codeOf(logind.sessionOfPeer({ pid: 77, uid: ME })), 4000)).toMatch(
      /^bus\.(lost|unreachable)$/,
    );
    await sleep(Math.max(0, 500 - (monotonicMs() - killedMs)));
    await bus.restart();
    const restartedMs = monotonicMs();
    await fake.hang(false);
    await fake.connect(bus.address);
    await fake.activate("3");
    await until("everything to be back", () => logind.available && activeId() === "3", 3000, 2);
    expect(monotonicMs() - restartedMs).toBeLessThan(2000);
    await fake.sessionSignal("3", "Lock");
    await soon("signals", () => logind.activeSession?.isLocked === true);
    await fake.setProcess(77, "1");
    expect((await logind.sessionOfPeer({ pid: 77, uid: ME }))?.id).toBe("1");
  });

  test("logind hangs: the call ends after its 5 s, the rest goes on", async () => {
    await fake.hang(true);
    const sinceMs = monotonicMs();
    expect(await codeOf(logind.sessionOfPeer({ pid: 77, uid: ME }))).toBe("bus.timeout");
    expect(monotonicMs() - sinceMs).toBeGreaterThan(4900);
    await fake.sessionSignal("1", "Lock");
    await soon("the lock", () => logind.activeSession?.isLocked === true);
    await fake.hang(false);
    await fake.setProcess(77, "1");
    expect((await logind.sessionOfPeer({ pid: 77, uid: ME }))?.isLocked).toBe(true);
  });

  test("somebody else says what only logind may: nothing happens", async () => {
    await using stranger = await FakeLogind.startStranger(bus.address);
    let resumes = 0;
    logind.onResume(() => {
      resumes += 1;
    });
    const names = await connection.call({ ...theBus, member: "ListNames" });
    for (const destination of (names[0] as readonly string[]).filter((name) => name.startsWith(":"))) {
      const manager = { destination, path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };
      await stranger.signal({ ...manager, member: "PrepareForSleep", body: "(false,)" });
      const session = { destination, path: "/org/freedesktop/login1/session/_31", member: "Lock", body: "()" };
      await stranger.signal({ ...session, interface: "org.freedesktop.login1.Session" });
    }
    await fake.setLockedHint("3", true);
    await soon("a true change", () => logind.sessionsOfUser(OTHER)[0]?.isLocked === true);
    expect([resumes, logind.activeSession?.isLocked]).toEqual([0, false]);
  });

  test("nothing happens: nothing is asked", async () => {
    await sleep(200);
    await fake.asked();
    await sleep(2000);
    expect(await fake.asked()).toEqual([]);
  });
});
