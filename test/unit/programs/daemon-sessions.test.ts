// The daemon and the sessions it serves: when the port is open, what a session is told when it comes to the screen, and what
// of another one, or of one that is shut, never gets through. "Row N" is a row of the feature table.
import { describe, expect, test } from "vitest";
import type { LoginSession, Peer } from "../../../src/features/sessions.ts";
import { BackendError } from "../../../src/support/errors.ts";
import { ChunkPort, ClipboardType } from "../../../src/wire/agent-constants.ts";
import { encodeChunk } from "../../../src/wire/agent-frame.ts";
import type { DesktopGeometry } from "../../../src/wire/link/messages.ts";
import { type DaemonUnderTest, daemonUnderTest, settled } from "../../fakes/daemon.ts";
import type { FakeHost } from "../../fakes/fake-host.ts";
import type { FakeSession } from "../../fakes/fake-session.ts";
import { unhandledIn } from "../../fakes/faults-of-ours.ts";

const NONE = ClipboardType.NONE;
const text = new TextEncoder().encode("naïve 🙂 text");
const desktop: DesktopGeometry = {
  width: 1280,
  height: 800,
  displays: [{ displayId: 0, x: 0, y: 0, width: 1280, height: 800 }],
};
const config = (width: number) => ({ monitors: [{ width, height: 600, depth: 32, x: 0, y: 0 }], usePosition: true });
const volume = (level: number, isPlayback = true) => ({ isPlayback, mute: false, volume: [level] });
const graphics = {
  displays: [{ channelId: 0, monitorId: 0, deviceDisplayId: 0, deviceAddress: "pci/0000/02.0" }],
};

/** What it was told, by kind. */
const kinds = (session: FakeSession): readonly string[] => session.messages.map(({ kind }) => kind);

async function withViewer(daemon: DaemonUnderTest): Promise<FakeHost> {
  const host = await daemon.host();
  await host.connectViewer();
  return host;
}

describe("row 1: the port", () => {
  test("stays closed until a session has told its geometry, and is opened exactly once then", async () => {
    await using daemon = await daemonUnderTest({ geometry: null });
    await settled();
    daemon.clock.advance(60_000);
    await settled();
    expect([daemon.openings, daemon.daemon.status.port.isWanted]).toEqual([0, false]);
    daemon.session.tells(desktop);
    await daemon.host();
    for (const width of [1280, 1024, 1024]) daemon.session.tells({ ...desktop, width });
    await settled();
    daemon.clock.advance(60_000);
    await settled();
    expect(daemon.openings).toBe(1);
    expect(daemon.daemon.status.port).toEqual({ isWanted: true, isOpen: true, fault: undefined });
  });

  test("stays closed without a session, and for one that only says other things", async () => {
    await using daemon = await daemonUnderTest({ geometry: null });
    daemon.session.copies(0);
    daemon.session.pastes(0);
    daemon.session.link.send({ kind: "session-report", features: [] });
    await daemon.session.next("content-answer");
    daemon.clock.advance(60_000);
    await settled();
    expect(daemon.openings).toBe(0);
  });

  test("is closed when the session leaves, stays so, and is opened again when one comes", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    await daemon.session.leaves();
    await host.closed;
    await settled();
    daemon.clock.advance(60_000);
    await settled();
    expect([daemon.openings, daemon.daemon.status.port.isWanted]).toEqual([1, false]);
    const next = daemon.connects(undefined, null);
    await next.ready;
    await settled();
    expect(daemon.openings).toBe(1);
    next.tells(desktop);
    const again = await withViewer(daemon);
    next.copies(0);
    expect((await again.next("CLIPBOARD_GRAB")).value.serial).toBe(0);
    expect(daemon.openings).toBe(2);
  });

  test("is closed and opened once when a session is followed by another at once", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    void daemon.session.leaves();
    await settled(1);
    const next = daemon.connects();
    await next.ready;
    await host.closed;
    const again = await withViewer(daemon);
    next.copies(0);
    await again.next("CLIPBOARD_GRAB");
    await settled();
    expect(daemon.openings).toBe(2);
    expect(host.violations).toEqual([]);
  });

  test("is opened anew when what the host knows may be of another time, if it is open at all", async () => {
    await using daemon = await daemonUnderTest({ geometry: null });
    daemon.daemon.beginAnew("woken up");
    daemon.session.tells(desktop);
    const host = await withViewer(daemon);
    daemon.daemon.beginAnew("woken up");
    await host.closed;
    const again = await withViewer(daemon);
    expect(daemon.openings).toBe(2);
    expect(daemon.logged.filter((line) => line.includes("woken up"))).toEqual([
      "warn: port: port.reopened: woken up: trying again",
    ]);
    daemon.session.copies(0);
    await again.next("CLIPBOARD_GRAB");
  });

  test("tells what keeps it closed, until a host has spoken", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    expect(daemon.daemon.status).toMatchObject({ port: { isWanted: true, isOpen: true, fault: undefined }, viewer: 1 });
    host.close();
    await settled();
    expect(daemon.daemon.status).toMatchObject({ port: { isWanted: true, isOpen: false }, viewer: undefined });
    expect(daemon.daemon.status.port.fault?.code).toBe("port.hung-up");
    const again = await daemon.host();
    await settled();
    expect(daemon.daemon.status.port).toMatchObject({ isOpen: true, fault: { code: "port.hung-up" } });
    await again.connectViewer();
    expect(daemon.daemon.status).toMatchObject({ port: { isWanted: true, isOpen: true, fault: undefined }, viewer: 2 });
  });

  test("gives the pointer's device the size of the whole desktop, and any size for a session that cannot tell", async () => {
    await using daemon = await daemonUnderTest();
    await daemon.host();
    daemon.session.tells(desktop);
    daemon.session.tells({
      width: 0,
      height: 0,
      displays: [...desktop.displays, { displayId: 1, x: 1280, y: 100, width: 800, height: 900 }],
    });
    await settled();
    expect(daemon.pointerRanges).toEqual([
      [0x8000, 0x8000],
      [1280, 800],
      [2080, 1000],
    ]);
  });
});

describe("what the next session is told", () => {
  /** The first session goes, and another comes. */
  async function successor(daemon: DaemonUnderTest): Promise<FakeSession> {
    await daemon.session.leaves();
    await settled();
    const next = daemon.connects();
    await next.ready;
    await settled();
    return next;
  }

  test("row 34: the monitors config, the last one, before the host has said anything again", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    for (const width of [800, 640]) host.send({ name: "MONITORS_CONFIG", value: config(width) });
    await daemon.session.next("monitors-config");
    await daemon.session.next("monitors-config");
    const next = await successor(daemon);
    expect((await next.next("monitors-config")).config).toEqual(config(640));
    expect(kinds(next).filter((kind) => kind === "monitors-config")).toHaveLength(1);
  });

  test("row 34: no config of a viewer that has disconnected", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    host.send({ name: "MONITORS_CONFIG", value: config(640) });
    await daemon.session.next("monitors-config");
    host.disconnectViewer();
    await daemon.session.next("viewer-left");
    expect(kinds(await successor(daemon))).not.toContain("monitors-config");
  });

  test("row 36: which graphics devices there are, as the session before it was", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    host.send({ name: "GRAPHICS_DEVICE_INFO", value: graphics }, { port: ChunkPort.SERVER });
    expect((await daemon.session.next("graphics-device-info")).info).toEqual(graphics);
    const next = await successor(daemon);
    expect((await next.next("graphics-device-info")).info).toEqual(graphics);
  });

  test("nothing where nothing was said", async () => {
    await using daemon = await daemonUnderTest();
    await withViewer(daemon);
    expect(kinds(await successor(daemon)).filter((kind) => kind !== "viewer-left")).toEqual([]);
  });

  test("graphics devices of more displays than a frame has room for do not keep sessions from staying", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    // Each with an address of no bytes: 62 kB as the host writes them, 4 kB more with their NULs.
    const body = new Uint8Array(4 + 16 * 3900);
    new DataView(body.buffer).setUint32(0, 3900, true);
    const header = new Uint8Array(20);
    for (const [at, value] of [
      [0, 1],
      [4, 16],
      [16, body.length],
    ] as const)
      new DataView(header.buffer).setUint32(at, value, true);
    host.raw(encodeChunk(ChunkPort.SERVER, Buffer.concat([header, body])));
    host.send({ name: "MONITORS_CONFIG", value: config(640) });
    await daemon.session.next("monitors-config");
    expect(daemon.session.isClosed).toBe(false);
  });
});

describe("row 80: the viewer's volume", () => {
  test("is told the session, loudspeaker and microphone, as they come", async () => {
    await using daemon = await daemonUnderTest();
    const host = await withViewer(daemon);
    for (const value of [volume(1), volume(2, false), volume(3)]) host.send({ name: "AUDIO_VOLUME_SYNC", value });
    for (const value of [volume(1), volume(2, false), volume(3)])
      expect((await daemon.session.next("audio-volume")).volume).toEqual(value);
  });

  test("is not told before a session is there, and is told then: a viewer says it once", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    host.send({ name: "AUDIO_VOLUME_SYNC", value: volume(7) });
    await daemon.anna.next("audio-volume");
    daemon.agents.screenChanged({ ...anna, isLocked: true });
    for (const value of [volume(8), volume(9), volume(10, false)]) host.send({ name: "AUDIO_VOLUME_SYNC", value });
    await settled();
    expect(daemon.anna.unread).toEqual([]);
    daemon.agents.screenChanged(anna);
    expect((await daemon.anna.next("audio-volume")).volume).toEqual(volume(9));
    expect((await daemon.anna.next("audio-volume")).volume).toEqual(volume(10, false));
  });

  test("of a viewer that has left is not told when the session is opened", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.agents.screenChanged({ ...anna, isLocked: true });
    host.send({ name: "AUDIO_VOLUME_SYNC", value: volume(8) });
    await settled();
    host.disconnectViewer();
    await daemon.anna.next("viewer-left");
    daemon.agents.screenChanged(anna);
    await settled();
    expect(kinds(daemon.anna)).not.toContain("audio-volume");
  });
});

test("row 87: without logind a second agent is refused, and the first stays and works", async () => {
  await using daemon = await daemonUnderTest();
  const host = await withViewer(daemon);
  const second = daemon.connects({ pid: 4711, uid: 1001 });
  await second.closed;
  expect(second.messages).toEqual([]);
  expect(daemon.logged).toContain("warn: session: process 4711 of user 1001 refused: there is an agent already");
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  expect([daemon.openings, daemon.session.isClosed, daemon.agents.status.length]).toEqual([1, false, 1]);
});

// With logind: Anna and Bert are logged in, and a greeter waits between them.

const session = (id: string, uid: number, change: Partial<LoginSession> = {}): LoginSession => ({
  id,
  uid,
  class: "user",
  type: "x11",
  seat: "seat0",
  isLocked: false,
  ...change,
});
const anna = session("1", 1000);
const bert = session("2", 1001);
const greeter = session("c1", 120, { class: "greeter" });
const peers = { anna: { pid: 101, uid: 1000 }, bert: { pid: 102, uid: 1001 }, greeter: { pid: 103, uid: 120 } };
const sessionOfPid = new Map([
  [101, anna],
  [102, bert],
  [103, greeter],
]);
const logins = { sessionOfPeer: async ({ pid }: Peer) => sessionOfPid.get(pid) };

type LoggedIn = DaemonUnderTest & { readonly anna: FakeSession; readonly bert: FakeSession };

/** Anna is on the screen, with a viewer; Bert is logged in too. */
async function loggedIn(options = {}): Promise<{ daemon: LoggedIn; host: FakeHost }> {
  const under = await daemonUnderTest({ logins, ...options });
  const daemon = Object.assign(under, { anna: under.connects(peers.anna), bert: under.connects(peers.bert) });
  await Promise.all([daemon.anna.ready, daemon.bert.ready]);
  expect([under.openings, under.agents.status.length]).toEqual([0, 2]);
  under.agents.screenChanged(anna);
  return { daemon, host: await withViewer(under) };
}

describe("row 84: connections", () => {
  test("are not listened to, nor spoken to, before it is known whose they are; then nothing of what they said is lost", async () => {
    let tell: (session: LoginSession) => void = () => {};
    const asked = new Promise<LoginSession>((resolve) => {
      tell = resolve;
    });
    await using daemon = await daemonUnderTest({ logins: { sessionOfPeer: () => asked } });
    daemon.agents.screenChanged(anna);
    const agent = daemon.connects(peers.anna);
    await settled();
    expect([agent.link.dialect, agent.link.peerVersion, daemon.openings]).toEqual([undefined, undefined, 0]);
    tell(anna);
    await daemon.host();
    expect([agent.link.dialect, agent.link.peerVersion]).toEqual(["extended", "0.0.0-test"]);
  });

  test.each<[string, Peer, () => Promise<LoginSession | undefined>, string]>([
    ["of another user's session", { pid: 7, uid: 1001 }, async () => anna, "session 1 is of user 1000"],
    ["of no session", { pid: 7, uid: 1000 }, async () => undefined, "it belongs to no session of its user"],
    [
      "of which logind does not tell",
      { pid: 7, uid: 1000 },
      async () => {
        throw new BackendError("bus.timeout", "no answer");
      },
      "it belongs to no session of its user",
    ],
  ])("%s are closed", async (_, peer, sessionOfPeer, reason) => {
    await using daemon = await daemonUnderTest({ logins: { sessionOfPeer } });
    daemon.agents.screenChanged(anna);
    const agent = daemon.connects(peer);
    await agent.closed;
    await settled();
    expect(agent.link.peerVersion).toBeUndefined();
    expect(daemon.logged).toContain(`warn: session: process 7 of user ${peer.uid} refused: ${reason}`);
    expect([daemon.openings, daemon.agents.status]).toEqual([0, []]);
  });

  test("beside another of the same session are closed, and that one works on", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    const second = daemon.connects(peers.anna);
    await second.closed;
    expect(daemon.logged.join()).toContain("refused: session 1 has an agent already, process 101");
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    expect(daemon.openings).toBe(1);
  });

  test("that are gone before it is known whose they are leave nothing behind", async () => {
    let tell: (session: LoginSession) => void = () => {};
    const asked = new Promise<LoginSession>((resolve) => {
      tell = resolve;
    });
    await using daemon = await daemonUnderTest({ logins: { sessionOfPeer: () => asked } });
    daemon.agents.screenChanged(anna);
    await daemon.connects(peers.anna).leaves();
    await settled();
    tell(anna);
    await settled();
    expect([daemon.agents.status, daemon.openings]).toEqual([[], 0]);
    daemon.connects(peers.anna);
    await daemon.host();
  });

  test("are shown with whose they are, what they speak and how their features fare", async () => {
    const { daemon } = await loggedIn();
    await using _ = daemon;
    const features = [{ feature: "clipboard", driver: "x11", fault: "" }];
    daemon.bert.link.send({ kind: "session-report", features });
    await settled();
    const common = { isShut: false, version: "0.0.0-test", dialect: "extended", features: [] };
    expect(daemon.agents.status).toEqual([
      { ...common, sessionId: "1", peer: peers.anna, isActive: true },
      { ...common, sessionId: "2", peer: peers.bert, isActive: false, features },
    ]);
    daemon.agents.screenChanged({ ...bert, isLocked: true });
    expect(daemon.agents.status.map(({ isActive, isShut }) => [isActive, isShut])).toEqual([
      [false, false],
      [true, true],
    ]);
  });
});

describe("row 85: when another session comes to the screen", () => {
  test("the port is closed and opened again, once, and the other one works there", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    daemon.agents.screenChanged(bert);
    await host.closed;
    const again = await withViewer(daemon);
    daemon.bert.copies(0);
    expect((await again.next("CLIPBOARD_GRAB")).value.serial).toBe(0);
    await settled();
    expect(daemon.openings).toBe(2);
    expect([daemon.anna.isClosed, daemon.bert.isClosed]).toEqual([false, false]);
  });

  test("the port stays closed while the seat switches, and for a session without an agent", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    for (const on of [undefined, session("9", 1009)]) {
      daemon.agents.screenChanged(on);
      await host.closed;
      await settled();
      daemon.clock.advance(10_000);
      await settled();
      expect(daemon.openings).toBe(1);
    }
    daemon.agents.screenChanged(anna);
    await daemon.host();
    expect(daemon.openings).toBe(2);
  });

  test("the port waits for the other one's geometry, which it may have told long before", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.bert.tells(desktop);
    await settled();
    expect(daemon.pointerRanges).toEqual([[0x8000, 0x8000]]);
    daemon.agents.screenChanged(bert);
    await host.closed;
    await daemon.host();
    expect(daemon.pointerRanges.at(-1)).toEqual([1280, 800]);
  });

  test("rows 60, 61: what was copied there before is told, and nothing of the one before", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    daemon.bert.copies(1, [2, 1]);
    daemon.bert.copies(0);
    daemon.bert.link.send({ kind: "clipboard-release", selection: 0 });
    await settled();
    expect(host.unread).toEqual([]);
    daemon.agents.screenChanged(bert);
    await host.closed;
    const again = await withViewer(daemon);
    expect((await again.next("CLIPBOARD_GRAB")).value).toEqual({ selection: 1, serial: 0, types: [1] });
    await settled();
    expect(again.unread).toEqual([]);
    again.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    expect((await again.next("CLIPBOARD")).value.type).toBe(NONE);
  });

  test("a paste of a session that is not there is refused, whatever the viewer has copied", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    daemon.bert.pastes(0);
    expect(await daemon.bert.next("content-answer")).toMatchObject({ requestId: 1, type: NONE, bodyId: undefined });
    await settled();
    expect(host.unread).toEqual([]);
    expect(kinds(daemon.bert)).not.toContain("clipboard-grab");
  });

  test("what it says that is not there reaches the host in no other way either", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    daemon.bert.copies(0);
    daemon.bert.link.send({ kind: "clipboard-release", selection: 0 });
    daemon.bert.link.send({ kind: "content-cancel", requestId: 1 });
    daemon.bert.tells(desktop);
    await settled();
    expect(host.unread).toEqual([]);
    expect(daemon.pointerRanges).toEqual([[0x8000, 0x8000]]);
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    await daemon.anna.answer(await daemon.anna.next("content-request"), text);
    expect((await host.next("CLIPBOARD")).data).toHaveLength(text.length);
  });

  test("an answer of the one before, too late, is not taken for the other one's", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    const late = await daemon.anna.next("content-request");
    daemon.agents.screenChanged(bert);
    await daemon.anna.next("content-cancel");
    const again = await withViewer(daemon);
    daemon.bert.copies(0);
    await again.next("CLIPBOARD_GRAB");
    again.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    const request = await daemon.bert.next("content-request");
    for (const requestId of [late.requestId, request.requestId])
      await daemon.anna.answer({ ...late, requestId }, new Uint8Array(3)).catch(() => {});
    daemon.anna.link.send({ kind: "content-answer", requestId: request.requestId, type: NONE });
    await settled();
    expect(again.unread).toEqual([]);
    await daemon.bert.answer(request, text);
    expect([...(await again.next("CLIPBOARD")).data]).toEqual([...text]);
  });

  test("content of the one before that comes too late is called off there: nobody would ever take it", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    const request = await daemon.anna.next("content-request");
    daemon.agents.screenChanged(bert);
    const body = daemon.anna.link.openBody();
    daemon.anna.link.send({ kind: "content-answer", requestId: request.requestId, type: 1, bodyId: body.id });
    void body.write(new Uint8Array(2_000_000)).catch(() => {});
    await settled();
    expect(body.signal.aborted).toBe(true);
  });

  test("content under way to or from the one before is stopped at both ends", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(1);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 1, type: 1 } });
    const request = await daemon.anna.next("content-request");
    const body = daemon.anna.link.openBody();
    daemon.anna.link.send({ kind: "content-answer", requestId: request.requestId, type: 1, bodyId: body.id });
    await body.write(new Uint8Array(1000));
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    daemon.anna.pastes(0);
    await host.next("CLIPBOARD_REQUEST");
    const big = new Uint8Array(3_000_000);
    host.send({ name: "CLIPBOARD", value: { selection: 0, type: 1 } }, { data: big });
    const reading = expect(daemon.anna.content(await daemon.anna.next("content-answer"))).rejects.toMatchObject({
      code: "body.failed",
    });
    daemon.agents.screenChanged(bert);
    await reading;
    await settled();
    expect(body.signal.aborted).toBe(true);
  });

  test("and the first comes back, it is heard as before: what it copies then is told", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    host.disconnectViewer();
    await daemon.anna.next("clipboard-release");
    daemon.agents.screenChanged(bert);
    daemon.agents.screenChanged(anna);
    await host.closed;
    const again = await withViewer(daemon);
    await settled();
    daemon.anna.copies(0);
    expect((await again.next("CLIPBOARD_GRAB", 500)).value).toEqual({ selection: 0, serial: 0, types: [1] });
  });

  test("and the first comes back, what it had copied before the viewer did is not told: it lost that to the viewer", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 1, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    host.send({ name: "CLIPBOARD_RELEASE", value: { selection: 0 } });
    await daemon.anna.next("clipboard-release");
    daemon.agents.screenChanged(bert);
    daemon.agents.screenChanged(anna);
    await host.closed;
    const again = await withViewer(daemon);
    await settled();
    expect(again.unread).toEqual([]);
  });

  test("and the first comes back, it is not left with an offer that the viewer has withdrawn meanwhile", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    daemon.agents.screenChanged(bert);
    const other = await withViewer(daemon);
    daemon.agents.screenChanged(anna);
    await other.closed;
    await withViewer(daemon);
    await settled();
    expect(daemon.anna.unread.map(({ kind }) => kind)).toContain("clipboard-release");
  });
});

describe("row 86, and a session that is locked", () => {
  test("a greeter gets the display and the pointer, and is told that there are no files", async () => {
    await using daemon = await daemonUnderTest({ logins });
    daemon.agents.screenChanged(greeter);
    const agent = daemon.connects(peers.greeter, desktop);
    const host = await withViewer(daemon);
    host.send({ name: "MONITORS_CONFIG", value: config(640) });
    expect((await agent.next("monitors-config")).config).toEqual(config(640));
    host.send({ name: "MOUSE_STATE", value: { x: 1, y: 2, buttons: 0, displayId: 0 } }, { port: ChunkPort.SERVER });
    host.send({ name: "AUDIO_VOLUME_SYNC", value: volume(7) });
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await settled();
    expect(daemon.pointerEvents).toHaveLength(3);
    expect(kinds(agent)).toContain("file-transfer-disabled");
    expect(kinds(agent)).not.toContain("audio-volume");
    expect(kinds(agent)).not.toContain("clipboard-grab");
  });

  test("an open session is not told that there are no files", async () => {
    const { daemon } = await loggedIn();
    await using _ = daemon;
    await settled();
    expect(kinds(daemon.anna)).not.toContain("file-transfer-disabled");
  });

  test("nothing of the clipboard passes while it is locked, in either direction", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(1);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    daemon.agents.screenChanged({ ...anna, isLocked: true });
    daemon.anna.copies(1);
    daemon.anna.pastes(0);
    expect((await daemon.anna.next("content-answer")).bodyId).toBeUndefined();
    for (const selection of [0, 1] as const) {
      host.send({ name: "CLIPBOARD_REQUEST", value: { selection, type: 1 } });
      expect((await host.next("CLIPBOARD")).value).toEqual({ selection, type: NONE });
    }
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 1, types: [1] } });
    await daemon.anna.next("clipboard-release");
    await settled();
    expect([host.unread, daemon.anna.unread]).toEqual([[], []]);
    daemon.agents.screenChanged(anna);
    expect((await host.next("CLIPBOARD_GRAB")).value).toMatchObject({ selection: 1, serial: 1 });
    expect((await daemon.anna.next("clipboard-grab")).selection).toBe(0);
    expect(daemon.openings).toBe(1);
  });

  test("what is under way when it is locked is stopped: the viewer gets NONE, the application nothing", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(1);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
    await daemon.anna.next("clipboard-grab");
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 1, type: 1 } });
    const request = await daemon.anna.next("content-request");
    daemon.anna.pastes(0);
    await host.next("CLIPBOARD_REQUEST");
    daemon.agents.screenChanged({ ...anna, isLocked: true });
    expect((await host.next("CLIPBOARD")).value).toEqual({ selection: 1, type: NONE });
    expect((await daemon.anna.next("content-answer")).bodyId).toBeUndefined();
    await daemon.anna.answer(request, text).catch(() => {});
    host.send({ name: "CLIPBOARD", value: { selection: 0, type: 1 } }, { data: text });
    await settled();
    expect(host.unread).toEqual([]);
    expect(kinds(daemon.anna).filter((kind) => kind === "content-answer")).toHaveLength(1);
  });

  test("a session that comes back locked keeps to itself what it had told, until it is open", async () => {
    const { daemon, host } = await loggedIn();
    await using _ = daemon;
    daemon.anna.copies(0);
    await host.next("CLIPBOARD_GRAB");
    daemon.agents.screenChanged(undefined);
    await host.closed;
    daemon.agents.screenChanged({ ...anna, isLocked: true });
    const again = await withViewer(daemon);
    await settled();
    expect(again.unread).toEqual([]);
    daemon.agents.screenChanged(anna);
    await again.next("CLIPBOARD_GRAB");
  });
});

test("whose session an agent is of: a fault of ours in asking is not taken for nobody's answer", async () => {
  const fault = new TypeError("ours");
  const unhandled = await unhandledIn(async () => {
    await using daemon = await daemonUnderTest({ logins: { sessionOfPeer: () => Promise.reject(fault) } });
    daemon.connects({ pid: 1, uid: 1000 });
    await settled();
    expect(daemon.logged.join()).not.toContain("cannot be told");
  });
  expect(unhandled).toBe(fault);
});

test("what is said of a user's agents is that user's to know", async () => {
  const sessionOfPeer = async ({ uid }: Peer): Promise<LoginSession | undefined> => {
    if (uid === 1002) throw new BackendError("bus.timeout", "no answer");
    return uid === 1001 ? anna : undefined;
  };
  await using daemon = await daemonUnderTest({ logins: { sessionOfPeer } });
  daemon.connects({ pid: 7, uid: 1001 });
  daemon.connects({ pid: 8, uid: 1002 });
  await settled();
  daemon.clock.advance(10_000);
  await settled();
  const users = daemon.loggedOfUsers.map(([uid, line]) => `${uid}: ${line}`);
  expect(users.join("\n")).toMatch(/1002: session: process 8 of user 1002: whose session it is cannot be told/);
  expect(users.join("\n")).toMatch(/1002: session: process 8 of user 1002 refused/);
  const told = daemon.logged.filter((line) => /^(warn|error): .*(process \d|user \d)/.test(line));
  expect(told).toHaveLength(users.length);
});
