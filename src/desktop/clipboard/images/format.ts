// Which kind of picture some bytes are: applications do not always give what they were asked for.
export type ImageFormat = "png" | "bmp" | "tiff" | "jpeg" | "gif";

export const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

const beginnings: readonly (readonly [ImageFormat, Uint8Array])[] = [
  ["png", PNG_SIGNATURE],
  ["bmp", Uint8Array.of(0x42, 0x4d)],
  ["tiff", Uint8Array.of(0x49, 0x49, 42, 0)],
  ["tiff", Uint8Array.of(0x4d, 0x4d, 0, 42)],
  ["jpeg", Uint8Array.of(0xff, 0xd8, 0xff)],
  ["gif", Uint8Array.of(0x47, 0x49, 0x46, 0x38)],
];

export function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  return beginnings.find(([, start]) => start.every((byte, index) => bytes[index] === byte))?.[0];
}
