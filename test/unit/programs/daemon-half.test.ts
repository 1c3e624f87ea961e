// The daemon's half on the wire: what a host sees of it, byte by byte and in order. "Row N" is a row of the feature table.
import { expect, test, vi } from "vitest";
import { Spool } from "../../../src/support/spool.ts";
import { ChunkPort, ClipboardType, MouseButton, ReplyError } from "../../../src/wire/agent-constants.ts";
import { encodeChunk, encodeFrame } from "../../../src/wire/agent-frame.ts";
import { bareLayout } from "../../../src/wire/codec.ts";
import { type DaemonUnderTest, daemonUnderTest, settled } from "../../fakes/daemon.ts";
import type { FakeHost } from "../../fakes/fake-host.ts";
import { unhandledIn } from "../../fakes/faults-of-ours.ts";

const withPrefixes = { selection: true, serial: true };
const text = new TextEncoder().encode("naïve 🙂 text");
const moved = { x: 10, y: 20, buttons: 0, displayId: 0 };

async function connected(options = {}): Promise<{ daemon: DaemonUnderTest; host: FakeHost }> {
  const daemon = await daemonUnderTest(options);
  const host = await daemon.host();
  await host.connectViewer();
  return { daemon, host };
}

test("row 2: a request for capabilities is answered once, without a request of our own", async () => {
  await using daemon = await daemonUnderTest();
  const host = await daemon.host();
  const { value } = await host.connectViewer();
  expect(value).toEqual({ request: false, words: [0x0003cdf7] });
  await settled();
  expect(host.unread).toEqual([]);
});

test("row 3: an announce that asks nothing is not answered", async () => {
  await using daemon = await daemonUnderTest();
  const host = await daemon.host();
  host.announce(false);
  await settled();
  expect(host.messages).toEqual([]);
});

test("row 4: a message of the viewer in two chunks survives a mouse state of the server in between", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const config = {
    name: "MONITORS_CONFIG",
    value: { monitors: [{ width: 800, height: 600, depth: 32, x: 0, y: 0 }], usePosition: true },
  } as const;
  const whole = encodeFrame(ChunkPort.CLIENT, config, bareLayout).subarray(8);
  host.raw(encodeChunk(ChunkPort.CLIENT, whole.subarray(0, 25)));
  host.send({ name: "MOUSE_STATE", value: moved }, { port: ChunkPort.SERVER });
  host.raw(encodeChunk(ChunkPort.CLIENT, whole.subarray(25)));
  await host.next("REPLY");
  expect((await daemon.session.next("monitors-config")).config.monitors).toHaveLength(1);
  expect(daemon.pointerEvents.map(({ value }) => value)).toEqual([10, 20, 0]);
});

test("row 5: a message in chunks of one byte is understood", async () => {
  await using daemon = await daemonUnderTest();
  const host = await daemon.host();
  const announce = { name: "ANNOUNCE_CAPABILITIES", value: { request: true, words: [0] } } as const;
  host.send(announce, { size: 1 });
  expect((await host.next("ANNOUNCE_CAPABILITIES")).value.request).toBe(false);
});

test.each([
  ["row 6: a chunk beyond any sane size", Uint8Array.of(1, 0, 0, 0, 0, 0, 16, 0)],
  ["row 7: a chunk for port 3", Uint8Array.of(3, 0, 0, 0, 4, 0, 0, 0)],
  [
    "row 9: a message of 4 GiB",
    encodeChunk(1, Uint8Array.of(1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)),
  ],
])("%s makes the agent open the port anew, and work there", async (_, bytes) => {
  const { daemon, host } = await connected();
  await using __ = daemon;
  host.raw(bytes);
  await host.closed;
  const next = await daemon.host();
  expect((await next.connectViewer()).value.request).toBe(false);
  expect(daemon.logged.some((line) => line.includes("port.protocol"))).toBe(true);
});

test("row 6: a chunk larger than a host makes, but sane, is taken", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 1, types: Array(200).fill(1) } }, { size: 8192 });
  expect((await daemon.session.next("clipboard-grab")).types).toEqual([1]);
});

test.each([
  ["an unknown type", { type: 99, protocol: 1, body: [1, 2, 3] }],
  ["a body too short", { type: 1, protocol: 1, body: [1, 2, 3] }],
  ["protocol 2", { type: 6, protocol: 2, body: [1, 0, 0, 0] }],
])("row 8: %s is passed over, and the next message handled", async (_, { type, protocol, body }) => {
  const { daemon, host } = await connected();
  await using __ = daemon;
  const header = Uint8Array.of(protocol, 0, 0, 0, type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, body.length, 0, 0, 0);
  host.raw(encodeChunk(ChunkPort.CLIENT, Uint8Array.of(...header, ...body)));
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(daemon.openings).toBe(1);
  expect(daemon.logged.some((line) => /message dropped: .*(unknown-type|truncated|bad-protocol)/.test(line))).toBe(
    true,
  );
});

test("a chunk of no size is passed over, and the next message handled", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.raw(encodeChunk(ChunkPort.CLIENT, new Uint8Array(0)));
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(daemon.openings).toBe(1);
});

test("row 11: a host that closes the port finds it open again, and the agent at work", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.close();
  const next = await daemon.host();
  await next.connectViewer();
  expect(daemon.openings).toBe(2);
});

test("row 12: a viewer that leaves in the middle of a message does not spoil the next viewer's", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const half = encodeFrame(ChunkPort.CLIENT, { name: "REPLY", value: { type: 1, error: 1 } }, bareLayout).subarray(
    8,
    30,
  );
  host.raw(encodeChunk(ChunkPort.CLIENT, half));
  host.disconnectViewer();
  expect((await host.connectViewer()).value.request).toBe(false);
});

test("row 13: QEMU's own agent end, which closes at a second announce, stays connected", async () => {
  await using daemon = await daemonUnderTest({ kind: "qemu-vdagent" });
  const host = await daemon.host();
  await host.next("ANNOUNCE_CAPABILITIES");
  host.send({ name: "MOUSE_STATE", value: moved });
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.link.send({ kind: "content-request", requestId: 1, selection: 0, type: 1 });
  await host.next("CLIPBOARD_REQUEST");
  const data = new Uint8Array(5000).fill(0x61);
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: 1 } }, { data });
  const content = await daemon.session.content(await daemon.session.next("content-answer"));
  expect(content.equals(data)).toBe(true);
  expect(daemon.pointerEvents).toHaveLength(3);
  expect({ openings: daemon.openings, violations: host.violations }).toEqual({ openings: 1, violations: [] });
});

test("row 15: 5 MB go out as one message that no host would refuse, and the mouse moves meanwhile", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
  const content = Buffer.alloc(5_000_000, "0123456789");
  const answered = daemon.session.answer(await daemon.session.next("content-request"), content);
  host.send({ name: "MOUSE_STATE", value: moved }, { port: ChunkPort.SERVER });
  const { value, data } = await host.next("CLIPBOARD");
  await answered;
  expect(value).toEqual({ selection: 0, type: ClipboardType.UTF8_TEXT });
  expect(content.equals(data)).toBe(true);
  expect(daemon.pointerEvents).toHaveLength(3);
  expect(host.violations).toEqual([]);
});

test("row 25: a button held down when the viewer leaves is let go", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "MOUSE_STATE", value: { ...moved, buttons: MouseButton.LEFT } }, { port: ChunkPort.SERVER });
  host.disconnectViewer();
  await daemon.session.next("viewer-left");
  expect(daemon.pointerEvents.slice(-2)).toEqual([
    { type: 1, code: 0x110, value: 0 },
    { type: 0, code: 0, value: 0 },
  ]);
});

test.each([true, false])("row 27: a monitors config is answered at once (with millimetres: %s)", async (withMm) => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const physical = withMm ? { physical: { widthMm: 300, heightMm: 170 } } : {};
  const monitor = { width: 1280, height: 720, depth: 32, x: 0, y: 0, ...physical };
  host.send({ name: "MONITORS_CONFIG", value: { monitors: [monitor], usePosition: true } });
  expect((await host.next("REPLY")).value).toEqual({ type: 2, error: ReplyError.SUCCESS });
  expect((await daemon.session.next("monitors-config")).config.monitors).toEqual([monitor]);
});

test("a monitors config too large to be looked at is answered with an error, and the next one is handled", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const bytes = 100_000;
  const header = Buffer.alloc(20);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeUInt32LE(bytes, 16);
  const message = Buffer.concat([header, Buffer.alloc(bytes)]);
  for (let at = 0; at < message.length; at += 2048)
    host.raw(encodeChunk(ChunkPort.CLIENT, message.subarray(at, at + 2048)));
  expect((await host.next("REPLY")).value).toEqual({ type: 2, error: ReplyError.ERROR });
  host.send({ name: "MONITORS_CONFIG", value: { monitors: [], usePosition: true } });
  expect((await host.next("REPLY")).value).toEqual({ type: 2, error: ReplyError.SUCCESS });
  expect(daemon.openings).toBe(1);
});

test("a monitors config that is nonsense is answered with an error and reaches nobody", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const header = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0);
  const thousand = Uint8Array.of(0xe8, 3, 0, 0, 1, 0, 0, 0);
  host.raw(encodeChunk(ChunkPort.CLIENT, Uint8Array.of(...header, ...thousand)));
  expect((await host.next("REPLY")).value).toEqual({ type: 2, error: ReplyError.ERROR });
  expect(daemon.logged.some((line) => line.includes("MONITORS_CONFIG: too-large: 1000 monitors"))).toBe(true);
  expect(daemon.session.messages.map(({ kind }) => kind)).not.toContain("monitors-config");
});

test("rows 42, 43: a copy in the guest is told with serial 0, and its text given when asked for", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  expect((await host.next("CLIPBOARD_GRAB")).value).toEqual({ selection: 0, serial: 0, types: [1] });
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
  await daemon.session.answer(await daemon.session.next("content-request"), text);
  const { value, data } = await host.next("CLIPBOARD");
  expect(value).toEqual({ selection: 0, type: 1 });
  expect([...data]).toEqual([...text]);
});

test("row 47: nothing is asked of the viewer before an application wants it", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  await settled();
  expect(host.unread).toEqual([]);
});

test.each([
  ["NONE", { type: ClipboardType.NONE, refused: true }],
  ["empty text", { type: ClipboardType.UTF8_TEXT, refused: false }],
])("row 48: %s as an answer reaches the application at once", async (_, { type, refused }) => {
  const { daemon, host } = await connected();
  await using __ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.link.send({ kind: "content-request", requestId: 7, selection: 0, type: 1 });
  await host.next("CLIPBOARD_REQUEST");
  host.send({ name: "CLIPBOARD", value: { selection: 0, type } });
  const answer = await daemon.session.next("content-answer");
  expect(answer.bodyId === undefined).toBe(refused);
  if (!refused) expect(await daemon.session.content(answer)).toHaveLength(0);
});

test("row 49: a viewer that never answers is waited for 3 s; what it says later is not heard", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.link.send({ kind: "content-request", requestId: 7, selection: 0, type: 1 });
  await host.next("CLIPBOARD_REQUEST");
  daemon.clock.advance(2999);
  await settled();
  expect(daemon.session.unread).toEqual([]);
  daemon.clock.advance(1);
  expect((await daemon.session.next("content-answer")).bodyId).toBeUndefined();
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: 1 } }, { data: text });
  await settled();
  expect(daemon.session.unread).toEqual([]);
  expect((await host.connectViewer()).value.request).toBe(false);
});

test("what has been answered is waited for no longer", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  const { waiting } = daemon.clock;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.pastes(0);
  await host.next("CLIPBOARD_REQUEST");
  expect(daemon.clock.waiting).toBe(waiting + 1);
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: 1 } }, { data: text });
  await daemon.session.content(await daemon.session.next("content-answer"));
  await settled();
  expect(daemon.clock.waiting).toBe(waiting);
});

test("a viewer that stops in the middle of an answer fails the paste after 5 s, and the link lives on", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.link.send({ kind: "content-request", requestId: 7, selection: 0, type: 1 });
  await host.next("CLIPBOARD_REQUEST");
  const frame = encodeFrame(
    ChunkPort.CLIENT,
    { name: "CLIPBOARD", value: { selection: 0, type: 1 } },
    withPrefixes,
    1000,
  );
  host.raw(encodeChunk(ChunkPort.CLIENT, Buffer.concat([frame.subarray(8), text])));
  const answer = daemon.session.next("content-answer");
  await settled();
  daemon.clock.advance(5000);
  await settled();
  daemon.clock.advance(5000);
  expect(await answer).toMatchObject({ requestId: 7, type: ClipboardType.NONE, bodyId: undefined });
  host.disconnectViewer();
  expect((await host.connectViewer()).value.request).toBe(false);
});

test.each([
  ["that is not the guest's", []],
  ["of a type that was not offered", [1]],
])("row 50: a request for a selection %s is answered NONE, without data", async (_, types) => {
  const { daemon, host } = await connected();
  await using __ = daemon;
  if (types.length > 0) {
    daemon.session.copies(0, types);
    await host.next("CLIPBOARD_GRAB");
  }
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 2 } });
  const { value, data } = await host.next("CLIPBOARD");
  expect(value).toEqual({ selection: 0, type: ClipboardType.NONE });
  expect(data).toHaveLength(0);
});

test("row 51: an owner that goes is told with 4 bytes; a new copy is not preceded by a release", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  daemon.session.copies(0);
  daemon.session.link.send({ kind: "clipboard-release", selection: 0 });
  await host.next("CLIPBOARD_RELEASE");
  expect(host.messages.map(({ name }) => name).slice(1)).toEqual([
    "CLIPBOARD_GRAB",
    "CLIPBOARD_GRAB",
    "CLIPBOARD_RELEASE",
  ]);
});

test("row 52: a release by the viewer takes the selection away in the guest", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  host.send({ name: "CLIPBOARD_RELEASE", value: { selection: 0 } });
  await daemon.session.next("clipboard-grab");
  expect((await daemon.session.next("clipboard-release")).selection).toBe(0);
});

test("row 54: a viewer without selections and serials gets messages without them, and nothing of PRIMARY", async () => {
  await using daemon = await daemonUnderTest({ layout: { selection: false, serial: false } });
  const host = await daemon.host();
  await host.connectViewer([1 << 5]);
  daemon.session.copies(1);
  daemon.session.copies(0);
  expect((await host.next("CLIPBOARD_GRAB")).value).toEqual({ selection: 0, serial: 0, types: [1] });
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
  await daemon.session.answer(await daemon.session.next("content-request"), text);
  expect([...(await host.next("CLIPBOARD")).data]).toEqual([...text]);
  await settled();
  expect(host.unread).toEqual([]);
});

test("row 55: content over the viewer's limit is answered with empty content of its type", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "MAX_CLIPBOARD", value: { max: 10 } });
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  for (const [size, given] of [
    [9, 9],
    [10, 0],
    [1_000_000, 0],
  ] as const) {
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    await daemon.session.answer(await daemon.session.next("content-request"), new Uint8Array(size)).catch(() => {});
    const { value, data } = await host.next("CLIPBOARD");
    expect([value.type, data.length]).toEqual([ClipboardType.UTF8_TEXT, given]);
  }
});

test("row 58: what the viewer asked of an owner that has changed is answered NONE", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
  await daemon.session.next("content-request");
  daemon.session.copies(0);
  expect((await host.next("CLIPBOARD")).value.type).toBe(ClipboardType.NONE);
  await daemon.session.next("content-cancel");
});

test("row 59: when the viewer leaves, what it offered is withdrawn and who waits for it is refused", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.link.send({ kind: "content-request", requestId: 7, selection: 0, type: 1 });
  await host.next("CLIPBOARD_REQUEST");
  host.disconnectViewer();
  expect((await daemon.session.next("content-answer")).bodyId).toBeUndefined();
  await daemon.session.next("clipboard-release");
  daemon.session.link.send({ kind: "content-request", requestId: 8, selection: 0, type: 1 });
  expect((await daemon.session.next("content-answer")).requestId).toBe(8);
});

test("row 61: what was copied before a viewer came is offered to it", async () => {
  await using daemon = await daemonUnderTest();
  daemon.session.copies(0);
  const host = await daemon.host();
  await host.connectViewer();
  expect((await host.next("CLIPBOARD_GRAB")).value).toEqual({ selection: 0, serial: 0, types: [1] });
});

test("a copy in the guest that crosses a copy of the viewer's on its way to the daemon is over", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  daemon.session.copies(0, [1], 0);
  await settled();
  expect(host.unread).toEqual([]);
  daemon.session.copies(0);
  expect((await host.next("CLIPBOARD_GRAB")).value.serial).toBe(1);
});

test("a viewer that announces itself twice is a new one: buttons are let go, and what the first offered is gone", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.send({ name: "MOUSE_STATE", value: { ...moved, buttons: MouseButton.LEFT } }, { port: ChunkPort.SERVER });
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [1] } });
  await daemon.session.next("clipboard-grab");
  await host.connectViewer();
  await daemon.session.next("clipboard-release");
  expect(daemon.pointerEvents.at(-2)).toEqual({ type: 1, code: 0x110, value: 0 });
});

test("a disk that takes nothing gets the viewer NONE, and the link lives on", async () => {
  vi.stubEnv("TMPDIR", "/nonexistent");
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
  const content = new Uint8Array(20 * 1024 * 1024);
  const answered = daemon.session.answer(await daemon.session.next("content-request"), content).catch(() => {});
  expect((await host.next("CLIPBOARD")).value.type).toBe(ClipboardType.NONE);
  await answered;
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(daemon.openings).toBe(1);
  vi.unstubAllEnvs();
});

test("a fault of ours in sending a body is not taken for the host's", async () => {
  const { daemon, host } = await connected();
  const fault = new TypeError("ours");
  const read = vi.spyOn(Spool.prototype, "read").mockRejectedValue(fault);
  const unhandled = await unhandledIn(async () => {
    daemon.session.copies(0);
    await host.next("CLIPBOARD_GRAB");
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    await daemon.session.answer(await daemon.session.next("content-request"), text);
    await settled();
  });
  read.mockRestore();
  expect(unhandled).toBe(fault);
  expect(daemon.openings).toBe(1);
  // The process has ended by then.
  await expect(daemon[Symbol.asyncDispose]()).rejects.toBe(fault);
});

test("a host that asks for content and does not read it is given up after some tens of answers", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.stopReading();
  let answered = 0;
  while (daemon.openings === 1 && answered < 10_000) {
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    await daemon.session.answer(await daemon.session.next("content-request"), new Uint8Array(100_000)).catch(() => {});
    answered += 1;
    if (daemon.logged.some((line) => line.includes("does not read"))) break;
  }
  expect(answered).toBeLessThan(200);
});

test("what waits to be sent when the viewer leaves does not reach the next viewer", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  daemon.session.copies(0);
  await host.next("CLIPBOARD_GRAB");
  host.stopReading();
  for (let round = 0; round < 5; round += 1) {
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: 1 } });
    await daemon.session.answer(await daemon.session.next("content-request"), new Uint8Array(100_000));
  }
  await settled();
  host.disconnectViewer();
  host.announce(true);
  await settled();
  host.readOn();
  await host.next("ANNOUNCE_CAPABILITIES");
  const names = host.messages.map(({ name }) => name);
  // One may have been on its way; the rest was not for this viewer.
  expect(names.filter((name) => name === "CLIPBOARD").length).toBeLessThanOrEqual(1);
  expect(host.violations).toEqual([]);
});

test("a host that asks and asks and never reads is given up, and what waits for it with it", async () => {
  const { daemon, host } = await connected();
  await using _ = daemon;
  host.stopReading();
  const config = { name: "MONITORS_CONFIG", value: { monitors: [], usePosition: true } } as const;
  for (let count = 0; count < 200_000 && daemon.openings === 1; count += 1) {
    host.send(config);
    if (count % 1000 === 0) await settled(1);
  }
  await daemon.host();
  expect(daemon.logged.some((line) => line.includes("the host does not read"))).toBe(true);
}, 30_000);
