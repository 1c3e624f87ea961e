import { describe, expect, it } from "vitest";
import { ChunkPort } from "../../../src/wire/agent-constants.ts";
import { chunkHeader, encodeChunk, encodeChunks, encodeFrame, messageHeader } from "../../../src/wire/agent-frame.ts";
import { AgentStream } from "../../../src/wire/agent-stream.ts";
import { decodeMessage, encodeMessage, streamedHeadSize } from "../../../src/wire/catalogue.ts";
import type { Layout } from "../../../src/wire/codec.ts";
import { type AgentFrameFixture, agentFrames, type FramedMessage } from "../../fixtures/agent-frames.ts";
import { layouts } from "../../fixtures/layouts.ts";
import { hex, testFixture } from "./fixture-tests.ts";
import { RecordingSink } from "./recording-sink.ts";

/** The one message in these bytes. */
function framed(bytes: Uint8Array, layout: Layout): FramedMessage {
  const sink = new RecordingSink();
  new AgentStream(sink, { headSize: (type) => streamedHeadSize(type, layout) }).push(bytes);
  const [first, ...rest] = sink.events;
  if (first?.kind === "message")
    return { port: first.port as ChunkPort, message: decodeMessage(first.type, first.body, layout) };
  if (first?.kind !== "begin") throw new Error(`no message but ${first?.kind}`);
  const pieces = rest.flatMap((event) => (event.kind === "piece" ? [event.piece] : []));
  return {
    port: first.port as ChunkPort,
    message: decodeMessage(first.type, first.head, layout),
    data: Buffer.concat(pieces).toString("utf8"),
  };
}

for (const fixture of agentFrames) {
  testFixture<FramedMessage, AgentFrameFixture>(fixture, {
    parse: (bytes, { layout }) => framed(bytes, layout),
    generate: ({ port, message, data = "" }, { layout }) => {
      const bytes = Buffer.from(data, "utf8");
      return new Uint8Array(Buffer.concat([encodeFrame(port, message, layout, bytes.length), bytes]));
    },
  });
}

describe("the headers", () => {
  it("have the sizes of vd_agent.h", () => {
    expect([chunkHeader.size, messageHeader.size]).toEqual([8, 20]);
  });
});

describe("encodeChunks", () => {
  const text = { name: "CLIPBOARD", value: { selection: 0, type: 1 } } as const;
  const data = Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff);

  it("cuts as a host does: 20 bytes of header and 2028 of the body in the first chunk, then 2048 at most", () => {
    const chunks = encodeChunks(ChunkPort.CLIENT, text, layouts.full, data);
    expect(chunks.map((chunk) => chunk.length - 8)).toEqual([2048, 2048, 20 + 8 + 5000 - 2 * 2048]);
    expect(new Set(chunks.map((chunk) => hex(chunk.subarray(0, 4))))).toEqual(new Set(["01000000"]));
  });

  it("makes no empty chunk when the message ends with a full one", () => {
    const whole = 2048 - 20 - 8;
    const chunks = encodeChunks(ChunkPort.CLIENT, text, layouts.full, data.subarray(0, whole));
    expect(chunks.map((chunk) => chunk.length - 8)).toEqual([2048]);
  });

  it("is one frame when the message fits", () => {
    const message = { name: "REPLY", value: { type: 2, error: 1 } } as const;
    expect(encodeChunks(ChunkPort.CLIENT, message, layouts.bare)).toEqual([
      encodeFrame(ChunkPort.CLIENT, message, layouts.bare),
    ]);
  });
});

describe("encodeFrame", () => {
  it("counts the data that follows in both sizes and does not hold it", () => {
    const message = { name: "CLIPBOARD", value: { selection: 1, type: 1 } } as const;
    const frame = encodeFrame(ChunkPort.CLIENT, message, layouts.selection, 100_000);
    expect(frame.length).toBe(8 + 20 + encodeMessage(message, layouts.selection).length);
    const view = new DataView(frame.buffer);
    expect([view.getUint32(4, true), view.getUint32(24, true)]).toEqual([20 + 8 + 100_000, 8 + 100_000]);
  });
});

describe("encodeChunk", () => {
  it("wraps any bytes, none too", () => {
    expect(hex(encodeChunk(7, Uint8Array.of(1, 2)))).toBe("07000000020000000102");
    expect(hex(encodeChunk(1, new Uint8Array(0)))).toBe("0100000000000000");
  });
});
