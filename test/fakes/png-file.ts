// A PNG of any kind, piece by piece.
import { crc32, deflateSync } from "node:zlib";

export interface PngFile {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly depth: number;
  /** 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha. */
  readonly color: number;
  readonly interlaced?: boolean;
  /** Of a row by its number. Default: none. */
  readonly filter?: (row: number) => number;
  /** Raw samples of a pixel. */
  readonly pixel: (x: number, y: number) => readonly number[];
  /** Chunks between head and data. */
  readonly chunks?: readonly (readonly [name: string, data: Uint8Array])[];
  /** Instead of the packed rows. */
  readonly data?: Uint8Array;
}

const adam7: readonly (readonly [left: number, top: number, stepX: number, stepY: number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export function pngFile(file: PngFile): Buffer {
  const { width, height, depth, color, interlaced = false, chunks = [] } = file;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([depth, color, 0, 0, interlaced ? 1 : 0], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    ...chunks.map(([name, data]) => chunk(name, data)),
    chunk("IDAT", file.data ?? deflateSync(filteredRows(file))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

function filteredRows({ width, height, depth, interlaced = false, filter = () => 0, pixel }: PngFile): Buffer {
  const rows: Buffer[] = [];
  for (const [left, top, stepX, stepY] of interlaced ? adam7 : [[0, 0, 1, 1] as const]) {
    if (left >= width) continue;
    let before: Buffer | undefined;
    for (let y = top, row = 0; y < height; y += stepY, row += 1) {
      const samples: number[] = [];
      for (let x = left; x < width; x += stepX) samples.push(...pixel(x, y));
      const perPixel = samples.length / Math.ceil((width - left) / stepX);
      const line = packed(samples, depth);
      rows.push(filtered(line, before ?? Buffer.alloc(line.length), filter(row), Math.max(1, (perPixel * depth) >> 3)));
      before = line;
    }
  }
  return Buffer.concat(rows);
}

function packed(samples: readonly number[], depth: number): Buffer {
  const line = Buffer.alloc(Math.ceil((samples.length * depth) / 8));
  for (const [index, sample] of samples.entries()) {
    if (depth === 16) line.writeUInt16BE(sample, index * 2);
    else {
      const at = (index * depth) >> 3;
      line[at] = (line[at] ?? 0) | (sample << (8 - depth - ((index * depth) & 7)));
    }
  }
  return line;
}

function filtered(line: Buffer, before: Buffer, filter: number, distance: number): Buffer {
  const out = Buffer.alloc(line.length + 1);
  out[0] = filter;
  for (const [at, value] of line.entries()) {
    const a = line[at - distance] ?? 0;
    const b = before[at] ?? 0;
    const c = at < distance ? 0 : (before[at - distance] ?? 0);
    const paeth = [a, b, c].reduce((best, each) =>
      Math.abs(a + b - c - each) < Math.abs(a + b - c - best) ? each : best,
    );
    out[at + 1] = value - ([0, a, b, (a + b) >> 1, paeth][filter] ?? 0);
  }
  return out;
}
