import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeLinkFrame,
  encodeLinkHeader,
  type LinkFrame,
  type LinkFrameSink,
  LinkFrameStream,
  MAX_FRAME_DATA_BYTES,
  MAX_STREAMED_DATA_BYTES,
} from "../../../../src/wire/link/frame.ts";
import { memoryInUse } from "../../../fakes/memory-in-use.ts";
import { codeOf } from "../decode-error.ts";
import { hex } from "../fixture-tests.ts";
import { u32 } from "../message-arbitraries.ts";
import { pushInPieces } from "../recording-sink.ts";

const STREAMED = 4;
const MIB = 1024 * 1024;

/** What a stream has found: whole frames, and streamed ones with their data joined. */
class Found implements LinkFrameSink {
  readonly frames: (LinkFrame & { readonly streamed?: true })[] = [];
  /** The sizes that streamed frames declared. */
  readonly declared: number[] = [];
  #head: Omit<LinkFrame, "data"> | undefined;
  #pieces: Uint8Array[] = [];

  frame(frame: LinkFrame): void {
    if (this.#head !== undefined) throw new Error("a frame within a streamed one");
    this.frames.push({ ...frame, data: new Uint8Array(frame.data) });
  }

  dataBegin(frame: Omit<LinkFrame, "data">, bytes: number): void {
    if (this.#head !== undefined) throw new Error("a streamed frame within a streamed one");
    this.#head = frame;
    this.declared.push(bytes);
  }

  dataPiece(piece: Uint8Array): void {
    if (this.#head === undefined || piece.length === 0) throw new Error("data of no frame, or none");
    this.#pieces.push(new Uint8Array(piece));
  }

  dataEnd(): void {
    const head = this.#head;
    if (head === undefined) throw new Error("the end of no frame");
    const data = new Uint8Array(Buffer.concat(this.#pieces));
    this.frames.push({ ...head, data, streamed: true });
    this.#head = undefined;
    this.#pieces = [];
  }
}

const anyFrames = fc.array(
  fc.record({
    type: fc.oneof(u32, fc.constant(STREAMED)),
    arg1: u32,
    arg2: u32,
    data: fc.uint8Array({ maxLength: 400 }),
  }),
  { maxLength: 12 },
);

function received(bytes: Uint8Array, sizes: readonly number[]): Found {
  const found = new Found();
  pushInPieces(new LinkFrameStream(found, new Map([[STREAMED, MAX_STREAMED_DATA_BYTES]])), bytes, sizes);
  return found;
}

function joined(all: readonly LinkFrame[]): Uint8Array {
  return new Uint8Array(Buffer.concat(all.map(encodeLinkFrame)));
}

describe("encodeLinkFrame", () => {
  it("writes type, both arguments and the size of the data before the data", () => {
    const frame = encodeLinkFrame({ type: 1, arg1: 2, arg2: 0xffffffff, data: Uint8Array.of(9, 8) });
    expect(hex(frame)).toBe("0100000002000000ffffffff020000000908");
  });

  it("refuses more data than a frame may carry", () => {
    const data = new Uint8Array(MAX_FRAME_DATA_BYTES + 1);
    expect(() => encodeLinkFrame({ type: 1, arg1: 0, arg2: 0, data })).toThrow(RangeError);
  });
});

describe("encodeLinkHeader", () => {
  it("writes the size of data that follows by itself, however much it is", () => {
    expect(hex(encodeLinkHeader({ type: 4, arg1: 1, arg2: 2 }, MAX_STREAMED_DATA_BYTES))).toBe(
      "04000000010000000200000000000040",
    );
  });

  it("is the beginning of the whole frame", () => {
    const frame = { type: 1, arg1: 2, arg2: 3, data: Uint8Array.of(9, 8) };
    expect(hex(encodeLinkFrame(frame))).toBe(`${hex(encodeLinkHeader(frame, 2))}0908`);
  });
});

describe("LinkFrameStream", () => {
  it("row 82: hands on the same frames whatever pieces their bytes come in, streamed ones among them", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyFrames, sizes, (sent, pieces) => {
        const found = received(joined(sent), pieces);
        expect(found.frames).toEqual(
          sent.map((frame) => (frame.type === STREAMED ? { ...frame, streamed: true } : frame)),
        );
        expect(found.declared).toEqual(sent.filter(({ type }) => type === STREAMED).map(({ data }) => data.length));
      }),
    );
  });

  it.each([1, 15, 16, 17, 65535, 65536, 65537, 1_000_000])("reads the largest frames %d bytes at a time", (size) => {
    const sent = [1, 2].map((type) => ({
      type,
      arg1: 0,
      arg2: 0,
      data: new Uint8Array(MAX_FRAME_DATA_BYTES).fill(type),
    }));
    const { frames } = received(joined(sent), [size]);
    expect(frames.map(({ type, data }) => [type, data.length, data.at(-1)])).toEqual([
      [1, MAX_FRAME_DATA_BYTES, 1],
      [2, MAX_FRAME_DATA_BYTES, 2],
    ]);
  });

  it.each([1, 16, 65_536, 10_000_000])("reads a streamed frame larger than any other %d bytes at a time", (size) => {
    const data = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
    const after = { type: 1, arg1: 7, arg2: 0, data: Uint8Array.of(5) };
    const head = { type: STREAMED, arg1: 1, arg2: 2 };
    const bytes = Buffer.concat([encodeLinkHeader(head, data.length), data, encodeLinkFrame(after)]);
    const { frames } = received(bytes, [size]);
    expect(frames[0]).toMatchObject({ ...head, streamed: true });
    expect(Buffer.compare(frames[0]?.data ?? new Uint8Array(0), data)).toBe(0);
    expect(frames.slice(1)).toEqual([after]);
  });

  it("begins and ends a streamed frame without data as soon as its header is there", () => {
    const found = received(encodeLinkHeader({ type: STREAMED, arg1: 0, arg2: 9 }, 0), [1]);
    expect(found.frames).toEqual([{ type: STREAMED, arg1: 0, arg2: 9, data: new Uint8Array(0), streamed: true }]);
  });

  it("says that a streamed frame begins before any of its data is there", () => {
    const found = received(encodeLinkHeader({ type: STREAMED, arg1: 0, arg2: 1 }, 100), [16]);
    expect([found.declared, found.frames]).toEqual([[100], []]);
  });

  it.each([
    ["a frame", 1, MAX_FRAME_DATA_BYTES],
    ["a streamed frame", STREAMED, MAX_STREAMED_DATA_BYTES],
  ])("gives up on %s larger than any, as soon as its header says so", (_, type, most) => {
    for (const size of [most + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const found = new Found();
      const stream = new LinkFrameStream(found, new Map([[STREAMED, MAX_STREAMED_DATA_BYTES]]));
      const header = encodeLinkHeader({ type, arg1: 0, arg2: 0 }, size);
      stream.push(header.subarray(0, 15));
      expect(codeOf(() => stream.push(header.subarray(15)))).toBe("too-large");
      expect([found.declared, found.frames]).toEqual([[], []]);
    }
    expect(codeOf(() => received(encodeLinkHeader({ type, arg1: 0, arg2: 0 }, most), [16]))).toBe("read");
  });

  it.each([
    ["bytes", (bytes: Uint8Array) => new Uint8Array(bytes)],
    ["a Buffer, whose slices are views", (bytes: Uint8Array) => Buffer.from(bytes)],
  ])("keeps an unfinished frame in memory of its own, when it comes as %s", (_, copied) => {
    const found = new Found();
    const stream = new LinkFrameStream(found, new Map([[STREAMED, MAX_STREAMED_DATA_BYTES]]));
    const bytes = encodeLinkFrame({ type: 1, arg1: 0, arg2: 0, data: Uint8Array.of(1, 2, 3) });
    const reused = copied(bytes.subarray(0, 17));
    stream.push(reused);
    reused.fill(0xff);
    stream.push(bytes.subarray(17));
    expect(found.frames).toEqual([{ type: 1, arg1: 0, arg2: 0, data: Uint8Array.of(1, 2, 3) }]);
  });

  it("keeps nothing of a streamed frame, and takes no memory for what a header promises", () => {
    let seen = 0;
    const sink: LinkFrameSink = {
      frame: () => {},
      dataBegin: () => {},
      dataPiece: (piece) => {
        seen += piece.length;
      },
      dataEnd: () => {},
    };
    const stream = new LinkFrameStream(sink, new Map([[STREAMED, MAX_STREAMED_DATA_BYTES]]));
    const before = memoryInUse();
    stream.push(encodeLinkHeader({ type: STREAMED, arg1: 0, arg2: 1 }, MAX_STREAMED_DATA_BYTES));
    for (let count = 0; count < 64; count++) stream.push(new Uint8Array(MIB));
    expect(seen).toBe(64 * MIB);
    expect(memoryInUse() - before).toBeLessThan(8 * MIB);
    stream.push(new Uint8Array(1));
    expect(seen).toBe(64 * MIB + 1);
  });

  it("finds whole frames in noise, or loses the framing: it never throws anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (noise, size) => {
        expect(["read", "too-large"]).toContain(codeOf(() => received(noise, [size])));
      }),
      { numRuns: 500 },
    );
  });
});
