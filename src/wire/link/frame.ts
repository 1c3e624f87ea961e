// The frame between daemon and session: upstream's udscs header, 16 bytes, in native order (little-endian everywhere we run).
import { ByteReader, ByteWriter, DecodeError } from "../bytes.ts";
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

export function encodeLinkFrame({ type, arg1, arg2, data }: LinkFrame): Uint8Array {
  if (data.length > MAX_FRAME_DATA_BYTES) throw new RangeError(`frame of ${data.length} bytes`);
  const writer = new ByteWriter(header.size + data.length);
  header.write(writer, { type, arg1, arg2, size: data.length });
  writer.put(data);
  return writer.finish();
}

/** Takes the link's bytes in pieces of any size and hands on whole frames. */
export class LinkFrameStream {
  readonly #onFrame: (frame: LinkFrame) => void;
  #buffer = new Uint8Array(0);

  constructor(onFrame: (frame: LinkFrame) => void) {
    this.#onFrame = onFrame;
  }

  /** A DecodeError thrown from here means that the framing is lost: close the link. */
  push(bytes: Uint8Array): void {
    let rest = this.#buffer.length === 0 ? bytes : concat(this.#buffer, bytes);
    while (rest.length >= header.size) {
      const { size, ...args } = header.read(new ByteReader(rest));
      if (size > MAX_FRAME_DATA_BYTES) throw new DecodeError("too-large", `link frame of ${size} bytes`);
      const end = header.size + size;
      if (rest.length < end) break;
      this.#onFrame({ ...args, data: rest.subarray(header.size, end) });
      rest = rest.subarray(end);
    }
    // At most one unfinished frame is kept, so the copy above is bounded by a frame's size.
    this.#buffer = rest.slice();
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
