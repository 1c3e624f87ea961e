// Fixed-size fields, declared once: a struct gives the type, the size, the decoder and the encoder.
import type { ByteReader, ByteWriter } from "./bytes.ts";

/** One value of fixed size on the wire. */
export interface Field<T> {
  /** Bytes. */
  readonly size: number;
  read(reader: ByteReader): T;
  write(writer: ByteWriter, value: T): void;
}

/** The value a field carries. */
export type Of<F> = F extends Field<infer T> ? T : never;

export const u8: Field<number> = { size: 1, read: (r) => r.u8(), write: (w, v) => w.u8(v) };
export const u16: Field<number> = { size: 2, read: (r) => r.u16(), write: (w, v) => w.u16(v) };
export const u32: Field<number> = { size: 4, read: (r) => r.u32(), write: (w, v) => w.u32(v) };
export const i32: Field<number> = { size: 4, read: (r) => r.i32(), write: (w, v) => w.i32(v) };
export const u64: Field<bigint> = { size: 8, read: (r) => r.u64(), write: (w, v) => w.u64(v) };

/** Fields one after the other, packed, in the order of the object's keys. */
export function struct<const S extends Record<string, Field<never> | Field<number> | Field<bigint>>>(
  shape: S,
): Field<{ readonly [K in keyof S]: Of<S[K]> }> {
  type Value = { readonly [K in keyof S]: Of<S[K]> };
  const fields = Object.entries(shape) as [keyof S, Field<unknown>][];
  return {
    size: fields.reduce((sum, [, field]) => sum + field.size, 0),
    read: (reader) => Object.fromEntries(fields.map(([key, field]) => [key, field.read(reader)])) as Value,
    write: (writer, value) => {
      for (const [key, field] of fields) field.write(writer, value[key]);
    },
  };
}
