// One fixture, three tests: the bytes are read, the value is written, and what is written is read again.
import { describe, expect, it } from "vitest";
import { bytesOf, type Fixture } from "../../fixtures/fixture.ts";

export interface Sides<T, F> {
  parse(bytes: Uint8Array, fixture: F): T;
  generate(value: T, fixture: F): Uint8Array;
}

export function testFixture<T, F extends Fixture<T>>(fixture: F, { parse, generate }: Sides<T, F>): void {
  const bytes = bytesOf(fixture);
  describe(`${fixture.title} (${fixture.source})`, () => {
    it("is read from these bytes", () => {
      expect(parse(bytes, fixture)).toEqual(fixture.value);
    });
    if (fixture.onlyRead === true) {
      it("is written otherwise than the peer did", () => {
        expect(hex(generate(fixture.value, fixture))).not.toBe(hex(bytes));
      });
    } else {
      it("is written as these bytes", () => {
        expect(hex(generate(fixture.value, fixture))).toBe(hex(bytes));
      });
    }
    it("is the same when what was written is read again", () => {
      expect(parse(generate(parse(bytes, fixture), fixture), fixture)).toEqual(fixture.value);
    });
  });
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
