// What a picture shows, in a few letters: the same for every file of it that leaves nothing out.
import { crc32 } from "node:zlib";
import type { Raster } from "./raster.ts";

/** Colours of what cannot be seen are not told apart. */
export function pixelsOf({ width, height, channels, data }: Raster): string {
  const row = new Uint8Array(width * 4);
  let check = 0;
  for (let from = 0; from < data.length; from += width * channels) {
    for (let column = 0; column < width; column += 1) {
      const at = from + column * channels;
      const alpha = channels === 4 ? (data[at + 3] ?? 0) : 255;
      for (let sample = 0; sample < 3; sample += 1)
        row[column * 4 + sample] = alpha === 0 ? 0 : (data[at + sample] ?? 0);
      row[column * 4 + 3] = alpha;
    }
    check = crc32(row, check);
  }
  return `${width}x${height}:${check}`;
}
