// Windows bitmaps: 1 to 32 bits a pixel, with or without a palette or masks, either way up. Compressed ones (RLE), which no
// application puts on a clipboard, are refused. Read here: the libraries there are misread rows of odd width, or know no
// 32 bits without masks, which is what applications give.
import { checkSize, ImageError, type Raster } from "./raster.ts";

const FILE_HEADER_BYTES = 14;
/** BITMAPINFOHEADER; all later headers begin with it. */
const INFO_HEADER_BYTES = 40;
const CORE_HEADER_BYTES = 12;
const Compression = { NONE: 0, MASKS: 3, MASKS_WITH_ALPHA: 6 } as const;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly fromTop: boolean;
  readonly bits: number;
  readonly palette: Uint8Array;
  readonly masks: readonly [red: number, green: number, blue: number, alpha: number];
  readonly pixelsAt: number;
}

/** Throws an ImageError. Rows that are not there are black. */
export function decodeBmp(bytes: Uint8Array): Raster {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(bytes, view);
  const { width, height, bits } = header;
  const channels = header.masks[3] === 0 ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  const readRow = rowReader(header, bytes, view, data, channels);
  for (let row = 0; row < height; row += 1) {
    const from = header.pixelsAt + row * rowBytes;
    // The padding of the last row is left out by some.
    if (from + Math.ceil((width * bits) / 8) > bytes.length) break;
    readRow(from, (header.fromTop ? row : height - 1 - row) * width * channels);
  }
  return { width, height, channels, data };
}

function readHeader(bytes: Uint8Array, view: DataView): Header {
  if (bytes.length < FILE_HEADER_BYTES + CORE_HEADER_BYTES || bytes[0] !== 0x42 || bytes[1] !== 0x4d)
    throw new ImageError("no BMP");
  const headerBytes = view.getUint32(14, true);
  const isCore = headerBytes === CORE_HEADER_BYTES;
  if (!isCore && (headerBytes < INFO_HEADER_BYTES || headerBytes > 1024))
    throw new ImageError("a BMP of no known kind");
  if (bytes.length < FILE_HEADER_BYTES + headerBytes) throw new ImageError("a BMP without its header");
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const signedHeight = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  checkSize(width, height);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? Compression.NONE : view.getUint32(30, true);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new ImageError(`a BMP of ${bits} bits a pixel`);
  const hasMasks = compression === Compression.MASKS || compression === Compression.MASKS_WITH_ALPHA;
  if (compression !== Compression.NONE && !(hasMasks && (bits === 16 || bits === 32)))
    throw new ImageError(`a BMP of compression ${compression}`);
  const masks = hasMasks ? readMasks(view, headerBytes, compression) : usualMasks(bits);
  // Masks that have no room in the short header follow it.
  const maskBytes = hasMasks && headerBytes === INFO_HEADER_BYTES ? (compression === Compression.MASKS ? 12 : 16) : 0;
  const paletteAt = FILE_HEADER_BYTES + headerBytes + maskBytes;
  const colors = bits > 8 ? 0 : Math.min((isCore ? 0 : view.getUint32(46, true)) || 2 ** bits, 2 ** bits);
  const entryBytes = isCore ? 3 : 4;
  const palette = new Uint8Array(3 * 2 ** Math.min(bits, 8));
  for (let color = 0; color < colors; color += 1) {
    const at = paletteAt + color * entryBytes;
    palette.set([bytes[at + 2] ?? 0, bytes[at + 1] ?? 0, bytes[at] ?? 0], color * 3);
  }
  const pixelsAt = Math.max(view.getUint32(10, true), paletteAt + colors * entryBytes);
  return { width, height, fromTop: signedHeight < 0, bits, palette, masks, pixelsAt };
}

function readMasks(view: DataView, headerBytes: number, compression: number): Header["masks"] {
  const hasAlpha = compression === Compression.MASKS_WITH_ALPHA || headerBytes >= 56;
  if (view.byteLength < (hasAlpha ? 70 : 66)) throw new ImageError("a BMP without its masks");
  const mask = (at: number): number => view.getUint32(at, true);
  return [mask(54), mask(58), mask(62), hasAlpha ? mask(66) : 0];
}

function usualMasks(bits: number): Header["masks"] {
  return bits === 16 ? [0x7c00, 0x03e0, 0x001f, 0] : [0xff0000, 0xff00, 0xff, 0];
}

function rowReader(
  { width, bits, palette, masks }: Header,
  bytes: Uint8Array,
  view: DataView,
  data: Uint8Array,
  channels: 3 | 4,
): (from: number, to: number) => void {
  if (bits <= 8) {
    const perByte = 8 / bits;
    return (from, to) => {
      for (let x = 0; x < width; x += 1) {
        const shift = 8 - bits * ((x % perByte) + 1);
        const color = ((bytes[from + Math.floor(x / perByte)] ?? 0) >> shift) & (2 ** bits - 1);
        data[to + x * 3] = palette[color * 3] ?? 0;
        data[to + x * 3 + 1] = palette[color * 3 + 1] ?? 0;
        data[to + x * 3 + 2] = palette[color * 3 + 2] ?? 0;
      }
    };
  }
  if (bits === 24) {
    return (from, to) => {
      for (let at = 0; at < width * 3; at += 3) {
        data[to + at] = bytes[from + at + 2] ?? 0;
        data[to + at + 1] = bytes[from + at + 1] ?? 0;
        data[to + at + 2] = bytes[from + at] ?? 0;
      }
    };
  }
  const samples = masks.slice(0, channels).map(sampleOf);
  const pixel =
    bits === 16 ? (at: number) => view.getUint16(at, true) : (at: number): number => view.getUint32(at, true);
  return (from, to) => {
    for (let x = 0; x < width; x += 1) {
      const value = pixel(from + (x * bits) / 8);
      for (let channel = 0; channel < channels; channel += 1)
        data[to + x * channels + channel] = samples[channel]?.(value) ?? 0;
    }
  };
}

/** What the bits under a mask amount to, of 255. */
function sampleOf(mask: number): (value: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return most === 255
    ? (value) => (value >>> shift) & 255
    : (value) => Math.round((((value & mask) >>> shift) * 255) / most);
}
