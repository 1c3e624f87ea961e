// Writes PNG. Here and not by a library: those that need no native part of their own deflate in JavaScript, which takes
// seconds for a screenful, and an application that pastes waits.
import { crc32, deflateSync } from "node:zlib";
import { PNG_SIGNATURE } from "./format.ts";
import type { Raster } from "./raster.ts";

/** Quick: a screenful is on its way to a viewer that waits for it. */
const LEVEL = 3;
/** Of a row: the difference to the row above, which suits what is on screens. */
const UP = 2;
const ColorType = { 3: 2, 4: 6 } as const;

export function encodePng({ width, height, channels, data }: Raster): Uint8Array {
  const rowBytes = width * channels;
  const filtered = new Uint8Array((rowBytes + 1) * height);
  for (let row = 0; row < height; row += 1) {
    const to = row * (rowBytes + 1);
    const from = row * rowBytes;
    filtered[to] = UP;
    if (row === 0) filtered.set(data.subarray(0, rowBytes), 1);
    else
      for (let at = 0; at < rowBytes; at += 1)
        filtered[to + 1 + at] = (data[from + at] ?? 0) - (data[from + at - rowBytes] ?? 0);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, ColorType[channels]], 8);
  const pixels = deflateSync(filtered, { level: LEVEL });
  return Buffer.concat([
    PNG_SIGNATURE,
    ...chunk("IHDR", header),
    ...chunk("IDAT", pixels),
    ...chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write(name, 4, "latin1");
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(data, crc32(head.subarray(4))), 0);
  return [head, data, check];
}
