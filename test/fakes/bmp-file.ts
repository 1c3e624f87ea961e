// A Windows bitmap, piece by piece.

export interface BmpFile {
  readonly width: number;
  /** Negative: from the top. */
  readonly height: number;
  readonly bits: number;
  /** Hex, with blanks: four bytes a colour. */
  readonly palette?: string;
  /** Hex: four bytes a mask; with alpha there are four. */
  readonly masks?: string;
  /** Hex, as in the file. */
  readonly rows: readonly string[];
  readonly compression?: number;
}

export function bmpFile({ width, height, bits, palette = "", masks = "", rows, compression }: BmpFile): Uint8Array {
  const header = Buffer.alloc(54);
  const colors = bytes(palette);
  const maskBytes = bytes(masks);
  header.write("BM");
  header.writeUInt32LE(54 + maskBytes.length + colors.length, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(compression ?? (maskBytes.length === 0 ? 0 : maskBytes.length === 16 ? 6 : 3), 30);
  header.writeUInt32LE(colors.length / 4, 46);
  return new Uint8Array(Buffer.concat([header, maskBytes, colors, ...rows.map(bytes)]));
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}
