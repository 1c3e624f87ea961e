// The mux of the shared folder's port: what is written is read back, however the stream is cut, and nothing is kept.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined } from "../../../src/wire/bytes.ts";
import { MAX_MUX_PAYLOAD_BYTES, MuxReader, muxHeader } from "../../../src/wire/webdav-mux.ts";

interface Frame {
  readonly connection: bigint;
  readonly payload: Uint8Array;
}

const frames = fc.array(
  fc.record({
    connection: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  { maxLength: 12 },
);

const bytesOf = (all: readonly Frame[]): Uint8Array =>
  joined(all.flatMap(({ connection, payload }) => [muxHeader(connection, payload.length), payload]));

/** What a reader tells of pieces, with the pieces of a connection's run put together again. */
function read(pieces: readonly Uint8Array[]): Frame[] {
  const told: { connection: bigint; payload: Uint8Array }[] = [];
  const reader = new MuxReader({
    data: (connection, piece) => {
      const last = told.at(-1);
      if (last?.connection === connection && last.payload.length > 0) last.payload = joined([last.payload, piece]);
      else told.push({ connection, payload: piece });
    },
    closed: (connection) => told.push({ connection, payload: new Uint8Array() }),
  });
  for (const piece of pieces) reader.push(piece);
  return told;
}

/** Neighbours of one connection are one run: where a frame ends is not told. */
function runs(all: readonly Frame[]): Frame[] {
  const merged: { connection: bigint; payload: Uint8Array }[] = [];
  for (const { connection, payload } of all) {
    const last = merged.at(-1);
    if (last?.connection === connection && last.payload.length > 0 && payload.length > 0)
      last.payload = joined([last.payload, payload]);
    else merged.push({ connection, payload });
  }
  return merged;
}

const plain = (all: readonly Frame[]): unknown =>
  all.map(({ connection, payload }) => [connection, Buffer.from(payload).toString("hex")]);

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

describe("row 91: the mux both ways", () => {
  test("a close of connection 7 is the sheet's bytes", () => {
    expect(Buffer.from(muxHeader(7n, 0)).toString("hex")).toBe("07000000000000000000");
  });

  test("frames come back as they were written, cut anywhere", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }), (all, sizes) => {
        expect(plain(read(cut(bytesOf(all), sizes)))).toEqual(plain(runs(all)));
      }),
    );
  });

  test("any bytes at all are taken, and no more payload is told than came", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
        const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
        const told = read(pieces).reduce((sum, { payload }) => sum + payload.length, 0);
        expect(told).toBeLessThanOrEqual(total);
      }),
    );
  });

  test("the largest frame, and none beyond it", () => {
    const payload = new Uint8Array(MAX_MUX_PAYLOAD_BYTES).fill(7);
    expect(plain(read([muxHeader(-1n, payload.length), payload]))).toEqual(plain([{ connection: -1n, payload }]));
    expect(() => muxHeader(1n, MAX_MUX_PAYLOAD_BYTES + 1)).toThrow(RangeError);
  });

  test("what was announced and never comes takes no memory: the reader keeps a header and no payload", () => {
    const sizes: number[] = [];
    const reader = new MuxReader({ data: (_, piece) => sizes.push(piece.length), closed: () => {} });
    reader.push(muxHeader(1n, 0xffff));
    expect(sizes).toEqual([]);
    reader.push(new Uint8Array(10));
    expect(sizes).toEqual([10]);
  });
});
