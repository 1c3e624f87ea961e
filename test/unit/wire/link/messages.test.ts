import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeLinkFrame,
  type LinkFrame,
  LinkFrameStream,
  MAX_STREAMED_DATA_BYTES,
} from "../../../../src/wire/link/frame.ts";
import {
  decodeLinkMessage,
  encodeLinkMessage,
  type LinkMessage,
  LinkType,
} from "../../../../src/wire/link/messages.ts";
import { bytesOf, type Fixture } from "../../../fixtures/fixture.ts";
import { badLinkFrames, linkFrames } from "../../../fixtures/link-frames.ts";
import { codeOf } from "../decode-error.ts";
import { testFixture } from "../fixture-tests.ts";
import { i32, monitorsConfigs, u16, u32 } from "../message-arbitraries.ts";

function frameOf(bytes: Uint8Array): LinkFrame {
  const frames: LinkFrame[] = [];
  const sink = {
    frame: (frame: LinkFrame) => void frames.push(frame),
    // Its data is the content, and no part of the message.
    dataBegin: (head: Omit<LinkFrame, "data">) => void frames.push({ ...head, data: new Uint8Array(0) }),
    dataPiece: () => {},
    dataEnd: () => {},
  };
  const streamed = [LinkType.CLIPBOARD_DATA, LinkType.FILE_XFER_DATA];
  new LinkFrameStream(sink, new Map(streamed.map((type) => [type, MAX_STREAMED_DATA_BYTES]))).push(bytes);
  const [only] = frames;
  if (only === undefined || frames.length !== 1) throw new Error(`${frames.length} frames`);
  return only;
}

for (const fixture of linkFrames) {
  testFixture<LinkMessage, Fixture<LinkMessage>>(fixture, {
    parse: (bytes) => decodeLinkMessage(frameOf(bytes)),
    generate: (message) => encodeLinkFrame(encodeLinkMessage(message)),
  });
}

describe("a frame that is no message", () => {
  it.each(badLinkFrames)("$title is refused as $code", (fixture) => {
    const frame = frameOf(bytesOf(fixture));
    expect(codeOf(() => decodeLinkMessage(frame))).toBe(fixture.code);
  });
});

const selection = fc.constantFrom(0 as const, 1 as const, 2 as const);
const bodyId = fc.integer({ min: 1, max: 0xffffffff });
const kind = <K extends LinkMessage["kind"]>(name: K) => fc.constant(name);

/** Any text that can stand before a NUL. */
const text = fc.string({ unit: "binary", maxLength: 60 }).map((value) => value.replaceAll("\0", ""));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const place = { displayId: u32, width: i32, height: i32, x: i32, y: i32 };
const cell = i32.map((value) => (value === 0 ? 0 : value / 65_536));
const turned = fc.record({
  width: u32,
  height: u32,
  rotation: fc.integer({ min: 1, max: 63 }),
  transform: fc.array(cell, { minLength: 9, maxLength: 9 }),
});
const display = fc.oneof(fc.record(place), fc.record({ ...place, turned }));

const anyMessage: fc.Arbitrary<LinkMessage> = fc.oneof(
  fc.record({
    kind: kind("desktop-geometry"),
    geometry: fc.record({ width: u32, height: u32, displays: fc.array(display, { maxLength: 256 }) }),
  }),
  fc.record({ kind: kind("monitors-config"), config: monitorsConfigs }),
  fc.record({ kind: kind("clipboard-grab"), selection, types: fc.array(u32, { maxLength: 256 }), offer: u32 }),
  fc.record({ kind: kind("clipboard-kept"), selection, types: fc.array(u32, { maxLength: 256 }), offer: u32 }),
  fc.record({
    kind: kind("clipboard-refused"),
    direction: fc.constantFrom("host-to-guest", "guest-to-host"),
    reason: fc.constantFrom("direction", "selection", "type", "size"),
  }),
  fc.record({ kind: kind("clipboard-release"), selection }),
  fc.record({ kind: kind("effects-request"), requestId: u32, flags: u32 }),
  fc.record({ kind: kind("effects-answer"), requestId: u32, isDone: fc.boolean() }),
  fc.record({ kind: kind("viewer-left") }),
  fc.record({ kind: kind("version"), version: text }),
  fc.record({ kind: kind("hello"), extension: u32, version: text }),
  fc.record({ kind: kind("clipboard-request"), selection, type: u32 }),
  fc.record({ kind: kind("clipboard-data"), selection, type: u32 }),
  fc.record({
    kind: kind("audio-volume"),
    volume: fc.record({ isPlayback: fc.boolean(), mute: fc.boolean(), volume: fc.array(u16, { maxLength: 255 }) }),
  }),
  fc.record({ kind: kind("file-transfer-disabled") }),
  fc.record({ kind: kind("file-start"), fileId: u32, name: text, size: u64 }),
  fc.record({ kind: kind("file-cancelled"), fileId: u32 }),
  fc.record({ kind: kind("file-result"), fileId: u32, result: u32 }),
  fc.record({ kind: kind("file-result"), fileId: u32, result: fc.constant(2), gioError: u32 }),
  fc.record({ kind: kind("file-result"), fileId: u32, result: fc.constant(4), freeBytes: u64 }),
  fc.record({ kind: kind("file-body"), fileId: u32, bodyId: u32 }),
  fc.record({ kind: kind("file-queue"), files: u32, bytes: u64 }),
  fc.record({ kind: kind("files-cancel") }),
  fc.record({
    kind: kind("graphics-device-info"),
    info: fc.record({
      displays: fc.array(fc.record({ channelId: u32, monitorId: u32, deviceDisplayId: u32, deviceAddress: text }), {
        maxLength: 16,
      }),
    }),
  }),
  fc.record({
    kind: kind("session-report"),
    features: fc.array(fc.record({ feature: text, driver: text, fault: text }), { maxLength: 64 }),
  }),
  fc.record({ kind: kind("content-request"), requestId: u32, selection, type: u32 }),
  fc.record({
    kind: kind("content-answer"),
    requestId: u32,
    type: u32,
    bodyId: fc.option(bodyId, { nil: undefined }),
    bytes: fc.option(fc.maxSafeNat(), { nil: undefined }),
  }),
  fc.record({ kind: kind("content-cancel"), requestId: u32 }),
  fc.record({ kind: kind("body-piece"), bodyId, piece: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({ kind: kind("body-end"), bodyId, complete: fc.boolean() }),
  fc.record({ kind: kind("body-credit"), bodyId, bytes: u32 }),
  fc.record({ kind: kind("body-cancel"), bodyId }),
);

describe("any link message", () => {
  it("is the same after encoding and decoding", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeLinkMessage(frameOf(encodeLinkFrame(encodeLinkMessage(message))))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });
});

describe("any link frame", () => {
  it("is a message or a DecodeError", () => {
    const types = fc.oneof(fc.nat(16), fc.integer({ min: 0x1000, max: 0x1033 }), u32);
    const anyFrame = fc.record({ type: types, arg1: u32, arg2: u32, data: fc.uint8Array({ maxLength: 100 }) });
    fc.assert(
      fc.property(anyFrame, (frame) => {
        codeOf(() => decodeLinkMessage(frame));
      }),
      { numRuns: 2000 },
    );
  });
});
