// The frame between daemon and session: upstream's udscs header, 16 bytes, in native order (little-endian everywhere we run).
import { ByteReader, ByteWriter, DecodeError, joined } from "../bytes.ts";
import { struct, u32 } from "../fields.ts";

export interface LinkFrame {
  readonly type: number;
  readonly arg1: number;
  readonly arg2: number;
  readonly data: Uint8Array;
}

const header = struct({ type: u32, arg1: u32, arg2: u32, size: u32 });

/** Data of one frame. Anything larger travels as a body in pieces, so that control never waits behind bulk. */
export const MAX_FRAME_DATA_BYTES = 64 * 1024 - header.size;

/** The bytes before a frame's data. */
export function encodeLinkHeader({ type, arg1, arg2, data }: LinkFrame): Uint8Array {
  if (data.length > MAX_FRAME_DATA_BYTES) throw new RangeError(`frame of ${data.length} bytes`);
  const writer = new ByteWriter(header.size);
  header.write(writer, { type, arg1, arg2, size: data.length });
  return writer.finish();
}

export function encodeLinkFrame(frame: LinkFrame): Uint8Array {
  const writer = new ByteWriter(header.size + frame.data.length);
  writer.put(encodeLinkHeader(frame));
  writer.put(frame.data);
  return writer.finish();
}

/** Takes the link's bytes in pieces of any size and hands on whole frames. Data may be a view of what was pushed. */
export class LinkFrameStream {
  readonly #onFrame: (frame: LinkFrame) => void;
  readonly #header = new Uint8Array(header.size);
  #headerFill = 0;
  #pieces: Uint8Array[] = [];
  #left = 0;

  constructor(onFrame: (frame: LinkFrame) => void) {
    this.#onFrame = onFrame;
  }

  /** A DecodeError thrown from here means that the framing is lost: close the link. */
  push(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) {
      const taken = this.#headerFill < header.size ? this.#takeHeader(rest) : this.#takeData(rest);
      rest = rest.subarray(taken);
    }
  }

  #takeHeader(bytes: Uint8Array): number {
    const part = bytes.subarray(0, header.size - this.#headerFill);
    this.#header.set(part, this.#headerFill);
    this.#headerFill += part.length;
    if (this.#headerFill < header.size) return part.length;
    const { size } = header.read(new ByteReader(this.#header));
    if (size > MAX_FRAME_DATA_BYTES) throw new DecodeError("too-large", `link frame of ${size} bytes`);
    this.#left = size;
    if (size === 0) this.#complete();
    return part.length;
  }

  #takeData(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    // What waits for the rest of its frame must outlive the caller's buffer.
    this.#pieces.push(this.#left > 0 ? piece.slice() : piece);
    if (this.#left === 0) this.#complete();
    return piece.length;
  }

  #complete(): void {
    const { type, arg1, arg2 } = header.read(new ByteReader(this.#header));
    const data = joined(this.#pieces);
    this.#pieces = [];
    this.#headerFill = 0;
    this.#onFrame({ type, arg1, arg2, data });
  }
}
