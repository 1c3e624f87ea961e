// The link whatever it is spoken: messages in order, nonsense passed over, and one end of it all.
import { duplexPair } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LinkControlMessage } from "../../../../src/support/link/dialect.ts";
import type { LinkMessage } from "../../../../src/wire/link/messages.ts";
import {
  answer,
  bytesOf,
  connectedPair,
  End,
  encoded,
  failure,
  KIB,
  numbered,
  RawEnd,
  settled,
  until,
} from "./link-end.ts";

const greeting: Readonly<Record<"extended" | "plain", LinkMessage>> = {
  extended: { kind: "hello", extension: 1, version: "test" },
  plain: { kind: "viewer-left" },
};

describe("messages between two of ours", () => {
  let near: End;
  let far: End;

  beforeEach(async () => {
    const [left, right] = connectedPair();
    near = new End(left, "daemon");
    far = new End(right, "session");
    await until(() => near.isReady && far.isReady);
  });

  afterEach(async () => {
    await near.link[Symbol.asyncDispose]();
    await far.link[Symbol.asyncDispose]();
  });

  it("arrive in the order in which they were sent, both ways", async () => {
    const sent = Array.from({ length: 200 }, (_, requestId) => ({ kind: "content-cancel", requestId }) as const);
    for (const message of sent) {
      near.link.send(message);
      far.link.send(message);
    }
    await until(() => near.messages.length === 200 && far.messages.length === 200);
    expect(far.messages).toEqual(sent);
    expect(near.messages).toEqual(sent);
  });

  it("arrive as they were sent when they are large, and in their order among small ones", async () => {
    const monitor = { width: 640, height: 480, depth: 32, x: -5, y: 7 };
    const many = Array.from({ length: 256 }, () => monitor);
    const sent: LinkControlMessage[] = [1, 2, 255, 3, 170, 171, 256].map((count) => ({
      kind: "monitors-config",
      config: { monitors: many.slice(0, count), usePosition: false },
    }));
    for (const message of sent) near.link.send(message);
    await until(() => far.messages.length === sent.length);
    expect(far.messages).toEqual(sent);
  });

  it("of every kind pass", async () => {
    const sent: LinkControlMessage[] = [
      { kind: "audio-volume", volume: { isPlayback: false, mute: true, volume: [1, 65535] } },
      { kind: "file-transfer-disabled" },
      {
        kind: "graphics-device-info",
        info: { displays: [{ channelId: 0, monitorId: 1, deviceDisplayId: 2, deviceAddress: "pci/0000/02.0" }] },
      },
      { kind: "session-report", features: [{ feature: "display", driver: "randr", fault: "" }] },
      { kind: "clipboard-grab", selection: 1, types: [1], offer: 9 },
      { kind: "clipboard-release", selection: 1 },
      { kind: "viewer-left" },
    ];
    for (const message of sent) near.link.send(message);
    await until(() => far.messages.length === sent.length);
    expect(far.messages).toEqual(sent);
  });

  it("are not sent on a link that is closed", async () => {
    await near.link[Symbol.asyncDispose]();
    near.link.send({ kind: "viewer-left" });
    await until(() => far.closed === 1);
    expect(far.messages).toEqual([]);
  });

  it("are not delivered any more once the receiver has closed the link, even if they came with the one before", async () => {
    far.onMessage = () => {
      void far.link[Symbol.asyncDispose]();
    };
    near.link.send({ kind: "content-cancel", requestId: 1 });
    near.link.send({ kind: "content-cancel", requestId: 2 });
    await until(() => near.closed === 1);
    expect([far.messages.length, far.closed]).toEqual([1, 1]);
  });

  it("that are larger than a frame may be do not cost the link", async () => {
    // As a host can make it: within its 64 KiB, and a byte longer for each display when it is written again.
    const display = { channelId: 0, monitorId: 0, deviceDisplayId: 0, deviceAddress: "" };
    near.link.send({ kind: "graphics-device-info", info: { displays: Array.from({ length: 4000 }, () => display) } });
    near.link.send({ kind: "viewer-left" });
    await settled();
    expect([near.closed, far.closed]).toEqual([0, 0]);
    expect(far.messages.at(-1)).toEqual({ kind: "viewer-left" });
  });
});

describe.each(["extended", "plain"] as const)("an end that speaks the %s dialect", (dialect) => {
  let end: End;
  let raw: RawEnd;

  beforeEach(async () => {
    const [left, right] = connectedPair();
    end = new End(left, "daemon");
    raw = new RawEnd(right);
    raw.send(greeting[dialect]);
    await until(() => end.isReady);
    await settled();
    expect(end.link.dialect).toBe(dialect);
    end.messages.length = 0;
    raw.heard.length = 0;
  });

  afterEach(async () => {
    await end.link[Symbol.asyncDispose]();
  });

  it("ignores a message that is nonsense, says so, and goes on", async () => {
    raw.frame({ type: 99, arg1: 0, arg2: 0, data: numbered(5) });
    raw.frame({ type: 2, arg1: 77, arg2: 0, data: new Uint8Array(0) });
    raw.send({ kind: "viewer-left" });
    await until(() => end.messages.length > 0);
    expect(end.messages).toEqual([{ kind: "viewer-left" }]);
    expect(end.logged.lines.map((line) => line.replace(/:[^:]*$/, ""))).toEqual([
      "warn: message ignored: unknown-type",
      "warn: message ignored: bad-value",
    ]);
    expect(end.closed).toBe(0);
  });

  const elsewhere: Readonly<Record<"extended" | "plain", readonly LinkMessage[]>> = {
    extended: [
      { kind: "version", version: "0.22.1" },
      { kind: "hello", extension: 1, version: "again" },
      { kind: "clipboard-request", selection: 0, type: 1 },
      { kind: "clipboard-data", selection: 0, type: 1 },
    ],
    plain: [
      { kind: "version", version: "0.22.1" },
      { kind: "hello", extension: 2, version: "too late" },
      { kind: "content-request", requestId: 1, selection: 0, type: 1 },
      { kind: "content-answer", requestId: 1, type: 1, bodyId: 3, bytes: 5 },
      { kind: "content-cancel", requestId: 1 },
      { kind: "session-report", features: [] },
      { kind: "body-piece", bodyId: 3, piece: numbered(5) },
      { kind: "body-end", bodyId: 3, complete: true },
      { kind: "body-credit", bodyId: 3, bytes: 5 },
      { kind: "body-cancel", bodyId: 3 },
    ],
  };

  it.each(elsewhere[dialect])("ignores $kind, which has no place in it, and goes on", async (message) => {
    raw.send(message, { kind: "clipboard-release", selection: 2 });
    await until(() => end.messages.length > 0);
    expect(end.messages).toEqual([{ kind: "clipboard-release", selection: 2 }]);
    expect(end.logged.lines).toEqual([expect.stringMatching(/^warn: message ignored: bad-value: /)]);
    expect([raw.heard, end.closed]).toEqual([[], 0]);
  });

  it("reads over content nobody asked for, however much, and goes on", async () => {
    raw.content(0, 1, numbered(300 * KIB));
    raw.content(0, 0, new Uint8Array(0));
    raw.send({ kind: "clipboard-release", selection: 2 });
    await until(() => end.messages.length > 0);
    expect(end.messages).toEqual([{ kind: "clipboard-release", selection: 2 }]);
    expect(end.logged.lines).toHaveLength(2);
    expect(end.closed).toBe(0);
  });

  it("is closed when a frame is larger than any", async () => {
    const header = encoded({ kind: "viewer-left" });
    new DataView(header.buffer).setUint32(12, 64 * KIB, true);
    raw.raw(header);
    await until(() => end.closed > 0);
    expect(end.logged.lines.join()).toContain("error: closing: too-large");
    await settled();
    expect(end.closed).toBe(1);
    expect(raw.isClosed).toBe(true);
  });

  it("is closed when the other end is gone, in the midst of a frame too", async () => {
    raw.raw(encoded({ kind: "viewer-left" }).subarray(0, 9));
    raw.duplex.end();
    await until(() => end.closed > 0);
    expect(end.messages).toEqual([]);
  });

  it("has no bodies any more when it is closed, in either direction", async () => {
    await end.link[Symbol.asyncDispose]();
    const out = end.link.openBody();
    expect(out.signal.aborted).toBe(true);
    expect(await failure(out.write(numbered(1)))).toBe("link.closed");
    out.end(true);
    out.abandon();
    end.link.send(answer(1, out.id));
    expect(await failure(bytesOf(end.link.incomingBody(7)))).toBe("body.failed");
  });

  it("writes nothing to a line that is gone, and is closed once", async () => {
    raw.duplex.destroy();
    end.link.send({ kind: "viewer-left" });
    await until(() => end.closed > 0);
    end.link.send({ kind: "viewer-left" });
    await end.link[Symbol.asyncDispose]();
    await settled();
    expect(end.closed).toBe(1);
  });
});

it("a link that was closed for a frame too large hears nothing of what had come with it, nor is it ready then", async () => {
  const [left, right] = connectedPair();
  const end = new End(left, "daemon");
  const raw = new RawEnd(right);
  const header = encoded({ kind: "viewer-left" });
  new DataView(header.buffer).setUint32(12, 0xffffffff, true);
  raw.raw(header);
  raw.content(0, 1, numbered(5));
  raw.send({ kind: "viewer-left" });
  await until(() => end.closed > 0);
  await settled();
  expect(end.calls).toEqual(["closed"]);
  expect(end.logged.lines).toHaveLength(1);
});

it("a link is closed once when the other end breaks with an error", async () => {
  const [left] = duplexPair();
  const broken = new End(left, "daemon");
  left.destroy(new Error("reset by peer"));
  await until(() => broken.closed > 0);
  await settled();
  expect([broken.closed, broken.logged.lines]).toEqual([1, ["warn: lost: reset by peer"]]);
});
