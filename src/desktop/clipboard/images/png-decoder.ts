// Reads PNG of every kind. Here and not by a library: those that need no native part inflate in JavaScript, or as much as
// the file asks for.
import { inflateSync } from "node:zlib";
import { PNG_SIGNATURE } from "./format.ts";
import { checkSize, ImageError, type Raster } from "./raster.ts";

const ColorType = { GRAY: 0, RGB: 2, PALETTE: 3, GRAY_ALPHA: 4, RGB_ALPHA: 6 } as const;
const samplesOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const depthsOf: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const HEADER_BYTES = 13;
/** Length and name before a chunk's data, and a checksum behind it. */
const CHUNK_HEAD_BYTES = 8;
const CHUNK_TAIL_BYTES = 4;

interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
}

const wholePass: readonly Pass[] = [{ left: 0, top: 0, stepX: 1, stepY: 1 }];
/** Adam7: the pixels come in seven pictures, each finer than the one before. */
const interlacedPasses: readonly Pass[] = [
  { left: 0, top: 0, stepX: 8, stepY: 8 },
  { left: 4, top: 0, stepX: 8, stepY: 8 },
  { left: 0, top: 4, stepX: 4, stepY: 8 },
  { left: 2, top: 0, stepX: 4, stepY: 4 },
  { left: 0, top: 2, stepX: 2, stepY: 4 },
  { left: 1, top: 0, stepX: 2, stepY: 2 },
  { left: 0, top: 1, stepX: 1, stepY: 2 },
];

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly color: number;
  readonly passes: readonly Pass[];
  readonly palette: Uint8Array;
  /** Alpha of the palette's colours, or the one colour that is transparent. */
  readonly transparency: Buffer | undefined;
  readonly packed: Uint8Array;
}

/** Throws an ImageError. Of 16 bits a sample the upper 8 are kept; rows that are not there are black or transparent. */
export function decodePng(bytes: Uint8Array): Raster {
  const picture = readPicture(bytes);
  const { width, height, depth, color, passes, transparency } = picture;
  const bits = depth * (samplesOf[color] ?? 0);
  const sizes = passes.map(({ left, top, stepX, stepY }) => ({
    columns: Math.max(0, Math.ceil((width - left) / stepX)),
    rows: Math.max(0, Math.ceil((height - top) / stepY)),
  }));
  const rowBytes = (columns: number): number => Math.ceil((columns * bits) / 8);
  const total = sizes.reduce((sum, { columns, rows }) => sum + (columns > 0 ? rows * (1 + rowBytes(columns)) : 0), 0);
  const filtered = inflated(picture.packed, total);
  const hasAlpha = color === ColorType.GRAY_ALPHA || color === ColorType.RGB_ALPHA || transparency !== undefined;
  const channels = hasAlpha ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  const writePixel = pixelWriter(picture, data, channels);
  let at = 0;
  for (const [index, { left, top, stepX, stepY }] of passes.entries()) {
    const { columns, rows } = sizes[index] ?? { columns: 0, rows: 0 };
    if (columns === 0) continue;
    let before: Uint8Array = new Uint8Array(rowBytes(columns));
    for (let row = 0; row < rows && at < filtered.length; row += 1) {
      const line = filtered.subarray(at + 1, at + 1 + rowBytes(columns));
      unfilter(filtered[at] ?? 0, line, before, Math.max(1, bits >> 3));
      for (let column = 0; column < columns; column += 1)
        writePixel(line, column, ((top + row * stepY) * width + left + column * stepX) * channels);
      before = line;
      at += 1 + rowBytes(columns);
    }
  }
  return { width, height, channels, data };
}

function readPicture(bytes: Uint8Array): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerAt = PNG_SIGNATURE.length + CHUNK_HEAD_BYTES;
  const isPng = PNG_SIGNATURE.every((byte, index) => file[index] === byte);
  if (!isPng || file.length < headerAt + HEADER_BYTES || file.toString("latin1", headerAt - 4, headerAt) !== "IHDR")
    throw new ImageError("a PNG without its head");
  const [width, height] = [file.readUInt32BE(headerAt), file.readUInt32BE(headerAt + 4)];
  const [depth = 0, color = 0, packing = 0, filtering = 0, interlacing = 0] = file.subarray(headerAt + 8);
  checkSize(width, height);
  if (depthsOf[color]?.includes(depth) !== true || packing !== 0 || filtering !== 0 || interlacing > 1)
    throw new ImageError("a PNG of no known kind");
  let palette: Uint8Array = new Uint8Array(0);
  let transparency: Buffer | undefined;
  const packed: Uint8Array[] = [];
  for (let at = PNG_SIGNATURE.length; at + CHUNK_HEAD_BYTES <= file.length; ) {
    const name = file.toString("latin1", at + 4, at + CHUNK_HEAD_BYTES);
    const data = file.subarray(at + CHUNK_HEAD_BYTES, at + CHUNK_HEAD_BYTES + file.readUInt32BE(at));
    if (name === "PLTE") palette = data;
    else if (name === "tRNS" && color !== ColorType.GRAY_ALPHA && color !== ColorType.RGB_ALPHA) transparency = data;
    else if (name === "IDAT") packed.push(data);
    else if (name === "IEND") break;
    at += CHUNK_HEAD_BYTES + data.length + CHUNK_TAIL_BYTES;
  }
  const passes = interlacing === 0 ? wholePass : interlacedPasses;
  return { width, height, depth, color, passes, palette, transparency, packed: Buffer.concat(packed) };
}

/** Never more than was asked for; less where the file ends early is no fault. */
function inflated(packed: Uint8Array, bytes: number): Uint8Array {
  try {
    return inflateSync(packed, { maxOutputLength: bytes, finishFlush: 2 });
  } catch (error) {
    throw new ImageError(`a PNG that cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** In place. `distance`: bytes from a sample to the same of the pixel before. */
function unfilter(filter: number, line: Uint8Array, before: Uint8Array, distance: number): void {
  for (let at = 0; filter !== 0 && at < line.length; at += 1) {
    const left = at < distance ? 0 : (line[at - distance] ?? 0);
    const up = before[at] ?? 0;
    const upLeft = at < distance ? 0 : (before[at - distance] ?? 0);
    line[at] = (line[at] ?? 0) + predicted(filter, left, up, upLeft);
  }
}

function predicted(filter: number, left: number, up: number, upLeft: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const sum = left + up - upLeft;
      const [toLeft, toUp, toUpLeft] = [Math.abs(sum - left), Math.abs(sum - up), Math.abs(sum - upLeft)];
      if (toLeft <= toUp && toLeft <= toUpLeft) return left;
      return toUp <= toUpLeft ? up : upLeft;
    }
    default:
      throw new ImageError(`a PNG with filter ${filter}`);
  }
}

function pixelWriter(
  { depth, color, palette, transparency }: Picture,
  data: Uint8Array,
  channels: 3 | 4,
): (line: Uint8Array, column: number, to: number) => void {
  const samples = samplesOf[color] ?? 0;
  const most = 2 ** depth - 1;
  /** As it stands there. */
  const raw = (line: Uint8Array, index: number): number => {
    if (depth === 8) return line[index] ?? 0;
    if (depth === 16) return (line[index * 2] ?? 0) * 256 + (line[index * 2 + 1] ?? 0);
    const bit = index * depth;
    return ((line[bit >> 3] ?? 0) >> (8 - depth - (bit & 7))) & most;
  };
  const scaled = (value: number): number => (depth === 16 ? value >> 8 : (value * 255) / most);
  if (color === ColorType.PALETTE) {
    return (line, column, to) => {
      const index = raw(line, column);
      for (let sample = 0; sample < 3; sample += 1) data[to + sample] = palette[index * 3 + sample] ?? 0;
      if (channels === 4) data[to + 3] = transparency?.[index] ?? 255;
    };
  }
  const isGray = color === ColorType.GRAY || color === ColorType.GRAY_ALPHA;
  const colors = isGray ? 1 : 3;
  const clear =
    transparency === undefined || transparency.length < colors * 2
      ? undefined
      : Array.from({ length: colors }, (_, sample) => transparency.readUInt16BE(sample * 2));
  return (line, column, to) => {
    const from = column * samples;
    for (let sample = 0; sample < 3; sample += 1) data[to + sample] = scaled(raw(line, from + (isGray ? 0 : sample)));
    if (channels === 3) return;
    if (samples > colors) data[to + 3] = scaled(raw(line, from + colors));
    else data[to + 3] = clear?.every((value, sample) => raw(line, from + sample) === value) === true ? 0 : 255;
  };
}
