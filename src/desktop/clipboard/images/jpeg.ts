// JPEG, by a library that counts what it takes.
import { decode } from "jpeg-js";
import { checkSize, ImageError, MAX_PIXELS, type Raster } from "./raster.ts";

/** What the library may keep beside the picture. */
const MAX_MEMORY_MIB = 640;

/** Throws an ImageError. */
export function decodeJpeg(bytes: Uint8Array): Raster {
  try {
    const { width, height, data } = decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      maxMemoryUsageInMB: MAX_MEMORY_MIB,
    });
    checkSize(width, height);
    return { width, height, channels: 3, data };
  } catch (error) {
    throw new ImageError(`JPEG: ${error instanceof Error ? error.message : String(error)}`);
  }
}
