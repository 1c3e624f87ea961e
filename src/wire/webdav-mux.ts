// The port of the shared folder: connections side by side in one stream of bytes, both ways alike. Section 7.1 of the protocol.
import { ByteReader, ByteWriter } from "./bytes.ts";

/** i64 connection, u16 size. */
export const MUX_HEADER_BYTES = 10;
/** Most bytes one frame carries. */
export const MAX_MUX_PAYLOAD_BYTES = 0xffff;

export interface MuxSink {
  /** Bytes of a connection, as they arrive: a frame may come in several pieces. A view of what was pushed. */
  data(connection: bigint, piece: Uint8Array): void;
  /** A frame of size 0. */
  closed(connection: bigint): void;
}

/** The bytes before a frame's payload; `payloadBytes` 0 says that the connection is closed. Throws a RangeError past 65535. */
export function muxHeader(connection: bigint, payloadBytes: number): Uint8Array {
  const writer = new ByteWriter(MUX_HEADER_BYTES);
  writer.u64(BigInt.asUintN(64, connection));
  writer.u16(payloadBytes);
  return writer.finish();
}

/** Takes the stream apart. Any bytes are frames of some connection, so nothing is an error here; nothing is kept but a header. */
export class MuxReader {
  readonly #sink: MuxSink;
  readonly #header = new Uint8Array(MUX_HEADER_BYTES);
  #headerFill = 0;
  #connection = 0n;
  /** Still to come of the frame. */
  #payloadLeft = 0;

  constructor(sink: MuxSink) {
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) {
      const step = this.#payloadLeft > 0 ? this.#payload(rest) : this.#head(rest);
      rest = rest.subarray(step);
    }
  }

  #payload(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.#payloadLeft);
    this.#payloadLeft -= piece.length;
    this.#sink.data(this.#connection, piece);
    return piece.length;
  }

  #head(bytes: Uint8Array): number {
    const part = bytes.subarray(0, MUX_HEADER_BYTES - this.#headerFill);
    this.#header.set(part, this.#headerFill);
    this.#headerFill += part.length;
    if (this.#headerFill < MUX_HEADER_BYTES) return part.length;
    this.#headerFill = 0;
    const reader = new ByteReader(this.#header);
    this.#connection = BigInt.asIntN(64, reader.u64());
    this.#payloadLeft = reader.u16();
    if (this.#payloadLeft === 0) this.#sink.closed(this.#connection);
    return part.length;
  }
}
