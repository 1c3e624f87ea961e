// An X server's bytes: an awaited answer goes to whoever awaits it, as it comes, everything else to the library.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerSink, PacketStream } from "../../../../src/desktop/x11/packet-stream.ts";
import { ReadBlocks } from "../../../../src/desktop/x11/read-blocks.ts";

const EVENT = 28;
const SENT_EVENT = 0x80 | 28;
const GENERIC_EVENT = 35;

/** The server's first words: 8 bytes and as many words after them as they say. */
function setup(words: number): Buffer {
  const bytes = Buffer.alloc(8 + words * 4, 0xee);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt16LE(words, 6);
  return bytes;
}

function packet(type: number, sequence: number, words = 0, detail = 0): Buffer {
  const bytes = Buffer.alloc(32 + words * 4, sequence);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(detail, 1);
  bytes.writeUInt16LE(sequence, 2);
  bytes.writeUInt32LE(words, 4);
  return bytes;
}

const reply = (sequence: number, words = 0): Buffer => packet(1, sequence, words);

/** Everything there is about one answer, in the order in which it was told. */
class Answer implements AnswerSink {
  readonly told: string[] = [];
  readonly pieces: Buffer[] = [];

  begins(head: Buffer, bytes: number): void {
    this.told.push(`begins: ${head.readUInt16LE(2)}, ${bytes} bytes`);
  }

  piece(piece: Buffer): void {
    this.pieces.push(Buffer.from(piece));
  }

  ended(): void {
    this.told.push("ended");
  }

  failed(error: number | "closed"): void {
    this.told.push(`failed: ${error}`);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

function stream(): { packets: PacketStream; library: () => Buffer; read: (bytes: Buffer, sizes?: number[]) => void } {
  const blocks = new ReadBlocks();
  const heard: Buffer[] = [];
  const packets = new PacketStream(blocks, (bytes) => heard.push(bytes));
  return {
    packets,
    library: () => Buffer.concat(heard),
    /** In reads of these sizes, and the rest in one. */
    read: (bytes, sizes = []) => {
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        const room = blocks.room();
        const count = bytes.copy(room, 0, at, at + size);
        if (count > 0) packets.push(room.subarray(0, count));
        at += count;
      }
    },
  };
}

describe("an X server's bytes", () => {
  it("reach the library unchanged where nobody awaits an answer, however they are read", () => {
    const all = Buffer.concat([
      setup(5),
      reply(1),
      packet(EVENT, 1),
      reply(2, 7),
      packet(0, 3),
      packet(SENT_EVENT, 3),
      packet(GENERIC_EVENT, 3, 4),
      reply(4, 1),
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 })), (sizes) => {
        const { library, read } = stream();
        read(all, sizes);
        expect(library().equals(all)).toBe(true);
      }),
    );
  });

  it("go in part to who awaits them, in order and however they are read, and the rest to the library", () => {
    const before = Buffer.concat([setup(3), packet(EVENT, 7), reply(6)]);
    const between = Buffer.concat([packet(EVENT, 7), reply(8, 2)]);
    const after = Buffer.concat([packet(GENERIC_EVENT, 9, 9), packet(0, 10)]);
    const all = Buffer.concat([before, reply(7, 100), between, reply(9), after]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 })), (sizes) => {
        const { packets, library, read } = stream();
        const [first, second] = [new Answer(), new Answer()];
        packets.await(7, first);
        packets.await(9, second);
        read(all, sizes);
        expect(library().equals(Buffer.concat([before, between, after]))).toBe(true);
        expect(first.told).toEqual(["begins: 7, 400 bytes", "ended"]);
        expect(first.bytes.equals(reply(7, 100).subarray(32))).toBe(true);
        expect(second.told).toEqual(["begins: 9, 0 bytes", "ended"]);
      }),
    );
  });

  it("are told apart by the lower half of a request's number: the server says no more", () => {
    const { packets, read } = stream();
    const answer = new Answer();
    packets.await(0x3_0005, answer);
    read(Buffer.concat([setup(0), reply(5, 1)]));
    expect(answer.told).toEqual(["begins: 5, 4 bytes", "ended"]);
  });

  it("may be an error in the place of an answer, which only who awaits it is told", () => {
    const { packets, library, read } = stream();
    const [first, second] = [new Answer(), new Answer()];
    packets.await(7, first);
    packets.await(8, second);
    read(Buffer.concat([setup(0), packet(0, 7, 0, 3), reply(8)]));
    expect([first.told, second.told]).toEqual([["failed: 3"], ["begins: 8, 0 bytes", "ended"]]);
    expect(library()).toHaveLength(8);
  });

  it("may end: whoever still awaits something is told, once", () => {
    const { packets, read } = stream();
    const [first, second] = [new Answer(), new Answer()];
    packets.await(7, first);
    packets.await(8, second);
    read(Buffer.concat([setup(0), reply(7, 10).subarray(0, 40)]));
    packets.end();
    packets.end();
    expect([first.told, second.told]).toEqual([["begins: 7, 40 bytes", "failed: closed"], ["failed: closed"]]);
  });
});
