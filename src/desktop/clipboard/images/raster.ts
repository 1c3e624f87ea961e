// A picture as rows of samples, and what is too much of one.

/** 8K, and a little. What is larger is refused before any of it is unpacked. */
export const MAX_PIXELS = 36_000_000;

export interface Raster {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** RGB, or RGBA with alpha not multiplied in. */
  readonly channels: 3 | 4;
  /** Row by row from the top, a byte a sample. */
  readonly data: Uint8Array;
}

/** Not a picture of its kind, or one that is not read. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** Throws an ImageError for what has no pixels or too many. */
export function checkSize(width: number, height: number): void {
  if (!(width >= 1 && height >= 1)) throw new ImageError(`${width} by ${height} pixels`);
  if (width * height > MAX_PIXELS) throw new ImageError(`${width} by ${height}: more than ${MAX_PIXELS} pixels`);
}
