import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeLinkFrame,
  type LinkFrame,
  LinkFrameStream,
  MAX_FRAME_DATA_BYTES,
} from "../../../../src/wire/link/frame.ts";
import { codeOf } from "../decode-error.ts";
import { hex } from "../fixture-tests.ts";
import { u32 } from "../message-arbitraries.ts";
import { pushInPieces } from "../recording-sink.ts";

const frames = fc.record({ type: u32, arg1: u32, arg2: u32, data: fc.uint8Array({ maxLength: 400 }) });

function received(bytes: Uint8Array, sizes: readonly number[]): LinkFrame[] {
  const seen: LinkFrame[] = [];
  pushInPieces(new LinkFrameStream((frame) => seen.push({ ...frame, data: frame.data.slice() })), bytes, sizes);
  return seen;
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

describe("LinkFrameStream", () => {
  it("hands on the same frames whatever pieces their bytes come in", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 12 }), sizes, (sent, pieces) => {
        expect(received(joined(sent), pieces)).toEqual(sent);
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
    expect(received(joined(sent), [size]).map(({ type, data }) => [type, data.length, data.at(-1)])).toEqual([
      [1, MAX_FRAME_DATA_BYTES, 1],
      [2, MAX_FRAME_DATA_BYTES, 2],
    ]);
  });

  it("gives up on a frame larger than any, as soon as its header says so", () => {
    const header = encodeLinkFrame({ type: 1, arg1: 0, arg2: 0, data: new Uint8Array(0) });
    new DataView(header.buffer).setUint32(12, MAX_FRAME_DATA_BYTES + 1, true);
    const stream = new LinkFrameStream(() => {});
    stream.push(header.subarray(0, 15));
    expect(codeOf(() => stream.push(header.subarray(15)))).toBe("too-large");
  });

  it("keeps an unfinished frame in memory of its own", () => {
    const seen: LinkFrame[] = [];
    const stream = new LinkFrameStream((frame) => seen.push(frame));
    const bytes = encodeLinkFrame({ type: 1, arg1: 0, arg2: 0, data: Uint8Array.of(1, 2, 3) });
    const reused = bytes.slice(0, 17);
    stream.push(reused);
    reused.fill(0xff);
    stream.push(bytes.subarray(17));
    expect(seen).toEqual([{ type: 1, arg1: 0, arg2: 0, data: Uint8Array.of(1, 2, 3) }]);
  });
});
