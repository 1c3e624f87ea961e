import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeChunks } from "../../../src/wire/agent-frame.ts";
import { AgentStream } from "../../../src/wire/agent-stream.ts";
import { type AgentMessage, catalogue, encodeMessage, streamedHeadSize } from "../../../src/wire/catalogue.ts";
import type { Layout } from "../../../src/wire/codec.ts";
import { hex } from "./fixture-tests.ts";
import { anyLayout, messagesUnder } from "./message-arbitraries.ts";
import { pushInPieces, RecordingSink } from "./recording-sink.ts";

interface Sent {
  readonly message: AgentMessage;
  readonly data: Uint8Array;
}

function anySent(layout: Layout): fc.Arbitrary<Sent> {
  const dataOf = (message: AgentMessage) =>
    streamedHeadSize(catalogue[message.name].type, layout) === undefined
      ? fc.constant(new Uint8Array(0))
      : fc.uint8Array({ maxLength: 3000, size: "max" });
  return fc
    .oneof(...Object.values(messagesUnder(layout)))
    .chain((message) => dataOf(message).map((data) => ({ message, data })));
}

/** Two conversations, one on each chunk port, under one layout. */
const conversations = anyLayout.chain((layout) =>
  fc.record({
    layout: fc.constant(layout),
    client: fc.array(anySent(layout), { maxLength: 5 }),
    server: fc.array(anySent(layout), { maxLength: 5 }),
  }),
);

/** Real hosts put the whole message header into the first chunk; from 20 bytes down it is cut too. */
const chunkSizes = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 20, max: 4096 }));
const pieceSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5000 })), {
  minLength: 1,
  maxLength: 8,
});

const streamed = (name: AgentMessage["name"], layout: Layout): boolean =>
  streamedHeadSize(catalogue[name].type, layout) !== undefined;

/** What has to be seen of these messages, whatever way they come. */
function expected(port: number, sent: readonly Sent[], layout: Layout): unknown[] {
  return sent.flatMap(({ message, data }): readonly unknown[] => {
    const { type } = catalogue[message.name];
    const body = encodeMessage(message, layout);
    if (!streamed(message.name, layout)) return [{ kind: "message", port, type, body }];
    return [
      { kind: "begin", port, type, head: body, bytes: data.length },
      { kind: "end", port, data: hex(data) },
    ];
  });
}

function chunksOf(port: number, sent: readonly Sent[], layout: Layout, chunkBytes: number): Uint8Array[] {
  return sent.flatMap(({ message, data }) => encodeChunks(port, message, layout, data, chunkBytes));
}

/** Chunks of both, each in its own order; `turns` says whose is next. */
function interleaved(a: readonly Uint8Array[], b: readonly Uint8Array[], turns: readonly boolean[]): Uint8Array {
  const left = [...a];
  const right = [...b];
  const order: Uint8Array[] = [];
  for (let turn = 0; left.length + right.length > 0; turn++) {
    const [first, second] = turns[turn % turns.length] === true ? [left, right] : [right, left];
    const next = first.shift() ?? second.shift();
    if (next !== undefined) order.push(next);
  }
  return new Uint8Array(Buffer.concat(order));
}

function seen(bytes: Uint8Array, sizes: readonly number[], layout: Layout): readonly unknown[] {
  const sink = new RecordingSink();
  pushInPieces(new AgentStream(sink, { headSize: (type) => streamedHeadSize(type, layout) }), bytes, sizes);
  return sink.gathered();
}

const onPort = (port: number) => (event: unknown) => (event as { readonly port: number }).port === port;

describe("any messages on both ports, in chunks of any size, their chunks in any order", () => {
  it("are all seen, in order on each port, whatever pieces the bytes come in", () => {
    fc.assert(
      fc.property(
        conversations,
        chunkSizes,
        chunkSizes,
        fc.array(fc.boolean(), { minLength: 1 }),
        pieceSizes,
        ({ layout, client, server }, clientChunks, serverChunks, turns, sizes) => {
          const bytes = interleaved(
            chunksOf(1, client, layout, clientChunks),
            chunksOf(2, server, layout, serverChunks),
            turns,
          );
          const events = seen(bytes, sizes, layout);
          expect(events.filter(onPort(1))).toEqual(expected(1, client, layout));
          expect(events.filter(onPort(2))).toEqual(expected(2, server, layout));
          expect(events).toEqual(seen(bytes, [bytes.length + 1], layout));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("one conversation", () => {
  const layout = { selection: true, serial: true };
  const sent: readonly Sent[] = [
    { message: { name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 1, types: [1, 2] } }, data: new Uint8Array(0) },
    { message: { name: "CLIPBOARD", value: { selection: 0, type: 1 } }, data: new Uint8Array(4100).fill(7) },
    { message: { name: "CLIENT_DISCONNECTED", value: {} }, data: new Uint8Array(0) },
    { message: { name: "CLIPBOARD", value: { selection: 1, type: 0 } }, data: new Uint8Array(0) },
    { message: { name: "REPLY", value: { type: 2, error: 1 } }, data: new Uint8Array(0) },
  ];

  it.each([1, 2, 7, 8, 9, 19, 20, 21, 27, 28, 29, 2047, 2048, 2049, 2056])(
    "is the same when its bytes come %d at a time",
    (size) => {
      const bytes = new Uint8Array(Buffer.concat(chunksOf(1, sent, layout, 2048)));
      expect(seen(bytes, [size], layout)).toEqual(expected(1, sent, layout));
    },
  );

  it.each([1, 19, 20, 21, 27, 28, 29, 1024, 2048, 65536])("is the same in chunks of %d bytes", (chunkBytes) => {
    const bytes = new Uint8Array(Buffer.concat(chunksOf(1, sent, layout, chunkBytes)));
    expect(seen(bytes, [bytes.length], layout)).toEqual(expected(1, sent, layout));
  });

  it("is the same when it is cut in two at any place", () => {
    const bytes = new Uint8Array(Buffer.concat(chunksOf(1, sent.slice(0, 2), layout, 1024)));
    const all = expected(1, sent.slice(0, 2), layout);
    for (let cut = 1; cut < bytes.length; cut++) expect(seen(bytes, [cut, bytes.length], layout)).toEqual(all);
  });
});
