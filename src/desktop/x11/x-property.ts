// Properties of X windows in pages: one huge GetProperty or ChangeProperty holds up the server and our memory.
import type x11 from "x11";
import { BackendError } from "../../support/errors.ts";
import type { AnswerSink } from "./packet-stream.ts";
import type { XConnection } from "./x-connection.ts";

/** AnyPropertyType */
const ANY = 0;
/** The core requests, and the bytes of one before its data. */
const CHANGE_PROPERTY = 18;
const GET_PROPERTY = 20;
const CHANGE_PROPERTY_HEAD = 24;
/** ChangeProperty: Replace */
const REPLACE = 0;
/** Bytes of one GetProperty: most content is had with the first. */
const PAGE_BYTES = 1024 * 1024;
/** Of a page on its way, worth the reader's turn before all of it is there. */
const TURN_BYTES = 256 * 1024;
/** Pages asked for before the one before has come. */
const PAGES_AHEAD = 2;

/** Bytes of a GetProperty request. */
const GET_PROPERTY_BYTES = 24;

/** A property that fits in one page. The server deletes it, unless it is to be kept. */
export async function takeProperty(
  x: XConnection,
  window: number,
  property: number,
  what: "take" | "keep" = "take",
): Promise<x11.Property> {
  const remove = what === "take" ? 1 : 0;
  return x.ask((callback) => x.client.GetProperty(remove, window, property, ANY, 0, PAGE_BYTES / 4, callback));
}

export interface PropertyHead {
  /** Atom; 0: there is no such property. */
  readonly type: number;
  /** 8, 16 or 32 bits. */
  readonly format: number;
  /** Bytes of the page. */
  readonly bytes: number;
  /** Bytes after it. */
  readonly bytesAfter: number;
}

/**
 * A page of a property that comes from the server: its head, then its bytes in pieces, as they come. The memory of a piece is
 * the connection's, and should be given back to it. The last page deletes the property.
 */
export class PropertyPage implements AnswerSink, AsyncIterable<Buffer> {
  readonly head: Promise<PropertyHead>;
  readonly #x: XConnection;
  #resolveHead: (head: PropertyHead) => void = () => {};
  #rejectHead: (error: BackendError) => void = () => {};
  readonly #pieces: Buffer[] = [];
  #waitingBytes = 0;
  #left = 0;
  #outcome: "open" | "complete" | BackendError = "open";
  #isDropped = false;
  #wake: (() => void) | undefined;

  /** Asks for it. `offset`: bytes before it. */
  constructor(x: XConnection, window: number, property: number, offset = 0) {
    this.#x = x;
    this.head = new Promise((resolve, reject) => {
      this.#resolveHead = resolve;
      this.#rejectHead = reject;
    });
    // Whoever stops reading early leaves pages whose heads nobody waits for.
    this.head.catch(() => {});
    const request = Buffer.alloc(GET_PROPERTY_BYTES);
    request.writeUInt8(GET_PROPERTY, 0);
    request.writeUInt8(1, 1);
    request.writeUInt16LE(request.length / 4, 2);
    request.writeUInt32LE(window, 4);
    request.writeUInt32LE(property, 8);
    request.writeUInt32LE(ANY, 12);
    request.writeUInt32LE(offset / 4, 16);
    request.writeUInt32LE(PAGE_BYTES / 4, 20);
    x.askInPieces(request, this);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#waitingBytes -= piece.length;
          yield piece;
        } else if (this.#outcome === "open") await new Promise<void>((resolve) => (this.#wake = resolve));
        else if (this.#outcome === "complete") return;
        else throw this.#outcome;
      }
    } finally {
      this.#isDropped = true;
      for (const piece of this.#pieces.splice(0)) this.#x.giveBack(piece);
    }
  }

  // What the connection tells

  begins(head: Buffer): void {
    const format = head.readUInt8(1);
    const bytes = head.readUInt32LE(16) * (format / 8);
    this.#left = bytes;
    this.#resolveHead({ type: head.readUInt32LE(8), format, bytes, bytesAfter: head.readUInt32LE(12) });
  }

  piece(piece: Buffer): void {
    // What follows the property's bytes is padding.
    const content = piece.subarray(0, this.#left);
    this.#left -= content.length;
    if (content.length < piece.length) this.#x.giveBack(piece.subarray(content.length));
    if (this.#isDropped || content.length === 0) return this.#x.giveBack(content);
    this.#pieces.push(content);
    this.#waitingBytes += content.length;
    if (this.#waitingBytes >= TURN_BYTES) this.#wakeUp();
  }

  ended(): void {
    this.#outcome = "complete";
    this.#wakeUp();
  }

  failed(error: number | "closed"): void {
    this.#outcome =
      error === "closed"
        ? new BackendError("display.lost", "the X server is gone")
        : new BackendError("display.request-failed", `request ${GET_PROPERTY}.0: error ${error}`);
    this.#rejectHead(this.#outcome);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** All of a property's bytes, when the head of its first page is known; further pages are asked for ahead. */
export async function* bytesOfProperty(
  x: XConnection,
  window: number,
  property: number,
  first: PropertyPage,
): AsyncGenerator<Buffer> {
  const { bytes, bytesAfter } = await first.head;
  const end = bytes + bytesAfter;
  const pages = [first];
  for (let offset = bytes; pages.length > 0; ) {
    while (offset < end && pages.length < PAGES_AHEAD) {
      pages.push(new PropertyPage(x, window, property, offset));
      offset += PAGE_BYTES;
    }
    const page = pages.shift();
    if (page === undefined) return;
    if (page !== first && (await page.head).bytes === 0)
      throw new BackendError("clipboard.refused", "a property shrank while it was read");
    yield* page;
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
