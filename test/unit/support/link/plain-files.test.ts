// Rows 65, 82: files as upstream's halves carry them, and what they look like on our side.
import { afterEach, describe, expect, it } from "vitest";
import type { IncomingBody, LinkControlMessage } from "../../../../src/support/link/dialect.ts";
import { PlainFiles } from "../../../../src/support/link/plain-files.ts";
import { DecodeError } from "../../../../src/wire/bytes.ts";
import { encodeLinkFrame, LinkFrameStream } from "../../../../src/wire/link/frame.ts";
import { LinkType } from "../../../../src/wire/link/messages.ts";
import { bytesOf, connectedPair, End, failure, KIB, MIB, RawEnd, scattered, settled, until } from "./link-end.ts";

let end: End;
let raw: RawEnd;
/** Of our end, by the file's number. */
let bodies: Map<number, IncomingBody>;
/** Frames that our end has sent. */
let frames: { readonly type: number; readonly arg1: number; readonly arg2: number; readonly data: Buffer }[];

async function begin(role: "daemon" | "session"): Promise<void> {
  const [left, right] = connectedPair();
  end = new End(left, role);
  bodies = new Map();
  end.onMessage = (message: LinkControlMessage) => {
    if (message.kind === "file-body") bodies.set(message.fileId, end.link.incomingBody(message.bodyId));
  };
  frames = [];
  const heard = new LinkFrameStream(
    {
      frame: (frame) => void frames.push({ ...frame, data: Buffer.from(frame.data) }),
      dataBegin: () => {},
      dataPiece: () => {},
      dataEnd: () => {},
    },
    new Map(),
  );
  right.on("data", (bytes: Uint8Array) => heard.push(bytes));
  raw = new RawEnd(right);
  if (role === "daemon") raw.send({ kind: "desktop-geometry", geometry: { width: 0, height: 0, displays: [] } });
  else raw.send({ kind: "version", version: "0.22.1" }, { kind: "clipboard-release", selection: 0 });
  if (role === "session") end.clock.advance(1000);
  await until(() => end.messages.length === 1);
  expect(end.link.dialect).toBe("plain");
  end.messages.length = 0;
  frames.length = 0;
}

afterEach(async () => {
  await end.link[Symbol.asyncDispose]();
});

function data(fileId: number, bytes: Uint8Array): void {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(fileId, 0);
  head.writeBigUInt64LE(BigInt(bytes.length), 4);
  const all = Buffer.concat([head, bytes]);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(LinkType.FILE_XFER_DATA, 0);
  header.writeUInt32LE(all.length, 12);
  raw.raw(Buffer.concat([header, all]));
}

describe("our session with upstream's daemon", () => {
  it("has a body as soon as the first bytes come, which ends with the last", async () => {
    await begin("session");
    raw.send({ kind: "file-start", fileId: 3, name: "a", size: BigInt(MIB) });
    await until(() => end.messages.some(({ kind }) => kind === "file-start"));
    expect(bodies.size).toBe(0);
    const content = scattered(MIB);
    for (let at = 0; at < MIB; at += 64 * KIB) data(3, content.subarray(at, at + 64 * KIB));
    await until(() => bodies.size === 1);
    expect((await bytesOf(bodies.get(3) as IncomingBody)).equals(content)).toBe(true);
    end.link.send({ kind: "file-result", fileId: 3, result: 3, gioError: 5 });
    await until(() => frames.length === 1);
    // Upstream's daemon knows no details of errors.
    expect(frames[0]).toMatchObject({ type: 9, arg1: 3, arg2: 3, data: Buffer.alloc(0) });
  });

  it("an empty file has a body, too", async () => {
    await begin("session");
    raw.send({ kind: "file-start", fileId: 3, name: "a", size: 0n });
    data(3, new Uint8Array(0));
    await until(() => bodies.size === 1);
    expect((await bytesOf(bodies.get(3) as IncomingBody)).length).toBe(0);
  });

  it("says how much room there is", async () => {
    await begin("session");
    end.link.send({ kind: "file-result", fileId: 3, result: 4, freeBytes: 258n });
    await until(() => frames.length === 1);
    expect(frames[0]).toMatchObject({ type: 9, arg1: 3, arg2: 4, data: Buffer.from([2, 1, 0, 0, 0, 0, 0, 0]) });
  });

  it.each(["file-cancelled", "viewer-left"] as const)("%s ends the body", async (kind) => {
    await begin("session");
    raw.send({ kind: "file-start", fileId: 3, name: "a", size: 100n });
    data(3, new Uint8Array(10));
    await until(() => bodies.size === 1);
    const ended = failure(bytesOf(bodies.get(3) as IncomingBody));
    raw.send(kind === "viewer-left" ? { kind } : { kind, fileId: 3 });
    expect(await ended).toBe("body.failed");
    data(3, new Uint8Array(10));
    raw.send({ kind: "viewer-left" });
    await settled();
    expect([bodies.size, end.closed]).toEqual([1, 0]);
  });

  it("bytes of a file that nobody knows, or that are none, harm nothing", async () => {
    await begin("session");
    data(9, scattered(100 * KIB));
    raw.frame({ type: LinkType.FILE_XFER_DATA, arg1: 0, arg2: 0, data: new Uint8Array(5) });
    raw.raw(encodeLinkFrame({ type: LinkType.FILE_XFER_DATA, arg1: 0, arg2: 0, data: new Uint8Array(0) }));
    raw.send({ kind: "clipboard-release", selection: 1 });
    await until(() => end.messages.length === 1);
    expect([bodies.size, end.closed]).toEqual([0, 0]);
  });
});

describe("our daemon with upstream's session", () => {
  it("says a start with its key file, and bytes in frames with number and size", async () => {
    await begin("daemon");
    end.link.send({ kind: "file-start", fileId: 3, name: "a b", size: 40_000n });
    const body = end.link.openFileBody(3);
    const content = scattered(40_000);
    await body.write(content);
    body.end(true);
    await until(() => frames.length === 3);
    const [start, ...pieces] = frames;
    expect(start?.data.toString("latin1")).toBe("\x03\0\0\0[vdagent-file-xfer]\nname=a b\nsize=40000\n\0");
    for (const { type, data: bytes } of pieces)
      expect([type, bytes.readUInt32LE(0), bytes.readBigUInt64LE(4)]).toEqual([10, 3, BigInt(bytes.length - 12)]);
    expect(Buffer.concat(pieces.map(({ data: bytes }) => bytes.subarray(12))).equals(content)).toBe(true);
  });

  it("a file that a session begins is nothing to it, and not kept", async () => {
    await begin("daemon");
    raw.send({ kind: "file-start", fileId: 3, name: "a", size: 10n }, { kind: "clipboard-release", selection: 0 });
    data(3, new Uint8Array(10));
    raw.send({ kind: "clipboard-release", selection: 1 });
    await until(() => end.messages.length === 2);
    expect(end.messages.map(({ kind }) => kind)).toEqual(["clipboard-release", "clipboard-release"]);
    expect(end.logged.lines.filter((line) => line.includes("from a session"))).toHaveLength(1);
  });

  it("an empty file is one frame without bytes", async () => {
    await begin("daemon");
    end.link.openFileBody(3).end(true);
    await until(() => frames.length === 1);
    expect(frames[0]?.data).toEqual(Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  });

  it("stops when it is cancelled", async () => {
    await begin("daemon");
    const body = end.link.openFileBody(3);
    end.link.send({ kind: "file-cancelled", fileId: 3 });
    expect(await failure(body.write(new Uint8Array(10)))).toBe("link.closed");
    body.end(false);
    await settled();
    expect(frames.map(({ type, data: bytes }) => [type, bytes.length])).toEqual([[9, 8]]);
  });

  it("a result is told, and what only ours say to each other is not sent", async () => {
    await begin("daemon");
    end.link.send({ kind: "file-queue", files: 3, bytes: 5n });
    raw.frame({ type: 9, arg1: 3, arg2: 0, data: new Uint8Array(0) });
    raw.frame({ type: 9, arg1: 3, arg2: 4, data: Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0) });
    raw.frame({ type: 9, arg1: 3, arg2: 4, data: new Uint8Array(0) });
    await until(() => end.messages.length === 3);
    expect(end.messages).toEqual([
      { kind: "file-result", fileId: 3, result: 0 },
      { kind: "file-result", fileId: 3, result: 4, freeBytes: 257n },
      { kind: "file-result", fileId: 3, result: 4 },
    ]);
    expect(frames).toEqual([]);
  });

  it("a file and the clipboard do not get into each other", async () => {
    await begin("daemon");
    raw.send({ kind: "clipboard-request", selection: 0, type: 1 });
    await until(() => end.messages.length === 1);
    const request = end.messages[0];
    if (request?.kind !== "content-request") throw new Error("no request");
    const text = end.link.openBody();
    end.link.send({ kind: "content-answer", requestId: request.requestId, type: 1, bodyId: text.id });
    const file = end.link.openFileBody(3);
    const writing = file.write(scattered(300 * KIB));
    await text.write(scattered(60 * KIB));
    text.end(true);
    await writing;
    file.end(true);
    await until(() => frames.filter(({ type }) => type === 10).length === 10 && frames.some(({ type }) => type === 4));
    expect(frames.find(({ type }) => type === 4)?.data.equals(scattered(60 * KIB))).toBe(true);
    const pieces = frames.filter(({ type }) => type === 10).map(({ data: bytes }) => bytes.subarray(12));
    expect(Buffer.concat(pieces).equals(scattered(300 * KIB))).toBe(true);
  });
});

it("files are begun without end: those beyond the bound are refused, and those that are over make room", () => {
  const files = new PlainFiles(() => {
    throw new Error("no bytes have come");
  });
  for (let fileId = 0; fileId < 110_000; fileId += 1) files.started(fileId, 1n);
  expect(() => files.started(110_000, 1n)).toThrow(DecodeError);
  files.started(5, 1n);
  files.over(6);
  files.started(110_000, 1n);
});
