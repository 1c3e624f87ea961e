// Windows bitmaps as applications write them, and as nobody should.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBmp } from "../../../../../src/desktop/clipboard/images/bmp.ts";
import { ImageError, MAX_PIXELS } from "../../../../../src/desktop/clipboard/images/raster.ts";
import { bmpFile } from "../../../../fakes/bmp-file.ts";

const RED = [255, 0, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];

/** Two rows of three: red, blue, white over white, red, blue. */
const picture = [...RED, ...BLUE, ...WHITE, ...WHITE, ...RED, ...BLUE];

describe("rows are read", () => {
  test.each([
    ["24 bits", { bits: 24, rows: ["ffffff 0000ff ff0000 000000", "0000ff ff0000 ffffff 000000"] }],
    ["32 bits without masks", { bits: 32, rows: ["ffffff00 0000ff00 ff000000", "0000ff00 ff000000 ffffff00"] }],
    ["a palette of 8 bits", { bits: 8, palette: "0000ff00 ff000000 ffffff00", rows: ["02000100", "00010200"] }],
    ["a palette of 4 bits", { bits: 4, palette: "0000ff00 ff000000 ffffff00", rows: ["20100000", "01200000"] }],
    ["16 bits", { bits: 16, rows: ["ff7f 007c 1f00 0000", "007c 1f00 ff7f 0000"] }],
  ])("%s", (_, file) => {
    const bytes = bmpFile({ width: 3, height: 2, ...file });
    expect([...decodeBmp(bytes).data]).toEqual(picture);
  });

  test("1 bit", () => {
    const bytes = bmpFile({
      width: 3,
      height: 2,
      bits: 1,
      palette: "00000000 ffffff00",
      rows: ["a0000000", "40000000"],
    });
    const black = [0, 0, 0];
    expect([...decodeBmp(bytes).data]).toEqual([...black, ...WHITE, ...black, ...WHITE, ...black, ...WHITE]);
  });

  test("from the top, where the height is negative", () => {
    const rows = ["0000ff00 ff000000 ffffff00", "ffffff00 0000ff00 ff000000"];
    expect([...decodeBmp(bmpFile({ width: 3, height: -2, bits: 32, rows })).data]).toEqual(picture);
  });

  test("with alpha, where a mask gives it bits", () => {
    const masks = "0000ff00 00ff0000 ff000000 000000ff";
    const { channels, data } = decodeBmp(bmpFile({ width: 1, height: 1, bits: 32, masks, rows: ["10203080"] }));
    expect([channels, ...data]).toEqual([4, 0x30, 0x20, 0x10, 0x80]);
  });

  test("with masks of 5, 6 and 5 bits", () => {
    const masks = "00f80000 e0070000 1f000000";
    const { data } = decodeBmp(bmpFile({ width: 2, height: 1, bits: 16, masks, rows: ["00f8e007"] }));
    expect([...data]).toEqual([255, 0, 0, 0, 255, 0]);
  });

  test("rows that are missing are black", () => {
    const bytes = bmpFile({ width: 3, height: 2, bits: 32, rows: ["ffffff00 0000ff00 ff000000"] });
    expect([...decodeBmp(bytes).data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, ...WHITE, ...RED, ...BLUE]);
  });
});

describe("what is no picture, or too much of one, is refused", () => {
  const good = { width: 1, height: 1, bits: 24, rows: ["00000000"] };
  test.each([
    ["nothing", new Uint8Array(0)],
    ["only the beginning", bmpFile(good).subarray(0, 30)],
    ["no width", bmpFile({ ...good, width: 0 })],
    ["a negative width", bmpFile({ ...good, width: -1 })],
    ["more pixels than any screen", bmpFile({ ...good, width: 65535, height: 65535 })],
    ["just too many", bmpFile({ ...good, width: MAX_PIXELS / 1000, height: 1001 })],
    ["a number of bits there is not", bmpFile({ ...good, bits: 7 })],
    ["run lengths", bmpFile({ ...good, bits: 8, compression: 1 })],
    ["another format", Uint8Array.from({ length: 100 }, () => 7)],
  ])("%s", (_, bytes) => {
    expect(() => decodeBmp(bytes)).toThrow(ImageError);
  });

  test("whatever the bytes are, it is a picture or an ImageError", () => {
    const head = fc.uint8Array({ minLength: 54, maxLength: 200 });
    fc.assert(
      fc.property(
        head,
        fc.integer({ min: -40, max: 40 }),
        fc.constantFrom(1, 4, 8, 16, 24, 32),
        (bytes, height, bits) => {
          const file = new Uint8Array(bytes);
          file.set(bmpFile({ width: 33, height, bits, rows: [] }).subarray(0, 30));
          file.set(bytes.subarray(30), 30);
          try {
            expect(decodeBmp(file).data).toHaveLength(33 * Math.abs(height) * decodeBmp(file).channels);
          } catch (error) {
            expect(error).toBeInstanceOf(ImageError);
          }
        },
      ),
    );
  });
});
