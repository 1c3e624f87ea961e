import { beforeEach, describe, expect, it } from "vitest";
import { AgentMessageType, ChunkPort } from "../../../src/wire/agent-constants.ts";
import { encodeChunk, encodeChunks, encodeFrame, messageHeader } from "../../../src/wire/agent-frame.ts";
import {
  AgentStream,
  type AgentStreamSink,
  MAX_CHUNK_BYTES,
  MAX_SKIPPED_BYTES,
  MAX_STREAMED_BYTES,
  MAX_WHOLE_BYTES,
} from "../../../src/wire/agent-stream.ts";
import { ByteWriter } from "../../../src/wire/bytes.ts";
import { type AgentMessage, streamedHeadSize } from "../../../src/wire/catalogue.ts";
import { memoryInUse } from "../../fakes/memory-in-use.ts";
import { layouts } from "../../fixtures/layouts.ts";
import { codeOf } from "./decode-error.ts";
import { RecordingSink, type StreamEvent } from "./recording-sink.ts";

const { CLIENT, SERVER } = ChunkPort;
const layout = layouts.full;
const CLIPBOARD_HEAD = 8;

let sink: RecordingSink;
let stream: AgentStream;

function newStream(into: AgentStreamSink): AgentStream {
  return new AgentStream(into, { headSize: (type) => streamedHeadSize(type, layout) });
}

beforeEach(() => {
  sink = new RecordingSink();
  stream = newStream(sink);
});

const good: AgentMessage = { name: "MAX_CLIPBOARD", value: { max: 4711 } };
const goodBody = Uint8Array.of(0x67, 0x12, 0, 0);
const goodFrame = encodeFrame(CLIENT, good, layout);

function goodOn(port: number): StreamEvent {
  return { kind: "message", port, type: AgentMessageType.MAX_CLIPBOARD, body: goodBody };
}

/** A message header that says what it is told to say, and bytes after it. */
function message(type: number, size: number, body: Uint8Array = new Uint8Array(0), protocol = 1): Uint8Array {
  const writer = new ByteWriter(messageHeader.size + body.length);
  messageHeader.write(writer, { protocol, type, opaque: 0n, size });
  writer.put(body);
  return writer.finish();
}

function pushAll(...chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) stream.push(chunk);
}

/** The same bytes in chunks of 2048. */
function inChunks(port: number, bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 2048) chunks.push(encodeChunk(port, bytes.subarray(at, at + 2048)));
  return chunks;
}

describe("bytes that are dropped, while the stream goes on", () => {
  it("a message of unknown type is passed over and the next one is delivered", () => {
    pushAll(encodeChunk(CLIENT, message(17, 5, new Uint8Array(5))), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "unknown-type" }, goodOn(CLIENT)]);
  });

  it("a message of unknown type without a body is passed over and the next one is delivered", () => {
    pushAll(encodeChunk(SERVER, message(0, 0)), encodeFrame(SERVER, good, layout));
    expect(sink.events).toEqual([{ kind: "dropped", port: SERVER, code: "unknown-type" }, goodOn(SERVER)]);
  });

  it("a message of unknown type over many chunks is counted off and the next one is delivered", () => {
    pushAll(...inChunks(CLIENT, message(99, MAX_SKIPPED_BYTES, new Uint8Array(MAX_SKIPPED_BYTES))), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "unknown-type" }, goodOn(CLIENT)]);
  });

  it("a message of another protocol is dropped with its chunk and the next one is delivered", () => {
    pushAll(encodeChunk(CLIENT, message(1, 13, new Uint8Array(13), 2)), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "bad-protocol" }, goodOn(CLIENT)]);
  });

  it("a message of another protocol is dropped once, in however many pieces its chunk comes", () => {
    for (const byte of encodeChunk(CLIENT, message(1, 13, new Uint8Array(13), 0))) stream.push(Uint8Array.of(byte));
    stream.push(goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "bad-protocol" }, goodOn(CLIENT)]);
  });

  it("a chunk that is a header of another protocol and nothing else does not cost the next message", () => {
    pushAll(encodeChunk(CLIENT, message(1, 13, new Uint8Array(0), 7)), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "bad-protocol" }, goodOn(CLIENT)]);
  });

  it("an empty chunk is dropped and the next message is delivered", () => {
    pushAll(encodeChunk(CLIENT, new Uint8Array(0)), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "chunk-empty" }, goodOn(CLIENT)]);
  });

  it("an empty chunk amid a message does not harm the message", () => {
    const [first, second] = encodeChunks(CLIENT, good, layout, undefined, 22);
    pushAll(first ?? goodFrame, encodeChunk(CLIENT, new Uint8Array(0)), second ?? goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "chunk-empty" }, goodOn(CLIENT)]);
  });

  it("a message too large to be handed on whole is counted off and the next one is delivered", () => {
    const size = MAX_WHOLE_BYTES + 1;
    pushAll(...inChunks(CLIENT, message(AgentMessageType.MONITORS_CONFIG, size, new Uint8Array(size))), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "too-large" }, goodOn(CLIENT)]);
  });

  it("a streamed message shorter than its head is passed over and the next one is delivered", () => {
    pushAll(encodeChunk(CLIENT, message(AgentMessageType.CLIPBOARD, 7, new Uint8Array(7))), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "truncated" }, goodOn(CLIENT)]);
  });

  it("a streamed message without even a head is passed over and the next one is delivered", () => {
    pushAll(encodeChunk(CLIENT, message(AgentMessageType.FILE_XFER_DATA, 0)), goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: CLIENT, code: "truncated" }, goodOn(CLIENT)]);
  });

  it("bytes after the end of a message in its chunk are dropped, once, and the next message is delivered", () => {
    const overrun = Buffer.concat([message(AgentMessageType.MAX_CLIPBOARD, 4, goodBody), Buffer.alloc(100)]);
    pushAll(encodeChunk(CLIENT, overrun), goodFrame);
    expect(sink.events).toEqual([
      goodOn(CLIENT),
      { kind: "dropped", port: CLIENT, code: "chunk-overrun" },
      goodOn(CLIENT),
    ]);
  });

  it("bytes after the end of a message are dropped too when they look like another message", () => {
    const two = Buffer.concat([
      message(AgentMessageType.MAX_CLIPBOARD, 4, goodBody),
      message(AgentMessageType.MAX_CLIPBOARD, 4, goodBody),
    ]);
    stream.push(encodeChunk(CLIENT, two));
    expect(sink.events).toEqual([goodOn(CLIENT), { kind: "dropped", port: CLIENT, code: "chunk-overrun" }]);
  });

  it("bytes after the end of a message are dropped when they come later than the message", () => {
    const chunk = encodeChunk(CLIENT, Buffer.concat([message(13, 0), Buffer.alloc(40)]));
    for (const byte of chunk) stream.push(Uint8Array.of(byte));
    stream.push(goodFrame);
    expect(sink.events.map(({ kind }) => kind)).toEqual(["message", "dropped", "message"]);
    expect(sink.droppedCodes).toEqual(["chunk-overrun"]);
  });

  it("bytes after the end of a streamed message are not taken for its data", () => {
    const chunk = Buffer.concat([message(AgentMessageType.CLIPBOARD, 8 + 2, new Uint8Array(8 + 2)), Buffer.alloc(30)]);
    pushAll(encodeChunk(CLIENT, chunk), goodFrame);
    expect(sink.gathered()).toEqual([
      { kind: "begin", port: CLIENT, type: AgentMessageType.CLIPBOARD, head: new Uint8Array(8), bytes: 2 },
      { kind: "end", port: CLIENT, data: "0000" },
      { kind: "dropped", port: CLIENT, code: "chunk-overrun" },
      goodOn(CLIENT),
    ]);
  });

  it("bytes after a message that is passed over are dropped with it", () => {
    pushAll(encodeChunk(CLIENT, message(17, 1, new Uint8Array(30))), goodFrame);
    expect(sink.droppedCodes).toEqual(["unknown-type", "chunk-overrun"]);
    expect(sink.events.at(-1)).toEqual(goodOn(CLIENT));
  });
});

describe("bytes with which the framing is lost", () => {
  it.each([0, 3, 0xffffffff])("a chunk for port %d", (port) => {
    expect(codeOf(() => stream.push(encodeChunk(port, message(13, 0))))).toBe("bad-port");
    expect(sink.events).toEqual([]);
  });

  it("an empty chunk for a port that does not exist", () => {
    expect(codeOf(() => stream.push(encodeChunk(0, new Uint8Array(0))))).toBe("bad-port");
  });

  it("a chunk of more than 64 KiB", () => {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(CLIENT, 0);
    header.writeUInt32LE(MAX_CHUNK_BYTES + 1, 4);
    expect(codeOf(() => stream.push(header))).toBe("chunk-too-large");
  });

  it("no chunk of exactly 64 KiB, which is read", () => {
    const body = new Uint8Array(MAX_CHUNK_BYTES - messageHeader.size);
    stream.push(encodeChunk(CLIENT, message(AgentMessageType.FILE_XFER_START, body.length, body)));
    expect(sink.events).toEqual([{ kind: "message", port: CLIENT, type: AgentMessageType.FILE_XFER_START, body }]);
  });

  it.each([
    ["of unknown type", 17, "unknown-type"],
    ["that is handed on whole", AgentMessageType.MONITORS_CONFIG, "too-large"],
    ["whose data is streamed", AgentMessageType.CLIPBOARD, "too-large"],
  ])("a message %s that says it has 4 GiB", (_, type, code) => {
    expect(codeOf(() => stream.push(encodeChunk(CLIENT, message(type, 0xffffffff))))).toBe(code);
    expect(sink.events).toEqual([]);
  });

  it("a message of unknown type that is too long to count off", () => {
    expect(codeOf(() => stream.push(encodeChunk(CLIENT, message(17, MAX_SKIPPED_BYTES + 1))))).toBe("unknown-type");
  });

  it("a message too large to be handed on whole and too long to count off", () => {
    const chunk = encodeChunk(CLIENT, message(AgentMessageType.FILE_XFER_START, MAX_SKIPPED_BYTES + 1));
    expect(codeOf(() => stream.push(chunk))).toBe("too-large");
  });

  it("a streamed message over its limit", () => {
    const chunk = encodeChunk(CLIENT, message(AgentMessageType.FILE_XFER_DATA, MAX_STREAMED_BYTES + 1));
    expect(codeOf(() => stream.push(chunk))).toBe("too-large");
  });

  it("no streamed message of exactly its limit, which begins", () => {
    pushAll(encodeChunk(CLIENT, message(AgentMessageType.CLIPBOARD, MAX_STREAMED_BYTES, new Uint8Array(8))));
    expect(sink.events).toEqual([
      {
        kind: "begin",
        port: CLIENT,
        type: AgentMessageType.CLIPBOARD,
        head: new Uint8Array(8),
        bytes: MAX_STREAMED_BYTES - CLIPBOARD_HEAD,
      },
    ]);
  });
});

describe("a message header", () => {
  it.each([1, 7, 19])("that comes in chunks of %d bytes is put together", (chunkBytes) => {
    pushAll(...encodeChunks(CLIENT, good, layout, undefined, chunkBytes), goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT), goodOn(CLIENT)]);
  });

  it("that comes in two chunks is put together around a message on the other port", () => {
    const [first = goodFrame, ...rest] = encodeChunks(CLIENT, good, layout, undefined, 13);
    pushAll(first, encodeFrame(SERVER, good, layout), ...rest);
    expect(sink.events).toEqual([goodOn(SERVER), goodOn(CLIENT)]);
  });
});

describe("the two ports", () => {
  it("keep their messages apart: the mouse between two halves of a message of the viewer", () => {
    const text: AgentMessage = { name: "CLIPBOARD", value: { selection: 0, type: 1 } };
    const [first, second] = encodeChunks(CLIENT, text, layout, Buffer.from("one two"), 31);
    const mouse = encodeFrame(SERVER, { name: "MOUSE_STATE", value: { x: 1, y: 2, buttons: 0, displayId: 0 } }, layout);
    pushAll(first ?? goodFrame, mouse, second ?? goodFrame);
    expect(sink.events.map(({ kind, port }) => [kind, port])).toEqual([
      ["begin", CLIENT],
      ["piece", CLIENT],
      ["message", SERVER],
      ["piece", CLIENT],
      ["end", CLIENT],
    ]);
    expect(sink.gathered().at(-1)).toEqual({ kind: "end", port: CLIENT, data: Buffer.from("one two").toString("hex") });
  });

  it("keep their faults apart: what is dropped on one costs nothing on the other", () => {
    const [first, second] = encodeChunks(CLIENT, good, layout, undefined, 22);
    pushAll(first ?? goodFrame, encodeChunk(SERVER, message(1, 13, new Uint8Array(13), 9)), second ?? goodFrame);
    expect(sink.events).toEqual([{ kind: "dropped", port: SERVER, code: "bad-protocol" }, goodOn(CLIENT)]);
  });

  it("take every type of message, streamed ones too", () => {
    const text: AgentMessage = { name: "CLIPBOARD", value: { selection: 0, type: 1 } };
    pushAll(...encodeChunks(SERVER, text, layout, Buffer.from("hi")));
    expect(sink.gathered().at(-1)).toEqual({ kind: "end", port: SERVER, data: Buffer.from("hi").toString("hex") });
  });
});

describe("reset", () => {
  const text: AgentMessage = { name: "CLIPBOARD", value: { selection: 0, type: 1 } };
  const head = { kind: "begin", port: CLIENT, type: AgentMessageType.CLIPBOARD, bytes: 100 };

  it("amid a message header forgets it, and the next message is delivered", () => {
    stream.push(goodFrame.subarray(0, 8 + 10));
    stream.reset(CLIENT);
    pushAll(goodFrame.subarray(8 + 10), goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("between the chunks of a message header forgets it, and the next message is delivered", () => {
    pushAll(...encodeChunks(CLIENT, good, layout, undefined, 13).slice(0, 1));
    stream.reset(CLIENT);
    stream.push(goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("between the chunks of a message handed on whole forgets it, and the next message is delivered", () => {
    pushAll(...encodeChunks(CLIENT, good, layout, undefined, 22).slice(0, 1));
    stream.reset(CLIENT);
    stream.push(goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("between the chunks of a head forgets it without a word, for nobody has heard of it", () => {
    pushAll(...encodeChunks(CLIENT, text, layout, new Uint8Array(100), 24).slice(0, 1));
    stream.reset(CLIENT);
    stream.push(goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("between the chunks of data aborts it exactly once, and the next message is delivered", () => {
    pushAll(...encodeChunks(CLIENT, text, layout, new Uint8Array(100), 58).slice(0, 2));
    stream.reset(CLIENT);
    stream.reset(CLIENT);
    stream.push(goodFrame);
    expect(sink.gathered()).toEqual([
      { ...head, head: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0) },
      { kind: "abort", port: CLIENT, data: "00".repeat(30 + 58) },
      goodOn(CLIENT),
    ]);
  });

  it("between the chunks of a message that is passed over forgets it, and the next message is delivered", () => {
    stream.push(encodeChunk(CLIENT, message(17, 5000, new Uint8Array(100))));
    stream.reset(CLIENT);
    stream.push(goodFrame);
    expect(sink.events.slice(1)).toEqual([goodOn(CLIENT)]);
  });

  it("when nothing is under way changes nothing", () => {
    stream.reset(CLIENT);
    stream.reset(SERVER);
    stream.push(goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("leaves the other port alone", () => {
    const chunks = encodeChunks(CLIENT, good, layout, undefined, 22);
    stream.push(chunks[0] ?? goodFrame);
    stream.reset(SERVER);
    stream.push(chunks[1] ?? goodFrame);
    expect(sink.events).toEqual([goodOn(CLIENT)]);
  });

  it("amid a chunk passes over the rest of it, which is no message even if it looks like one", () => {
    const inner = message(AgentMessageType.MAX_CLIPBOARD, 4, goodBody);
    const chunk = encodeChunks(CLIENT, text, layout, inner)[0] ?? goodFrame;
    stream.push(chunk.subarray(0, chunk.length - inner.length));
    stream.reset(CLIENT);
    pushAll(chunk.subarray(chunk.length - inner.length), goodFrame);
    expect(sink.events.map(({ kind }) => kind)).toEqual(["begin", "abort", "message"]);
  });

  it("amid a chunk that is dropped still passes over the rest of it", () => {
    const inner = message(AgentMessageType.MAX_CLIPBOARD, 4, goodBody);
    const chunk = encodeChunk(CLIENT, message(1, inner.length, inner, 9));
    stream.push(chunk.subarray(0, 8 + 20));
    stream.reset(CLIENT);
    pushAll(chunk.subarray(8 + 20), goodFrame);
    expect(sink.events.map(({ kind }) => kind)).toEqual(["dropped", "message"]);
  });

  it("from within the message that asks for it keeps the stream in step", () => {
    const events: unknown[] = [];
    const asking = newStream({
      ...silent,
      message: (port, type) => {
        events.push([port, type]);
        if (type === AgentMessageType.CLIENT_DISCONNECTED) asking.reset(CLIENT);
      },
      dataAbort: (port) => events.push([port, "abort"]),
      dropped: (port, error) => events.push([port, error.code]),
    });
    const gone = (port: number) => encodeFrame(port, { name: "CLIENT_DISCONNECTED", value: {} }, layout);
    asking.push(encodeChunks(CLIENT, text, layout, new Uint8Array(100), 58)[0] ?? goodFrame);
    for (const frame of [gone(SERVER), goodFrame, gone(CLIENT), goodFrame]) asking.push(frame);
    expect(events).toEqual([
      [SERVER, AgentMessageType.CLIENT_DISCONNECTED],
      [CLIENT, "abort"],
      [CLIENT, AgentMessageType.MAX_CLIPBOARD],
      [CLIENT, AgentMessageType.CLIENT_DISCONNECTED],
      [CLIENT, AgentMessageType.MAX_CLIPBOARD],
    ]);
  });

  it("from within the last piece of data lets the message end and does not abort it", () => {
    const events: string[] = [];
    const asking = newStream({
      ...silent,
      dataPiece: () => asking.reset(CLIENT),
      dataEnd: () => events.push("end"),
      dataAbort: () => events.push("abort"),
    });
    for (const chunk of encodeChunks(CLIENT, text, layout, Buffer.from("all"))) asking.push(chunk);
    expect(events).toEqual(["end"]);
  });

  it("from within an earlier piece of data aborts the message once and does not end it", () => {
    const events: string[] = [];
    const asking = newStream({
      ...silent,
      message: () => events.push("message"),
      dataPiece: () => asking.reset(CLIENT),
      dataEnd: () => events.push("end"),
      dataAbort: () => events.push("abort"),
    });
    asking.push(encodeChunks(CLIENT, text, layout, new Uint8Array(100), 58)[0] ?? goodFrame);
    asking.push(goodFrame);
    expect(events).toEqual(["abort", "message"]);
  });
});

describe("a body", () => {
  const text: AgentMessage = { name: "CLIPBOARD", value: { selection: 0, type: 1 } };

  it("that is streamed is handed on piece by piece as it arrives, as views of what was pushed", () => {
    const [chunk = goodFrame] = encodeChunks(CLIENT, text, layout, Buffer.from("abcdef"));
    stream.push(chunk.subarray(0, 8 + 20 + 8));
    expect(sink.events.map(({ kind }) => kind)).toEqual(["begin"]);
    for (const [index, letter] of [..."abcdef"].entries()) {
      const piece = chunk.subarray(8 + 20 + 8 + index, 8 + 20 + 8 + index + 1);
      stream.push(piece);
      const [last] = sink.events.flatMap((event) => (event.kind === "piece" ? [event] : [])).slice(-1);
      expect(last?.piece.buffer).toBe(piece.buffer);
      expect(last).toEqual({ kind: "piece", port: CLIENT, piece: Uint8Array.of(letter.charCodeAt(0)) });
    }
    expect(sink.events.at(-1)).toEqual({ kind: "end", port: CLIENT });
  });

  it("that is streamed and empty begins and ends", () => {
    pushAll(...encodeChunks(CLIENT, text, layout));
    expect(sink.events.map(({ kind }) => kind)).toEqual(["begin", "end"]);
  });

  it("begins under the layout in force when its header comes", () => {
    let current = layouts.bare as { readonly selection: boolean; readonly serial: boolean };
    stream = new AgentStream(sink, { headSize: (type) => streamedHeadSize(type, current) });
    pushAll(...encodeChunks(CLIENT, text, layouts.bare, Buffer.from("a")));
    current = layouts.full;
    pushAll(...encodeChunks(CLIENT, text, layouts.full, Buffer.from("b")));
    const heads = sink.events.flatMap((event) => (event.kind === "begin" ? [event.head.length] : []));
    expect(heads).toEqual([4, 8]);
  });

  it("of 1 GiB that is only declared takes no memory", () => {
    const before = memoryInUse();
    const declared = encodeChunk(
      CLIENT,
      message(AgentMessageType.CLIPBOARD, MAX_STREAMED_BYTES, new Uint8Array(CLIPBOARD_HEAD)),
    );
    const streams = Array.from({ length: 1000 }, () => newStream(silent));
    for (const each of streams) each.push(declared);
    expect(memoryInUse() - before).toBeLessThan(8 * 1024 * 1024);
    expect(streams).toHaveLength(1000);
  });

  it("that is handed on whole and only declared takes no memory", () => {
    const before = memoryInUse();
    const declared = [CLIENT, SERVER].map((port) =>
      encodeChunk(port, message(AgentMessageType.GRAPHICS_DEVICE_INFO, MAX_WHOLE_BYTES, Uint8Array.of(1))),
    );
    const streams = Array.from({ length: 1000 }, () => newStream(silent));
    for (const each of streams) for (const chunk of declared) each.push(chunk);
    // 1000 times two bodies of 64 KiB would be 125 MiB.
    expect(memoryInUse() - before).toBeLessThan(8 * 1024 * 1024);
    expect(streams).toHaveLength(1000);
  });
});

const silent: AgentStreamSink = {
  message: () => {},
  dataBegin: () => {},
  dataPiece: () => {},
  dataEnd: () => {},
  dataAbort: () => {},
  dropped: () => {},
};

it("hands on whole messages that outlive what was pushed: the port writes over its bytes", () => {
  const buffer = new Uint8Array(3);
  for (let at = 0; at < goodFrame.length; at += buffer.length) {
    const part = goodFrame.subarray(at, at + buffer.length);
    buffer.set(part);
    stream.push(buffer.subarray(0, part.length));
    buffer.fill(0xff);
  }
  expect(sink.events).toEqual([goodOn(CLIENT)]);
});
