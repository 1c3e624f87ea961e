// Bounded reading and writing of little-endian, packed, unaligned bytes: the only place that touches offsets.

/** What was wrong with the bytes. Stable: logs, counters and tests name these. */
export type DecodeErrorCode =
  | "truncated"
  | "too-large"
  | "bad-value"
  | "bad-text"
  | "unknown-type"
  | "bad-protocol"
  | "bad-port"
  | "chunk-too-large"
  | "chunk-empty"
  | "chunk-overrun";

/** The peer sent nonsense. Whoever catches it knows whether one message is lost by it or the whole framing. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Reads from the front of one body. Every read past the end is a DecodeError `truncated`; nothing is ever guessed. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /** The next `count` bytes, as a view of the same memory. */
  bytes(count: number): Uint8Array {
    const start = this.#advance(count);
    return this.#bytes.subarray(start, start + count);
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  #advance(count: number): number {
    if (count > this.left) throw new DecodeError("truncated", `needs ${count} bytes, has ${this.left}`);
    const start = this.#offset;
    this.#offset += count;
    return start;
  }
}

/** Writes into memory of a size known beforehand. A value outside its field's range is a RangeError: our own fault. */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#advance(1), inRange(value, 0, 0xff));
  }

  u16(value: number): void {
    this.#view.setUint16(this.#advance(2), inRange(value, 0, 0xffff), true);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#advance(4), inRange(value, 0, 0xffffffff), true);
  }

  i32(value: number): void {
    this.#view.setInt32(this.#advance(4), inRange(value, -0x80000000, 0x7fffffff), true);
  }

  u64(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} does not fit in 64 bits`);
    this.#view.setBigUint64(this.#advance(8), value, true);
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#advance(bytes.length));
  }

  /** The finished bytes. A RangeError if fewer were written than announced. */
  finish(): Uint8Array {
    if (this.#offset !== this.bytes.length)
      throw new RangeError(`${this.bytes.length - this.#offset} bytes not written`);
    return this.bytes;
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (start + count > this.bytes.length) throw new RangeError(`no room for ${count} bytes at ${start}`);
    this.#offset += count;
    return start;
  }
}

function inRange(value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(`${value} is not in ${min}..${max}`);
  return value;
}

/** UTF-8 bytes to text; a DecodeError `bad-text` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DecodeError("bad-text", `${bytes.length} bytes are not UTF-8`);
  }
}

/** Pieces as one; a single one as it is, without a copy. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const only = pieces[0];
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
