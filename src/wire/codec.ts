// What one message's file offers: bytes to value and back, under the layout both sides have negotiated.
import { ByteReader, ByteWriter, DecodeError } from "./bytes.ts";
import type { Field } from "./fields.ts";

/**
 * What the peers' announced capabilities decide about a message's shape.
 * `selection`: CLIPBOARD_SELECTION, a 4-byte prefix; `serial`: CLIPBOARD_GRAB_SERIAL, a counter in every grab.
 */
export interface Layout {
  readonly selection: boolean;
  readonly serial: boolean;
}

/** Before anything was announced: no prefixes. */
export const bareLayout: Layout = { selection: false, serial: false };

export interface Codec<T> {
  /** Throws a DecodeError when the bytes are not such a message. Bytes after the last field are ignored. */
  decode(body: Uint8Array, layout: Layout): T;
  encode(value: T, layout: Layout): Uint8Array;
}

/** The codec of a message that is one struct and nothing else. */
export function structCodec<T>(shape: Field<T>): Codec<T> {
  return {
    decode: (body) => shape.read(new ByteReader(body)),
    encode: (value) => {
      const writer = new ByteWriter(shape.size);
      shape.write(writer, value);
      return writer.finish();
    },
  };
}

/**
 * Whatever is left, as a list of u32. A DecodeError `bad-value` when it does not divide evenly, `too-large` beyond `max`.
 */
export function restOfU32(reader: ByteReader, what: string, max: number): number[] {
  if (reader.left % 4 !== 0) throw new DecodeError("bad-value", `${what}: ${reader.left} bytes are no list of u32`);
  const count = reader.left / 4;
  if (count > max) throw new DecodeError("too-large", `${what}: ${count} entries, at most ${max}`);
  return Array.from({ length: count }, () => reader.u32());
}
