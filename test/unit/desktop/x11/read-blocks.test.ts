// Memory that is read into again and again, but for what somebody still looks at.
import { expect, test } from "vitest";
import { ReadBlocks } from "../../../../src/desktop/x11/read-blocks.ts";

const KIB = 1024;

/** Reads so many bytes of this value and hands them out. */
function handedOut(blocks: ReadBlocks, bytes: number, value: number): Buffer {
  const piece = blocks.room().subarray(0, bytes).fill(value);
  blocks.handOut(piece);
  return piece;
}

test("what was handed out is not read over, however much is read", () => {
  const blocks = new ReadBlocks();
  const pieces = Array.from({ length: 50 }, (_, value) => handedOut(blocks, 50 * KIB, value));
  for (const [value, piece] of pieces.entries()) expect(piece.every((byte) => byte === value)).toBe(true);
});

test("what was read and not handed out is read over", () => {
  const blocks = new ReadBlocks();
  const first = blocks.room();
  expect([blocks.room().byteOffset, blocks.room().buffer]).toEqual([first.byteOffset, first.buffer]);
});

test("there is always room for a large read", () => {
  const blocks = new ReadBlocks();
  for (let bytes = 1; bytes < 100; bytes++) {
    handedOut(blocks, bytes * 512, 1);
    expect(blocks.room().length).toBeGreaterThanOrEqual(64 * KIB);
  }
});

test("what is given back is read into again: a long transfer takes no more memory than a short one", () => {
  const blocks = new ReadBlocks();
  const memory = new Set<ArrayBufferLike>();
  const underWay: Buffer[] = [];
  for (let read = 0; read < 1000; read++) {
    const piece = handedOut(blocks, 100 * KIB, read);
    memory.add(piece.buffer);
    underWay.push(piece);
    const oldest = underWay.length > 3 ? underWay.shift() : undefined;
    if (oldest !== undefined) blocks.giveBack(oldest);
  }
  expect(memory.size).toBeLessThan(10);
});

test("one piece that is still looked at keeps its block, and no other", () => {
  const blocks = new ReadBlocks();
  const kept = handedOut(blocks, 100 * KIB, 7);
  for (let read = 0; read < 100; read++) blocks.giveBack(handedOut(blocks, 100 * KIB, 1));
  expect(kept.every((byte) => byte === 7)).toBe(true);
});

test("other memory that is given back is left alone", () => {
  const blocks = new ReadBlocks();
  blocks.giveBack(Buffer.alloc(10));
  const piece = handedOut(blocks, KIB, 3);
  blocks.giveBack(new Uint8Array(256 * KIB));
  handedOut(blocks, 200 * KIB, 1);
  expect(piece.every((byte) => byte === 3)).toBe(true);
});
