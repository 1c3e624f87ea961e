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
/** Data of a frame of a streamed type: upstream's clipboard content and pieces of files, in one frame however large. */
export const MAX_STREAMED_DATA_BYTES = 1024 * 1024 * 1024;

/** The bytes before `size` bytes of a frame's data. */
export function encodeLinkHeader({ type, arg1, arg2 }: Omit<LinkFrame, "data">, size: number): Uint8Array {
  const writer = new ByteWriter(header.size);
  header.write(writer, { type, arg1, arg2, size });
  return writer.finish();
}

/** Throws a RangeError beyond MAX_FRAME_DATA_BYTES. */
export function encodeLinkFrame(frame: LinkFrame): Uint8Array {
  if (frame.data.length > MAX_FRAME_DATA_BYTES) throw new RangeError(`frame of ${frame.data.length} bytes`);
  const writer = new ByteWriter(header.size + frame.data.length);
  writer.put(encodeLinkHeader(frame, frame.data.length));
  writer.put(frame.data);
  return writer.finish();
}

/** Takes what a LinkFrameStream finds. Data may be a view of what was pushed: for how long it holds, whoever pushes knows. */
export interface LinkFrameSink {
  frame(frame: LinkFrame): void;
  /** A frame of a streamed type begins; its data follows in pieces, `bytes` in all. */
  dataBegin(frame: Omit<LinkFrame, "data">, bytes: number): void;
  dataPiece(piece: Uint8Array): void;
  dataEnd(): void;
}

/** Takes the link's bytes in pieces of any size and hands on whole frames, those of streamed types in pieces. */
export class LinkFrameStream {
  readonly #sink: LinkFrameSink;
  readonly #streamedTypes: ReadonlyMap<number, number>;
  readonly #header = new Uint8Array(header.size);
  #headerFill = 0;
  #isStreamed = false;
  #pieces: Uint8Array[] = [];
  #left = 0;

  /** `streamedTypes`: how many bytes of data a frame of each may have. */
  constructor(sink: LinkFrameSink, streamedTypes: ReadonlyMap<number, number>) {
    this.#sink = sink;
    this.#streamedTypes = streamedTypes;
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
    const { type, arg1, arg2, size } = header.read(new ByteReader(this.#header));
    const streamedBytes = this.#streamedTypes.get(type);
    this.#isStreamed = streamedBytes !== undefined;
    if (size > (streamedBytes ?? MAX_FRAME_DATA_BYTES))
      throw new DecodeError("too-large", `link frame of ${size} bytes`);
    this.#left = size;
    if (this.#isStreamed) this.#sink.dataBegin({ type, arg1, arg2 }, size);
    if (size === 0) this.#complete();
    return part.length;
  }

  #takeData(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (this.#isStreamed) this.#sink.dataPiece(piece);
    // What waits for the rest of its frame must outlive the caller's buffer.
    else this.#pieces.push(this.#left > 0 ? new Uint8Array(piece) : piece);
    if (this.#left === 0) this.#complete();
    return piece.length;
  }

  #complete(): void {
    this.#headerFill = 0;
    if (this.#isStreamed) return this.#sink.dataEnd();
    const { type, arg1, arg2 } = header.read(new ByteReader(this.#header));
    const data = joined(this.#pieces);
    this.#pieces = [];
    this.#sink.frame({ type, arg1, arg2, data });
  }
}
