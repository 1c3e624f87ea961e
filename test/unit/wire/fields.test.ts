import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../src/wire/bytes.ts";
import { i32, struct, u8, u16, u32, u64 } from "../../../src/wire/fields.ts";

const shape = struct({ last: u8, first: u64, port: u16, x: i32, y: u32 });

describe("struct", () => {
  it("is as large as its fields, packed", () => {
    expect(shape.size).toBe(1 + 8 + 2 + 4 + 4);
  });

  it("reads and writes its fields in the order in which they are declared", () => {
    const bytes = Uint8Array.from(Buffer.from("01 0200000000000000 0300 FCFFFFFF 05000000".replaceAll(" ", ""), "hex"));
    const value = { last: 1, first: 2n, port: 3, x: -4, y: 5 };
    expect(shape.read(new ByteReader(bytes))).toEqual(value);
    const writer = new ByteWriter(shape.size);
    shape.write(writer, value);
    expect(writer.finish()).toEqual(bytes);
  });
});
