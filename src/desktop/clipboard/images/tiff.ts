// TIFF, by a library that believes what it reads: sizes are looked at before.
import { decode, decodeImage, type IFD, toRGBA8 } from "utif2";
import { checkSize, ImageError, type Raster } from "./raster.ts";

const Tag = {
  WIDTH: "t256",
  HEIGHT: "t257",
  BITS: "t258",
  SAMPLES: "t277",
  TILE_WIDTH: "t322",
  TILE_HEIGHT: "t323",
} as const;
const MAX_SAMPLES = 8;
const MAX_BITS = 32;

/** The first page. Throws an ImageError. */
export function decodeTiff(bytes: Uint8Array): Raster {
  try {
    const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [page] = decode(file);
    if (page === undefined) throw new ImageError("no page");
    const width = first(page, Tag.WIDTH) ?? 0;
    const height = first(page, Tag.HEIGHT) ?? 0;
    checkSize(width, height);
    // Tiles without size are walked over for ever.
    const tileWidth = first(page, Tag.TILE_WIDTH);
    if (tileWidth !== undefined) checkSize(tileWidth, first(page, Tag.TILE_HEIGHT) ?? 0);
    if ((first(page, Tag.SAMPLES) ?? 1) > MAX_SAMPLES || (first(page, Tag.BITS) ?? 1) > MAX_BITS)
      throw new ImageError("samples of no known kind");
    decodeImage(file, page);
    const rgba = toRGBA8(page);
    if (rgba.length !== width * height * 4) throw new ImageError("a page of another size than it says");
    const isOpaque = opaque(rgba);
    return { width, height, channels: isOpaque ? 3 : 4, data: isOpaque ? withoutAlpha(rgba) : rgba };
  } catch (error) {
    throw new ImageError(`TIFF: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function first(page: IFD, tag: string): number | undefined {
  const values = page[tag];
  const value: unknown = Array.isArray(values) || ArrayBuffer.isView(values) ? Reflect.get(values, 0) : undefined;
  return typeof value === "number" ? value : undefined;
}

function opaque(rgba: Uint8Array): boolean {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return false;
  return true;
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
  }
  return rgb;
}
