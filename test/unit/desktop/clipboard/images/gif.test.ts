// GIF as netpbm writes it, and as nobody should.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeGif } from "../../../../../src/desktop/clipboard/images/gif.ts";
import { ImageError, MAX_PIXELS } from "../../../../../src/desktop/clipboard/images/raster.ts";

const RED = [255, 0, 0, 255];
const BLUE = [0, 0, 255, 255];
const NONE = [0, 0, 0, 0];

/** Five by three, red and blue in turn, as ppmtogif writes it. */
const file = (base64: string): Buffer => Buffer.from(base64, "base64");
const plain = file("R0lGODdhBQADAIAAAP8AAAAA/ywAAAAABQADAAACBAyMp1gAOw==");
const interlaced = file("R0lGODdhBQADAIAAAP8AAAAA/ywAAAAABQADAEACBQwceGsFADs=");
const transparent = file("R0lGODlhBQADAIAAAP8AAAAA/yH5BAEAAAAALAAAAAAFAAMAAAIEDIynWAA7");
const IMAGE_AT = 19;

/** From the upper left. */
const inTurn = (first: number[], second: number[]): number[] =>
  Array.from({ length: 15 }, (_, index) => ((index % 5) + Math.floor(index / 5)) % 2 === 0).flatMap((isFirst) =>
    isFirst ? first : second,
  );

/** The same file with these bytes from there on. */
function changed(bytes: Buffer, at: number, ...values: number[]): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(values, at);
  return copy;
}

describe("a picture is read", () => {
  test.each([
    ["row by row", plain, inTurn(BLUE, RED)],
    ["with its rows in four passes", interlaced, inTurn(BLUE, RED)],
    ["with a colour that is none", transparent, inTurn(BLUE, NONE)],
  ])("%s", (_, bytes, pixels) => {
    const { width, height, channels, data } = decodeGif(bytes);
    expect([width, height, channels]).toEqual([5, 3, 4]);
    expect([...data]).toEqual(pixels);
  });

  test("the first, of several", () => {
    const second = changed(plain, 13, 0, 255, 0, 0, 255, 0).subarray(IMAGE_AT);
    const both = Buffer.concat([plain.subarray(0, -1), second]);
    expect(decodeGif(both)).toEqual(decodeGif(plain));
  });

  test("what sticks out of the screen is left out, and what the picture leaves free is transparent", () => {
    const { data } = decodeGif(changed(plain, IMAGE_AT + 1, 1, 0, 2, 0));
    expect([...data]).toEqual([...Array(10).fill(NONE).flat(), ...NONE, ...BLUE, ...RED, ...BLUE, ...RED]);
  });

  test("what is cut off is transparent", () => {
    const { data } = decodeGif(plain.subarray(0, -5));
    expect([...data.subarray(-4)]).toEqual(NONE);
  });
});

describe("refused", () => {
  test.each([
    ["a head alone", plain.subarray(0, 12)],
    ["no picture", plain.subarray(0, IMAGE_AT)],
    ["an end before any picture", changed(plain, IMAGE_AT, 0x3b)],
    ["a screen without pixels", changed(plain, 6, 0, 0)],
    ["a screen of 65535 by 65535", changed(plain, 6, 255, 255, 255, 255)],
    ["a picture of 65535 by 65535", changed(plain, IMAGE_AT + 5, 255, 255, 255, 255)],
    ["codes of 12 bits", changed(plain, IMAGE_AT + 10, 12)],
    ["a first code that means nothing", changed(plain, IMAGE_AT + 12, 0xff, 0xff)],
  ])("%s", (_, bytes) => {
    expect(() => decodeGif(bytes)).toThrow(ImageError);
  });
});

test("whatever its bytes, it is a picture of the size it says or an ImageError", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(plain, interlaced, transparent),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
      fc.uint8Array({ maxLength: 300 }),
      (bytes, changes, more) => {
        const hostile = Buffer.concat([bytes.subarray(0, -2), more]);
        // The sizes stay small: what is allowed of them takes a while.
        for (const [at, value] of changes)
          if (at > 9 && at < hostile.length && (at < 24 || at > 27)) hostile[at] = value;
        try {
          const { width, height, data } = decodeGif(hostile);
          expect(data.length).toBe(width * height * 4);
          expect(width * height).toBeLessThanOrEqual(MAX_PIXELS);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
