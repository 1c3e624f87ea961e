// Properties of X windows in pages: one huge GetProperty or ChangeProperty holds up the server and our memory.
import { BackendError } from "../../support/errors.ts";
import type { XConnection } from "./x-connection.ts";

/** AnyPropertyType */
const ANY = 0;
/** The core request, and the bytes before its data. */
const CHANGE_PROPERTY = 18;
const CHANGE_PROPERTY_HEAD = 24;
/** ChangeProperty: Replace */
const REPLACE = 0;
/** Bytes of one GetProperty: most content is had with the first. */
const PAGE_BYTES = 1024 * 1024;
/** Pages asked for before the one before has come. */
const PAGES_AHEAD = 2;

export interface PropertyHead {
  /** Atom. */
  readonly type: number;
  /** 8, 16 or 32 bits. */
  readonly format: number;
  /** Bytes of the first page. */
  readonly data: Buffer;
  /** Bytes after it. */
  readonly bytesAfter: number;
}

/** The first page. The server deletes the property when that was all of it, unless it is to be kept. */
export async function takeProperty(
  x: XConnection,
  window: number,
  property: number,
  what: "take" | "keep" = "take",
): Promise<PropertyHead> {
  const remove = what === "take" ? 1 : 0;
  return x.ask((callback) => x.client.GetProperty(remove, window, property, ANY, 0, PAGE_BYTES / 4, callback));
}

/** The pages after the first, a few asked for ahead; the last one deletes the property. */
export async function* restOfProperty(
  x: XConnection,
  window: number,
  property: number,
  head: PropertyHead,
): AsyncGenerator<Buffer> {
  const page = (offset: number): Promise<PropertyHead> =>
    x.ask((callback) => x.client.GetProperty(1, window, property, ANY, offset / 4, PAGE_BYTES / 4, callback));
  const end = head.data.length + head.bytesAfter;
  const asked: Promise<PropertyHead>[] = [];
  for (let offset = head.data.length; offset < end || asked.length > 0; ) {
    while (offset < end && asked.length < PAGES_AHEAD) {
      const answer = page(offset);
      // Whoever stops reading early leaves answers that nobody waits for.
      answer.catch(() => {});
      asked.push(answer);
      offset += PAGE_BYTES;
    }
    const next = await asked.shift();
    if (next === undefined || next.data.length === 0)
      throw new BackendError("clipboard.refused", "a property shrank while it was read");
    yield next.data;
  }
}

/**
 * Replaces it with bytes, at most `x.maxPropertyBytes`, which are the caller's again when this resolves.
 * Throws `display.request-failed` when the window is gone.
 */
export async function setBytes(
  x: XConnection,
  window: number,
  property: number,
  type: number,
  data: Buffer,
): Promise<void> {
  const padding = -data.length & 3;
  const head = Buffer.alloc(CHANGE_PROPERTY_HEAD);
  head.writeUInt8(CHANGE_PROPERTY, 0);
  head.writeUInt8(REPLACE, 1);
  head.writeUInt16LE((head.length + data.length + padding) / 4, 2);
  head.writeUInt32LE(window, 4);
  head.writeUInt32LE(property, 8);
  head.writeUInt32LE(type, 12);
  head.writeUInt8(8, 16);
  head.writeUInt32LE(data.length, 20);
  const { client } = x;
  // By hand: the library would copy the data into a request of its own, and of hundreds of megabytes that is much garbage.
  await x.check(() => {
    client.seq_num += 1;
    for (const part of [head, data, Buffer.alloc(padding)]) if (part.length > 0) client.pack_stream.put(part);
    client.pack_stream.submit();
  });
}

/** Data at most `x.maxPropertyBytes`. Throws `display.request-failed` when the window is gone. */
export function setProperty(
  x: XConnection,
  window: number,
  property: number,
  type: number,
  format: 8 | 32,
  data: Buffer,
): Promise<null> {
  return x.ask((callback) => x.client.ChangeProperty(REPLACE, window, property, type, format, data, callback));
}

/** 32-bit values as property data. */
export function longs(values: readonly number[]): Buffer {
  const data = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) data.writeUInt32LE(value >>> 0, index * 4);
  return data;
}

/** Property data as 32-bit values; a torn one at the end is left out. */
export function longsOf(data: Buffer): number[] {
  return Array.from({ length: Math.floor(data.length / 4) }, (_, index) => data.readUInt32LE(index * 4));
}
