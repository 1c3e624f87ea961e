// PNG of every kind, and as nobody should write it.
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pixelsOf } from "../../../../../src/desktop/clipboard/images/pixels.ts";
import { encodePng } from "../../../../../src/desktop/clipboard/images/png.ts";
import { decodePng } from "../../../../../src/desktop/clipboard/images/png-decoder.ts";
import { ImageError, MAX_PIXELS, type Raster } from "../../../../../src/desktop/clipboard/images/raster.ts";
import { type PngFile, pngFile } from "../../../../fakes/png-file.ts";

const [WIDTH, HEIGHT] = [21, 13];
/** Any number below the limit, of a place and a sample. */
const some = (x: number, y: number, sample: number, limit: number): number =>
  (x * 7919 + y * 104729 + sample * 1299709) % limit;
const kinds = [
  [0, 1],
  [0, 2],
  [0, 4],
  [0, 8],
  [0, 16],
  [2, 8],
  [2, 16],
  [3, 1],
  [3, 2],
  [3, 4],
  [3, 8],
  [4, 8],
  [4, 16],
  [6, 8],
  [6, 16],
] as const;
const samples: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const palette = Buffer.from(Array.from({ length: 256 * 3 }, (_, index) => (index * 31) % 256));

const file = (color: number, depth: number, change: Partial<PngFile> = {}): PngFile => ({
  ...{ width: WIDTH, height: HEIGHT, color, depth },
  pixel: (x, y) => Array.from({ length: samples[color] ?? 0 }, (_, sample) => some(x, y, sample, 2 ** depth)),
  chunks: color === 3 ? [["PLTE", palette]] : [],
  ...change,
});

/** What a pixel should be, as RGB and, where there is one, alpha. */
function expected({ color, depth, pixel }: PngFile, x: number, y: number): readonly number[] {
  const scaled = pixel(x, y).map((value) => (depth === 16 ? value >> 8 : Math.floor((value * 255) / (2 ** depth - 1))));
  const [first = 0, second = 0] = scaled;
  if (color === 3) {
    const index = pixel(x, y)[0] ?? 0;
    return [...palette.subarray(index * 3, index * 3 + 3)];
  }
  if (color === 0) return [first, first, first];
  return color === 4 ? [first, first, first, second] : scaled;
}

function pixelAt({ width, channels, data }: Raster, x: number, y: number): readonly number[] {
  return [...data.subarray((y * width + x) * channels, (y * width + x + 1) * channels)];
}

describe.each(kinds)("colour type %i of %i bits", (color, depth) => {
  test.each([
    ["row by row, unfiltered", {}],
    ["with every filter", { filter: (row: number) => row % 5 }],
    ["in seven passes, with every filter", { interlaced: true, filter: (row: number) => (row + 1) % 5 }],
  ])("%s", (_, change) => {
    const written = file(color, depth, change);
    const raster = decodePng(pngFile(written));
    expect([raster.width, raster.height]).toEqual([WIDTH, HEIGHT]);
    for (let y = 0; y < HEIGHT; y += 1)
      for (let x = 0; x < WIDTH; x += 1) expect(pixelAt(raster, x, y), `${x},${y}`).toEqual(expected(written, x, y));
  });
});

describe("what is transparent", () => {
  test.each([
    ["one gray", file(0, 8, { pixel: (x) => [x] }), Buffer.from([0, 2])],
    ["one gray of 2 bits", file(0, 2, { pixel: (x) => [x & 3] }), Buffer.from([0, 2])],
    ["one colour of 16 bits", file(2, 16, { pixel: (x) => [x * 256 + 1, 5, 6] }), Buffer.from([2, 1, 0, 5, 0, 6])],
  ])("%s", (_, written, transparency) => {
    const raster = decodePng(pngFile({ ...written, chunks: [["tRNS", transparency]] }));
    expect(raster.channels).toBe(4);
    expect([0, 1, 2, 3].map((x) => pixelAt(raster, x, 0)[3])).toEqual([255, 255, 0, 255]);
  });

  test("some colours of a palette, by as much as each says", () => {
    const written = file(3, 8, { pixel: (x) => [x] });
    const chunks = [...(written.chunks ?? []), ["tRNS", Buffer.from([255, 0, 7])] as const];
    const raster = decodePng(pngFile({ ...written, chunks }));
    expect([0, 1, 2, 3].map((x) => pixelAt(raster, x, 0)[3])).toEqual([255, 0, 7, 255]);
  });
});

describe("what a picture shows", () => {
  const rgb = file(2, 8);
  const shown = (written: PngFile): string => pixelsOf(decodePng(pngFile(written)));

  test("is the same however it is written", () => {
    const opaque = { ...rgb, color: 6, pixel: (x: number, y: number) => [...rgb.pixel(x, y), 255] };
    const deep = { ...rgb, depth: 16, pixel: (x: number, y: number) => rgb.pixel(x, y).map((value) => value * 257) };
    for (const same of [{ ...rgb, interlaced: true, filter: () => 4 }, opaque, deep])
      expect(shown(same)).toBe(shown(rgb));
    expect(pixelsOf(decodePng(encodePng(decodePng(pngFile(rgb)))))).toBe(shown(rgb));
  });

  test("is the same whatever colour is under what cannot be seen", () => {
    const hidden = (color: number): PngFile =>
      file(6, 8, { pixel: (x) => (x === 3 ? [color, color, 1, 0] : [1, 2, 3, 4]) });
    expect(shown(hidden(200))).toBe(shown(hidden(0)));
  });

  test("is another where one sample of one pixel is", () => {
    const pixel = (x: number, y: number): readonly number[] =>
      rgb.pixel(x, y).map((value, sample) => (x === 20 && y === 12 && sample === 2 ? value ^ 1 : value));
    expect(shown({ ...rgb, pixel })).not.toBe(shown(rgb));
  });

  test("is another in another shape", () => {
    const white = (width: number, height: number): PngFile => file(0, 8, { width, height, pixel: () => [255] });
    expect(shown(white(4, 6))).not.toBe(shown(white(6, 4)));
  });
});

describe("what is no picture is refused, before memory is taken for it", () => {
  const good = pngFile(file(2, 8));
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["another kind of file", Buffer.from("GIF89a and so on, for as long as a head would be")],
    ["the signature alone", good.subarray(0, 8)],
    ["half a head", good.subarray(0, 20)],
    ["no pixels", pngFile(file(2, 8, { width: 0, data: Buffer.alloc(0) }))],
    ["more pixels than are read", pngFile(file(0, 1, { width: MAX_PIXELS, height: 2, data: Buffer.alloc(0) }))],
    [
      "four thousand million squared",
      pngFile(file(0, 1, { width: 2 ** 32 - 1, height: 2 ** 32 - 1, data: Buffer.alloc(0) })),
    ],
    ["a depth that its colours do not have", pngFile(file(2, 8, { depth: 4 }))],
    ["a colour type that there is not", pngFile(file(2, 8, { color: 5, data: Buffer.alloc(0) }))],
    ["a filter that there is not", pngFile(file(2, 8, { filter: () => 5 }))],
    ["data that is not packed", pngFile(file(2, 8, { data: Buffer.from("not packed at all") }))],
    ["more data than it has pixels", pngFile(file(0, 8, { data: deflateSync(Buffer.alloc(64 * 1024 * 1024)) }))],
  ])("%s", (_, bytes) => {
    expect(() => decodePng(bytes)).toThrow(ImageError);
  });

  test("what ends early is read as far as it goes", () => {
    const cut = decodePng(pngFile(file(0, 8, { data: deflateSync(Buffer.alloc((WIDTH + 1) * 2, 0x01)) })));
    expect([cut.width, cut.height]).toEqual([WIDTH, HEIGHT]);
    expect(pixelAt(cut, 0, 0)).not.toEqual([0, 0, 0]);
    expect(pixelAt(cut, 0, 5)).toEqual([0, 0, 0]);
  });

  test("any bytes behind a good beginning, or any change in a file, are a picture or refused", () => {
    const change = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    const read = (bytes: Uint8Array): void => {
      try {
        decodePng(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    };
    fc.assert(
      fc.property(change, fc.uint8Array({ maxLength: 200 }), (changes, tail) => {
        const changed = Buffer.from(good);
        for (const [at, value] of changes) changed[at] = value;
        read(changed);
        read(Buffer.concat([good.subarray(0, 33), tail]));
      }),
    );
  });
});
