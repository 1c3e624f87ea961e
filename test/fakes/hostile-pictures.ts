// Pictures that say more than they hold, or never end: what an application or a viewer may put on a clipboard to do harm.
import { bmpFile } from "./bmp-file.ts";

const Tag = {
  WIDTH: 256,
  HEIGHT: 257,
  BITS: 258,
  COMPRESSION: 259,
  PHOTOMETRIC: 262,
  STRIP_OFFSETS: 273,
  SAMPLES: 277,
  ROWS_PER_STRIP: 278,
  STRIP_BYTES: 279,
  TILE_WIDTH: 322,
  TILE_HEIGHT: 323,
  TILE_OFFSETS: 324,
  TILE_BYTES: 325,
} as const;
const IFD_AT = 8;

/** One page; each entry a LONG, `count` of them where it says so. `next`: where the next page is said to be. */
function tiffFile(entries: readonly (readonly [tag: number, value: number, count?: number])[], next = 0): Uint8Array {
  const file = Buffer.alloc(IFD_AT + 2 + entries.length * 12 + 4 + 64);
  file.write("II*\0", "latin1");
  file.writeUInt32LE(IFD_AT, 4);
  file.writeUInt16LE(entries.length, IFD_AT);
  for (const [index, [tag, value, count = 1]] of entries.entries()) {
    const at = IFD_AT + 2 + index * 12;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(4, at + 2);
    file.writeUInt32LE(count, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  file.writeUInt32LE(next, IFD_AT + 2 + entries.length * 12);
  return file;
}

const page = (width: number, height: number) =>
  [
    [Tag.WIDTH, width],
    [Tag.HEIGHT, height],
    [Tag.BITS, 8],
    [Tag.COMPRESSION, 1],
    [Tag.PHOTOMETRIC, 1],
  ] as const;

/** A baseline JPEG up to the scan, of which there are only a few bytes. */
function jpegFile(width: number, height: number): Uint8Array {
  const frame = Buffer.from("ffd8ffc00011080000000003012200021100031100", "hex");
  frame.writeUInt16BE(height, 7);
  frame.writeUInt16BE(width, 9);
  return Buffer.concat([frame, Buffer.from("ffda000c03010002000300003f00", "hex"), Buffer.alloc(64, 0x55)]);
}

/** Each with the target an application offers it as. */
export const hostilePictures: readonly (readonly [what: string, target: string, file: Uint8Array])[] = [
  ["a JPEG of 65535 by 65535", "image/jpeg", jpegFile(65535, 65535)],
  ["a JPEG without its tables", "image/jpeg", jpegFile(4000, 4000)],
  ["a JPEG that ends in its head", "image/jpeg", jpegFile(100, 100).subarray(0, 9)],
  ["a BMP of 32767 by 32767", "image/bmp", bmpFile({ width: 32767, height: 32767, bits: 32, rows: [] })],
  ["a BMP that ends in its head", "image/bmp", bmpFile({ width: 9, height: 9, bits: 32, rows: [] }).subarray(0, 20)],
  ["a TIFF of 65535 by 65535", "image/tiff", tiffFile(page(65535, 65535))],
  ["a TIFF whose page is followed by itself", "image/tiff", tiffFile(page(1, 1), IFD_AT)],
  [
    "a TIFF of four thousand million strips",
    "image/tiff",
    tiffFile([...page(4000, 4000), [Tag.STRIP_OFFSETS, IFD_AT, 0xffffffff], [Tag.STRIP_BYTES, IFD_AT, 0xffffffff]]),
  ],
  [
    "a TIFF of tiles without size",
    "image/tiff",
    tiffFile([
      ...page(6000, 6000),
      [Tag.TILE_WIDTH, 0],
      [Tag.TILE_HEIGHT, 0],
      [Tag.TILE_OFFSETS, 8],
      [Tag.TILE_BYTES, 9],
    ]),
  ],
  ["a TIFF that ends in its page", "image/tiff", tiffFile(page(10, 10)).subarray(0, 30)],
];
