// GIF, the first picture of it: the viewer's clipboard knows no such type, and PNG holds all of it. Read here: the libraries
// there unpack all pictures of an animation, and believe the sizes they read.
import { checkSize, ImageError, type Raster } from "./raster.ts";

const SIGNATURE_BYTES = 6;
const SCREEN_BYTES = 7;
const IMAGE_BYTES = 9;
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
const HAS_PALETTE = 0x80;
const IS_INTERLACED = 0x40;
const HAS_TRANSPARENT = 1;
/** Codes have at most 12 bits. */
const MAX_CODES = 4096;
/** Rows of an interlaced picture: every eighth, those between, and so on. */
const passes = [
  { from: 0, step: 8 },
  { from: 4, step: 8 },
  { from: 2, step: 4 },
  { from: 1, step: 2 },
] as const;

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  readonly palette: Uint8Array;
  readonly transparent: number | undefined;
  readonly codeBits: number;
  /** Its codes, without the lengths between them. */
  readonly data: Uint8Array;
}

/** Throws an ImageError. What the picture leaves free of its screen, or is not there, is transparent. */
export function decodeGif(bytes: Uint8Array): Raster {
  if (bytes.length < SIGNATURE_BYTES + SCREEN_BYTES) throw new ImageError("a GIF without its head");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint16(SIGNATURE_BYTES, true), view.getUint16(SIGNATURE_BYTES + 2, true)];
  checkSize(width, height);
  const frame = firstFrame(bytes, view);
  checkSize(frame.width, frame.height);
  const data = new Uint8Array(width * height * 4);
  const indices = unpacked(frame);
  const rows = frame.isInterlaced ? interlacedRows(frame.height) : undefined;
  for (let row = 0, at = 0; row < frame.height; row += 1) {
    const y = frame.top + (rows?.[row] ?? row);
    for (let column = 0; column < frame.width; column += 1, at += 1) {
      const index = indices[at];
      const x = frame.left + column;
      if (index === undefined || index === frame.transparent || x >= width || y >= height) continue;
      const to = (y * width + x) * 4;
      for (let sample = 0; sample < 3; sample += 1) data[to + sample] = frame.palette[index * 3 + sample] ?? 0;
      data[to + 3] = 255;
    }
  }
  return { width, height, channels: 4, data };
}

function firstFrame(bytes: Uint8Array, view: DataView): Frame {
  const palette = paletteAt(bytes, SIGNATURE_BYTES + SCREEN_BYTES, bytes[SIGNATURE_BYTES + 4] ?? 0);
  let at = SIGNATURE_BYTES + SCREEN_BYTES + palette.length;
  let transparent: number | undefined;
  for (;;) {
    const kind = bytes[at];
    if (kind === EXTENSION) {
      const isControl = bytes[at + 1] === GRAPHIC_CONTROL;
      if (isControl) transparent = ((bytes[at + 3] ?? 0) & HAS_TRANSPARENT) === 0 ? undefined : bytes[at + 6];
      at = blocks(bytes, at + 2).end;
    } else if (kind === IMAGE && at + 1 + IMAGE_BYTES <= bytes.length) {
      const [left = 0, top = 0, width = 0, height = 0] = [1, 3, 5, 7].map((field) => view.getUint16(at + field, true));
      const flags = bytes[at + IMAGE_BYTES] ?? 0;
      const own = paletteAt(bytes, at + 1 + IMAGE_BYTES, flags);
      const codesAt = at + 1 + IMAGE_BYTES + own.length;
      const codeBits = bytes[codesAt] ?? 0;
      if (codeBits < 1 || codeBits > 8) throw new ImageError(`a GIF with codes of ${codeBits} bits`);
      return {
        left,
        top,
        width,
        height,
        isInterlaced: (flags & IS_INTERLACED) !== 0,
        palette: own.length > 0 ? own : palette,
        transparent,
        codeBits,
        data: blocks(bytes, codesAt + 1).data,
      };
    } else throw new ImageError("a GIF without a picture");
  }
}

function paletteAt(bytes: Uint8Array, at: number, flags: number): Uint8Array {
  return (flags & HAS_PALETTE) === 0 ? new Uint8Array(0) : bytes.subarray(at, at + 3 * 2 ** ((flags & 7) + 1));
}

/** Each begins with its length; one of none is the end. */
function blocks(bytes: Uint8Array, start: number): { readonly data: Uint8Array; readonly end: number } {
  const parts: Uint8Array[] = [];
  let at = start;
  for (let size = bytes[at] ?? 0; size > 0; size = bytes[at] ?? 0) {
    parts.push(bytes.subarray(at + 1, at + 1 + size));
    at += 1 + size;
  }
  return { data: Buffer.concat(parts), end: at + 1 };
}

/** LZW: the index of each pixel's colour, in the order of the rows as they come; fewer where the codes end early. */
function unpacked({ width, height, codeBits, data }: Frame): Uint8Array {
  const pixels = width * height;
  const out = new Uint8Array(pixels);
  const clear = 1 << codeBits;
  const end = clear + 1;
  const prefixes = new Uint16Array(MAX_CODES);
  const lasts = new Uint8Array(MAX_CODES);
  const stack = new Uint8Array(MAX_CODES);
  for (let code = 0; code < clear; code += 1) lasts[code] = code;
  let [next, bits, before, first] = [end + 1, codeBits + 1, -1, 0];
  let [held, heldBits, from, filled] = [0, 0, 0, 0];
  while (filled < pixels) {
    while (heldBits < bits) {
      const byte = data[from];
      if (byte === undefined) return out.subarray(0, filled);
      held |= byte << heldBits;
      heldBits += 8;
      from += 1;
    }
    const code = held & ((1 << bits) - 1);
    held >>>= bits;
    heldBits -= bits;
    if (code === clear) {
      [next, bits, before] = [end + 1, codeBits + 1, -1];
      continue;
    }
    if (code === end) break;
    if (code > next || (code === next && before < 0)) throw new ImageError("a GIF with a code that means nothing");
    let depth = 0;
    // The one that is about to be made: what was before, and its own first colour once more.
    let at = code === next ? before : code;
    if (code === next) stack[depth++] = first;
    for (; at >= clear; at = prefixes[at] ?? 0) {
      if (depth >= MAX_CODES) throw new ImageError("a GIF with a code that has no end");
      stack[depth++] = lasts[at] ?? 0;
    }
    first = at;
    stack[depth++] = first;
    for (; depth > 0 && filled < pixels; filled += 1) out[filled] = stack[--depth] ?? 0;
    if (before >= 0 && next < MAX_CODES) {
      prefixes[next] = before;
      lasts[next] = first;
      next += 1;
      if (next === 1 << bits && bits < 12) bits += 1;
    }
    before = code;
  }
  return out.subarray(0, filled);
}

function interlacedRows(height: number): readonly number[] {
  const rows: number[] = [];
  for (const { from, step } of passes) for (let row = from; row < height; row += step) rows.push(row);
  return rows;
}
