// What is concluded from what logind says, in whatever order it is said.
import { afterEach, describe, expect, test } from "vitest";
import { BusRefusal } from "../../../src/support/bus/pending-call.ts";
import { BackendError } from "../../../src/support/errors.ts";
import { Logind } from "../../../src/system/logind.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { FakeLoginBus, pathOf, SEAT_PATH } from "./fake-login-bus.ts";

const opened: { readonly logind: Logind; readonly bus: FakeLoginBus; readonly clock: ManualClock }[] = [];

afterEach(async () => {
  for (const { logind, bus, clock } of opened.splice(0)) {
    await logind[Symbol.asyncDispose]();
    expect([bus.listeners, clock.waiting], "listeners and timers left behind").toEqual([0, 0]);
  }
});

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A logind that runs, with session 1 of user 1000 active on seat0, unless `prepare` says something else. */
async function bench(prepare: (bus: FakeLoginBus) => void = () => {}) {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const bus = new FakeLoginBus();
  bus.addSession("1", { active: true, state: "active" });
  bus.active = "1";
  prepare(bus);
  const logind = new Logind(bus, clock, log);
  opened.push({ logind, bus, clock });
  const seen = { changes: 0, resumes: 0 };
  logind.onChange(() => {
    seen.changes += 1;
  });
  logind.onResume(() => {
    seen.resumes += 1;
  });
  logind.start();
  bus.own(":1.1");
  await settled();
  return { bus, logind, clock, lines, seen };
}

const ids = (sessions: readonly { readonly id: string }[]): readonly string[] => sessions.map(({ id }) => id);

describe("the console", () => {
  test("its active session, as logind describes it", async () => {
    const { logind, lines, seen } = await bench();
    expect(logind.available).toBe(true);
    expect(logind.activeSession).toEqual({
      id: "1",
      path: pathOf("1"),
      uid: 1000,
      class: "user",
      type: "x11",
      seat: "seat0",
      state: "active",
      isLocked: false,
      scope: "session-1.scope",
    });
    expect(lines).toEqual(["info: logind: active session: 1, user, x11, uid 1000"]);
    expect(seen.changes).toBe(1);
  });

  test("switches: nobody for a moment, then another, and both are read anew", async () => {
    const { bus, logind, seen } = await bench((prepared) => prepared.addSession("2", { uid: 1001, class: "greeter" }));
    bus.active = undefined;
    bus.propertiesChanged(SEAT_PATH);
    await settled();
    expect(logind.activeSession).toBe(undefined);
    bus.active = "2";
    bus.sessions.set("1", { ...bus.addSession("1"), state: "online" });
    bus.addSession("2", { uid: 1001, class: "greeter", active: true, state: "active" });
    bus.propertiesChanged(SEAT_PATH);
    await settled();
    expect(logind.activeSession).toMatchObject({ id: "2", class: "greeter", state: "active" });
    expect(seen.changes).toBe(3);
    bus.active = "1";
    bus.addSession("2", { uid: 1001, class: "greeter" });
    bus.propertiesChanged(SEAT_PATH);
    await settled();
    expect(logind.sessionsOfUser(1001)).toMatchObject([{ id: "2", state: "online" }]);
  });

  test.each(["org.freedesktop.DBus.Error.UnknownObject", "System.Error.ENXIO"])("none there (%s)", async (name) => {
    const call = { destination: "", path: "", interface: "", member: "Get" };
    const { logind } = await bench(({ lies }) => lies.set("ActiveSession", new BusRefusal(call, name, "")));
    expect([logind.available, logind.activeSession]).toEqual([true, undefined]);
  });

  test("a session that is gone is not active, whatever the seat says", async () => {
    const { bus, logind } = await bench();
    bus.managerSays("SessionRemoved", "1", pathOf("1"));
    expect(logind.activeSession).toBe(undefined);
  });
});

describe("sessions", () => {
  test("those of seat0 are known, those of ssh are not", async () => {
    const { logind } = await bench((bus) => {
      bus.addSession("2", { type: "tty" });
      bus.addSession("3", { type: "tty", seat: "", remote: true });
    });
    expect(ids(logind.sessionsOfUser(1000))).toEqual(["1", "2"]);
    expect(logind.sessionsOfUser(0)).toEqual([]);
  });

  test("come and go", async () => {
    const { bus, logind, seen } = await bench();
    bus.addSession("2");
    bus.addSession("3", { seat: "" });
    bus.managerSays("SessionNew", "2", pathOf("2"));
    bus.managerSays("SessionNew", "3", pathOf("3"));
    await settled();
    expect(ids(logind.sessionsOfUser(1000))).toEqual(["1", "2"]);
    bus.sessions.delete("2");
    bus.managerSays("SessionRemoved", "2", pathOf("2"));
    expect(ids(logind.sessionsOfUser(1000))).toEqual(["1"]);
    expect(seen.changes).toBe(3);
  });

  test("change: state, class and type are read when any property changes", async () => {
    const { bus, logind } = await bench();
    bus.addSession("1", { state: "closing", type: "wayland", class: "lock-screen" });
    bus.propertiesChanged(pathOf("1"));
    await settled();
    expect(logind.activeSession).toMatchObject({ state: "closing", type: "wayland", class: "lock-screen" });
  });

  test("a change that changes nothing is none", async () => {
    const { bus, seen } = await bench();
    bus.propertiesChanged(pathOf("1"));
    bus.propertiesChanged(SEAT_PATH);
    bus.managerSays("UserNew", 1000, "/u");
    await settled();
    expect(seen.changes).toBe(1);
  });

  test("changes of others are not read", async () => {
    const { bus } = await bench((prepared) => prepared.addSession("3", { seat: "" }));
    const before = bus.asked.length;
    bus.propertiesChanged(pathOf("3"));
    await settled();
    expect(bus.asked.length).toBe(before);
  });

  test("one that goes while it is read does not come back with the answer", async () => {
    const { bus, logind } = await bench();
    bus.addSession("2");
    bus.hold();
    bus.managerSays("SessionNew", "2", pathOf("2"));
    await settled();
    bus.managerSays("SessionRemoved", "2", pathOf("2"));
    bus.release();
    await settled();
    expect(ids(logind.sessionsOfUser(1000))).toEqual(["1"]);
  });

  test("one that logind describes badly is left out, and said so", async () => {
    const { logind, lines } = await bench((bus) => {
      bus.addSession("2");
      bus.lies.set("GetAll 2", { Id: 2 });
    });
    expect([logind.available, ids(logind.sessionsOfUser(1000))]).toEqual([true, ["1"]]);
    expect(lines[0]).toMatch(/^warn: logind: bus.bad-answer: Session\.\w+ is not/);
  });
});

describe("locked", () => {
  test("by LockedHint", async () => {
    const { bus, logind } = await bench(({ sessions }) => Object.assign(sessions.get("1") ?? {}, { lockedHint: true }));
    expect(logind.activeSession?.isLocked).toBe(true);
    bus.addSession("1");
    bus.propertiesChanged(pathOf("1"));
    await settled();
    expect(logind.activeSession?.isLocked).toBe(false);
  });

  test("by signal, at once", async () => {
    const { bus, logind, seen, lines } = await bench();
    bus.sessionSays("1", "Lock");
    expect([logind.activeSession?.isLocked, seen.changes]).toEqual([true, 2]);
    bus.sessionSays("1", "PauseDevice");
    bus.sessionSays("7", "Unlock");
    expect(logind.activeSession?.isLocked).toBe(true);
    bus.sessionSays("1", "Unlock");
    expect(logind.activeSession?.isLocked).toBe(false);
    expect(lines.slice(1)).toEqual([
      "info: logind: active session: 1, user, x11, uid 1000, locked",
      "info: logind: active session: 1, user, x11, uid 1000",
    ]);
  });

  test("by the last of both: a hint that did not change does not undo a signal", async () => {
    const { bus, logind } = await bench();
    bus.sessionSays("1", "Lock");
    bus.propertiesChanged(pathOf("1"));
    await settled();
    expect(logind.activeSession?.isLocked).toBe(true);
    bus.addSession("1", { lockedHint: true });
    bus.propertiesChanged(pathOf("1"));
    await settled();
    bus.addSession("1", { lockedHint: false });
    bus.propertiesChanged(pathOf("1"));
    await settled();
    expect(logind.activeSession?.isLocked).toBe(false);
  });

  test("by the last of both: locked by signal, a hint that comes and goes before it can be read opens it", async () => {
    const { bus, logind } = await bench();
    bus.sessionSays("1", "Lock");
    bus.propertiesChanged(pathOf("1"), { LockedHint: true });
    bus.propertiesChanged(pathOf("1"), { LockedHint: false });
    expect(logind.activeSession?.isLocked).toBe(false);
    await settled();
    expect(logind.activeSession?.isLocked).toBe(false);
  });

  test.each([true, false])("a hint that changes to %s while an older one is on its way", async (lockedHint) => {
    const { bus, logind } = await bench();
    bus.addSession("1", { lockedHint: !lockedHint });
    bus.hold();
    bus.propertiesChanged(pathOf("1"));
    await settled();
    bus.addSession("1", { lockedHint });
    bus.propertiesChanged(pathOf("1"), { LockedHint: lockedHint });
    bus.release();
    await settled();
    expect(logind.activeSession?.isLocked).toBe(lockedHint);
  });

  test("of a session that is read for the first time: what came meanwhile counts", async () => {
    const { bus, logind } = await bench();
    bus.addSession("2", { lockedHint: true });
    bus.hold();
    bus.managerSays("SessionNew", "2", pathOf("2"));
    await settled();
    bus.addSession("2");
    bus.propertiesChanged(pathOf("2"), { LockedHint: false });
    bus.release();
    await settled();
    expect(logind.sessionsOfUser(1000)).toMatchObject([{ id: "1" }, { id: "2", isLocked: false }]);
  });

  test("a hint that is none is an error that the bus reports, and all is read", async () => {
    const { bus, logind } = await bench();
    bus.addSession("1", { state: "closing" });
    expect(() => bus.propertiesChanged(pathOf("1"), { LockedHint: 1 })).toThrow(BackendError);
    await settled();
    expect(logind.activeSession?.state).toBe("closing");
  });

  test.each([
    ["Lock", false, true],
    ["Unlock", true, true],
    ["Unlock", false, false],
  ])("%s while the hint %s is on its way: locked is %s", async (member, lockedHint, isLocked) => {
    const { bus, logind } = await bench();
    bus.sessionSays("1", "Lock");
    bus.addSession("1", { lockedHint });
    bus.hold();
    bus.propertiesChanged(pathOf("1"));
    await settled();
    bus.sessionSays("1", member);
    bus.release();
    await settled();
    expect(logind.activeSession?.isLocked).toBe(isLocked);
  });
});

describe("the session of a peer", () => {
  const peer = { pid: 77, uid: 1000 };

  test.each([
    ["x11 without a seat", { type: "x11", seat: "" }],
    ["wayland", { type: "wayland" }],
    ["a console login, where startx was called", { type: "tty", seat: "seat0" }],
  ])("its own: %s", async (_, facts) => {
    const { bus, logind } = await bench();
    bus.addSession("2", facts);
    bus.processes.set(77, "2");
    expect((await logind.sessionOfPeer(peer))?.id).toBe("2");
  });

  test("none, as in the user's service manager: the user's display", async () => {
    const { bus, logind } = await bench();
    bus.displays.set(1000, "1");
    expect((await logind.sessionOfPeer(peer))?.id).toBe("1");
  });

  test("one without a screen: the user's display", async () => {
    const { bus, logind } = await bench();
    bus.addSession("2", { type: "tty", seat: "", remote: true });
    bus.processes.set(77, "2");
    bus.displays.set(1000, "1");
    expect((await logind.sessionOfPeer(peer))?.id).toBe("1");
    bus.displays.set(1000, "2");
    expect(await logind.sessionOfPeer(peer)).toBe(undefined);
  });

  test("never another user's, by neither way", async () => {
    const { bus, logind } = await bench();
    bus.addSession("2", { uid: 1001 });
    bus.processes.set(77, "2");
    expect(await logind.sessionOfPeer(peer)).toBe(undefined);
    bus.displays.set(1000, "2");
    expect(await logind.sessionOfPeer(peer)).toBe(undefined);
    bus.displays.set(1000, "1");
    expect((await logind.sessionOfPeer(peer))?.id).toBe("1");
  });

  test("process 0 would be ourselves", async () => {
    const { bus, logind } = await bench();
    bus.processes.set(0, "1");
    expect(await logind.sessionOfPeer({ pid: 0, uid: 1000 })).toBe(undefined);
    expect(bus.asked.filter((asked) => asked.startsWith("GetSessionByPID"))).toEqual([]);
  });

  test("an unknown user has none", async () => {
    const { bus, logind } = await bench();
    const call = { destination: "", path: "", interface: "", member: "GetUser" };
    bus.lies.set("GetUser", new BusRefusal(call, "org.freedesktop.login1.NoSuchUser", ""));
    expect(await logind.sessionOfPeer(peer)).toBe(undefined);
  });

  test("is followed from then on", async () => {
    const { bus, logind, seen } = await bench();
    bus.addSession("2", { seat: "" });
    bus.processes.set(77, "2");
    await logind.sessionOfPeer(peer);
    bus.sessionSays("2", "Lock");
    expect(logind.sessionsOfUser(1000)).toMatchObject([{ id: "1" }, { id: "2", isLocked: true }]);
    expect(seen.changes).toBe(2);
  });

  test.each<[string, string, BackendError["code"]]>([
    ["a path that is none", "GetSessionByPID", "bus.bad-answer"],
    ["a display that is none", "Display", "bus.bad-answer"],
    ["a session that is none", "GetAll", "bus.bad-answer"],
  ])("%s is an error of logind's", async (_, what, code) => {
    const { bus, logind } = await bench();
    if (what === "GetAll") bus.processes.set(77, "1");
    bus.lies.set(what, what === "GetAll" ? { Id: "1", User: "me" } : [7]);
    await expect(logind.sessionOfPeer(peer)).rejects.toMatchObject({ name: "BackendError", code });
  });

  test("can be called off", async () => {
    const { bus, logind } = await bench();
    const off = new AbortController();
    bus.hold();
    const asked = logind.sessionOfPeer(peer, off.signal);
    off.abort(new Error("hung up"));
    await expect(asked).rejects.toThrow("hung up");
  });
});

describe("logind itself", () => {
  test("goes: what was known stands, marked; comes back: everything is read again", async () => {
    const { bus, logind, seen } = await bench((prepared) => prepared.addSession("2"));
    bus.own(undefined);
    expect([logind.available, logind.activeSession?.id, seen.changes]).toEqual([false, "1", 2]);
    bus.sessions.delete("1");
    bus.active = "2";
    bus.own(":1.9");
    await settled();
    expect([logind.available, logind.activeSession?.id]).toEqual([true, "2"]);
    expect(ids(logind.sessionsOfUser(1000))).toEqual(["2"]);
  });

  test("goes while it is read: nothing of that counts", async () => {
    const { bus, logind, lines } = await bench();
    bus.hold();
    bus.propertiesChanged(SEAT_PATH);
    await settled();
    bus.own(undefined);
    bus.active = undefined;
    bus.release();
    await settled();
    expect([logind.available, logind.activeSession?.id]).toEqual([false, "1"]);
    expect(lines.filter((line) => line.startsWith("warn"))).toEqual([]);
  });

  test("a screen locked by signal is not open because logind was restarted", async () => {
    const { bus, logind } = await bench();
    bus.sessionSays("1", "Lock");
    bus.own(undefined);
    bus.own(":1.2");
    await settled();
    expect(logind.activeSession?.isLocked).toBe(true);
  });

  test("does not answer: not available, asked again with growing pauses until it does", async () => {
    const { bus, logind, clock, lines } = await bench();
    bus.lies.set("ActiveSession", new BackendError("bus.timeout", "no answer"));
    bus.propertiesChanged(SEAT_PATH);
    await settled();
    expect([logind.available, logind.activeSession?.id]).toEqual([false, "1"]);
    const asked = (): number => bus.asked.filter((what) => what === "ActiveSession").length;
    expect(asked()).toBe(2);
    for (const [afterMs, times] of [
      [999, 2],
      [1, 3],
      [1999, 3],
      [1, 4],
    ] as const) {
      clock.advance(afterMs);
      await settled();
      expect(asked()).toBe(times);
    }
    bus.lies.clear();
    clock.advance(4000);
    await settled();
    expect(logind.available).toBe(true);
    expect(lines).toContain("warn: logind: bus.timeout: no answer: trying again");
    expect(clock.waiting).toBe(0);
  });

  test("wakes the machine", async () => {
    const { bus, seen } = await bench();
    bus.managerSays("PrepareForSleep", true);
    expect(seen.resumes).toBe(0);
    bus.managerSays("PrepareForSleep", false);
    expect(seen.resumes).toBe(1);
  });

  test.each<[string, readonly (string | number)[]]>([
    ["PrepareForSleep", ["no"]],
    ["SessionNew", [1, 2]],
    ["SessionRemoved", []],
  ])("%s with nonsense is an error that the bus reports", async (member, body) => {
    const { bus } = await bench();
    expect(() => bus.managerSays(member, ...body)).toThrow(BackendError);
  });

  test("is asked nothing while nothing happens", async () => {
    const { bus, clock } = await bench();
    const before = bus.asked.length;
    clock.advance(3_600_000);
    await settled();
    expect([bus.asked.length, clock.waiting]).toEqual([before, 0]);
  });
});
