// Any picture an application has as one that every viewer takes. Slow, and at the mercy of who made the picture: run it in a worker.
import { decodeBmp } from "./bmp.ts";
import { formatOf } from "./format.ts";
import { decodeGif } from "./gif.ts";
import { decodeJpeg } from "./jpeg.ts";
import { encodePng } from "./png.ts";
import { ImageError, type Raster } from "./raster.ts";
import { decodeTiff } from "./tiff.ts";

/** Throws an ImageError. */
export function toPng(bytes: Uint8Array): Uint8Array {
  const format = formatOf(bytes);
  if (format === undefined) throw new ImageError("a picture of no known kind");
  if (format === "png") return bytes;
  const decode: Readonly<Record<typeof format, (bytes: Uint8Array) => Raster>> = {
    bmp: decodeBmp,
    tiff: decodeTiff,
    jpeg: decodeJpeg,
    gif: decodeGif,
  };
  return encodePng(decode[format](bytes));
}
