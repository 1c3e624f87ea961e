import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, decodeUtf8 } from "../../../src/wire/bytes.ts";
import { codeOf } from "./decode-error.ts";

const counted = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

describe("ByteReader", () => {
  it("reads little-endian numbers one after the other, at any place", () => {
    const reader = new ByteReader(counted);
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([
      0x01,
      0x0302,
      0x07060504,
      0x0f0e0d0c0b0a0908n,
    ]);
    expect(reader.left).toBe(1);
  });

  it("reads a part of a larger memory and no further", () => {
    const reader = new ByteReader(counted.subarray(4, 8));
    expect(reader.u32()).toBe(0x08070605);
    expect(codeOf(() => reader.u8())).toBe("truncated");
  });

  it("tells signed from unsigned", () => {
    const ones = new Uint8Array(8).fill(0xff);
    const reader = new ByteReader(ones);
    expect([reader.i32(), reader.u32()]).toEqual([-1, 0xffffffff]);
  });

  it.each(["u8", "u16", "u32", "i32", "u64"] as const)("refuses %s past the end and stays where it was", (kind) => {
    const size = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8 }[kind];
    const reader = new ByteReader(counted.subarray(0, size - 1));
    expect(codeOf(() => reader[kind]())).toBe("truncated");
    expect(reader.left).toBe(size - 1);
  });

  it("refuses to hand on more bytes than there are, however many are asked for", () => {
    const reader = new ByteReader(counted);
    expect(codeOf(() => reader.bytes(17))).toBe("truncated");
    expect(codeOf(() => reader.bytes(0xffffffff))).toBe("truncated");
    expect(reader.bytes(16)).toEqual(counted);
    expect(reader.rest()).toEqual(new Uint8Array(0));
  });

  it("hands on bytes as a view, not as a copy", () => {
    expect(new ByteReader(counted).bytes(4).buffer).toBe(counted.buffer);
  });
});

describe("ByteWriter", () => {
  it("writes what the reader reads", () => {
    const writer = new ByteWriter(16);
    writer.u8(0x01);
    writer.u16(0x0302);
    writer.u32(0x07060504);
    writer.u64(0x0f0e0d0c0b0a0908n);
    writer.put(Uint8Array.of(0x10));
    expect(writer.finish()).toEqual(counted);
  });

  it.each([
    ["u8", 256],
    ["u8", -1],
    ["u16", 65536],
    ["u32", 0x1_0000_0000],
    ["u32", 1.5],
    ["u32", Number.NaN],
    ["i32", 0x8000_0000],
    ["i32", -0x8000_0001],
  ] as const)("refuses a %s of %d, which is our own fault", (kind, value) => {
    expect(() => new ByteWriter(8)[kind](value)).toThrow(RangeError);
  });

  it("refuses a u64 that does not fit", () => {
    expect(() => new ByteWriter(8).u64(-1n)).toThrow(RangeError);
    expect(() => new ByteWriter(8).u64(1n << 64n)).toThrow(RangeError);
  });

  it("refuses to write beyond its size, and to finish before it", () => {
    const writer = new ByteWriter(3);
    writer.u16(1);
    expect(() => writer.u16(1)).toThrow(RangeError);
    expect(() => writer.put(new Uint8Array(2))).toThrow(RangeError);
    expect(() => writer.finish()).toThrow(RangeError);
  });
});

describe("decodeUtf8", () => {
  it("keeps a byte order mark, which a file name may begin with", () => {
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });

  it.each([
    ["a byte that UTF-8 has not", [0xff]],
    ["a character cut short", [0xe6, 0xbc]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["half a surrogate pair", [0xed, 0xa0, 0x80]],
  ])("refuses %s", (_, bytes) => {
    expect(codeOf(() => decodeUtf8(Uint8Array.from(bytes)))).toBe("bad-text");
  });
});
