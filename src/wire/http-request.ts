// The requests on a connection, taken apart just far enough to judge each and to know where the next one begins (RFC 9112).
// Strict: what two parsers could understand in two ways is refused, so that nothing can hide inside a body.
import { DecodeError } from "./bytes.ts";

export const MAX_HEAD_BYTES = 64 * 1024;
const MAX_HEADERS = 128;
const MAX_CHUNK_LINE_BYTES = 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
/** Blank lines that a client may leave before a request. */
const MAX_BLANK_BYTES = 8;
const CR = 13;
const LF = 10;

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  /** HTTP/1.0 or 1.1. */
  readonly minorVersion: 0 | 1;
  /** As they came, one character a byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface RequestSink {
  head(head: RequestHead): void;
  /** The body as it came, chunk sizes included; views of what was pushed. */
  body(bytes: Uint8Array): void;
}

/** The values of a header, by its name in small letters. */
export function valuesOf({ headers }: RequestHead, name: string): readonly string[] {
  return headers.flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []));
}

/** The head as bytes, without the headers named in small letters. */
export function encodeHead(head: RequestHead, without: readonly string[]): Uint8Array {
  const lines = head.headers
    .filter(([name]) => !without.includes(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${head.method} ${head.target} HTTP/1.${head.minorVersion}\r\n${lines.join("")}\r\n`;
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e\x80-\xff]{1,16384}) HTTP\/1\.([01])$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what a value must not have
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*$/;
const chunkLine = /^([0-9A-Fa-f]{1,12})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?$/;

type Stage = "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "trailer";

export class RequestReader {
  readonly #sink: RequestSink;
  #stage: Stage = "head";
  /** Of the head, or of the line that is being read: as much of it as is filled. */
  #kept = new Uint8Array(1024);
  #keptBytes = 0;
  /** How far the end of a head or line has come: CR, LF, CR, LF. */
  #ending = 0;
  /** Of the body or the chunk. */
  #left = 0;
  #trailerBytes = 0;

  constructor(sink: RequestSink) {
    this.#sink = sink;
  }

  /** Throws a DecodeError: nothing on this connection can be believed any more. */
  push(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) {
      const step = this.#stage === "head" ? this.#head(rest) : this.#body(rest);
      rest = rest.subarray(step);
    }
  }

  #head(bytes: Uint8Array): number {
    const used = this.#collect(bytes, 4, MAX_HEAD_BYTES, "a request's head");
    if (used === undefined) {
      this.#skipBlank();
      return bytes.length;
    }
    this.#skipBlank();
    if (this.#keptBytes === 0) return used;
    const head = parsedHead(this.#take(4));
    const framing = framingOf(head);
    this.#sink.head(head);
    if (framing === "chunked") this.#stage = "chunk-size";
    else if (framing > 0) {
      this.#stage = "length";
      this.#left = framing;
    }
    return used;
  }

  /** Blank lines before a request are not part of it. */
  #skipBlank(): void {
    let blank = 0;
    while (blank + 1 < this.#keptBytes && this.#kept[blank] === CR && this.#kept[blank + 1] === LF) blank += 2;
    if (blank === 0) return;
    if (blank > MAX_BLANK_BYTES) throw new DecodeError("bad-value", "nothing but blank lines");
    this.#kept.copyWithin(0, blank, this.#keptBytes);
    this.#keptBytes -= blank;
    if (this.#keptBytes === 0) this.#ending = 0;
  }

  /** The body's bytes up to its end, told as one piece. */
  #body(bytes: Uint8Array): number {
    let at = 0;
    try {
      while (at < bytes.length && this.#stage !== "head") at += this.#bodyStep(bytes.subarray(at));
    } finally {
      if (at > 0) this.#sink.body(bytes.subarray(0, at));
    }
    return at;
  }

  #bodyStep(bytes: Uint8Array): number {
    switch (this.#stage) {
      case "length":
      case "chunk": {
        const step = Math.min(bytes.length, this.#left);
        this.#left -= step;
        if (this.#left === 0) this.#stage = this.#stage === "length" ? "head" : "chunk-end";
        return step;
      }
      case "chunk-end": {
        const used = this.#collect(bytes, 2, 2, "the end of a chunk");
        if (used === undefined) return bytes.length;
        this.#take(2);
        this.#stage = "chunk-size";
        return used;
      }
      case "chunk-size": {
        const used = this.#collect(bytes, 2, MAX_CHUNK_LINE_BYTES, "a chunk's size");
        if (used === undefined) return bytes.length;
        const size = chunkLine.exec(textOf(this.#take(2)))?.[1];
        if (size === undefined) throw new DecodeError("bad-value", "a chunk's size is no number");
        this.#left = Number.parseInt(size, 16);
        this.#stage = this.#left === 0 ? "trailer" : "chunk";
        this.#trailerBytes = 0;
        return used;
      }
      case "trailer": {
        const used = this.#collect(bytes, 2, MAX_TRAILER_BYTES - this.#trailerBytes, "a trailer");
        if (used === undefined) return bytes.length;
        const line = this.#take(2);
        this.#trailerBytes += line.length + 2;
        if (line.length === 0) this.#stage = "head";
        return used;
      }
      default:
        throw new RangeError("no body is being read");
    }
  }

  /**
   * Keeps bytes until CR LF (2) or CR LF CR LF (4) has come: how many of these belong to it, or undefined for all and
   * more to come. A CR or LF alone is an error.
   */
  #collect(bytes: Uint8Array, ending: 2 | 4, most: number, what: string): number | undefined {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      const wantsLf = this.#ending % 2 === 1;
      if (wantsLf !== (byte === LF)) throw new DecodeError("bad-value", `${what}: a line that does not end in CR LF`);
      if (byte === LF || byte === CR) this.#ending += 1;
      else this.#ending = 0;
      if (this.#ending < ending) continue;
      this.#keep(bytes.subarray(0, at + 1), most, what);
      this.#ending = 0;
      return at + 1;
    }
    this.#keep(bytes, most, what);
    return undefined;
  }

  #keep(bytes: Uint8Array, most: number, what: string): void {
    const total = this.#keptBytes + bytes.length;
    if (total > most) throw new DecodeError("too-large", `${what} of more than ${most} bytes`);
    if (total > this.#kept.length) {
      const larger = new Uint8Array(Math.max(total, 2 * this.#kept.length));
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(bytes, this.#keptBytes);
    this.#keptBytes = total;
  }

  /** What was kept, without its last bytes; good until more is kept. */
  #take(ending: number): Uint8Array {
    const all = this.#kept.subarray(0, this.#keptBytes - ending);
    this.#keptBytes = 0;
    return all;
  }
}

function parsedHead(bytes: Uint8Array): RequestHead {
  const [first = "", ...lines] = textOf(bytes).split("\r\n");
  const [, method, target, minor] = requestLine.exec(first) ?? [];
  if (method === undefined || target === undefined) throw new DecodeError("bad-value", "no request of HTTP/1");
  if (lines.length > MAX_HEADERS) throw new DecodeError("too-large", `${lines.length} headers`);
  const headers = lines.map((line): readonly [string, string] => {
    const [, name, value] = headerLine.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new DecodeError("bad-value", "a header that is none");
    return [name, value];
  });
  return { method, target, minorVersion: minor === "1" ? 1 : 0, headers };
}

/** Bytes of the body, or that it comes in chunks. */
function framingOf(head: RequestHead): number | "chunked" {
  const lengths = valuesOf(head, "content-length");
  const encodings = valuesOf(head, "transfer-encoding");
  if (encodings.length > 0) {
    if (lengths.length > 0) throw new DecodeError("bad-value", "both a length and an encoding of the body");
    if (head.minorVersion === 0 || encodings.length > 1 || encodings[0]?.toLowerCase() !== "chunked")
      throw new DecodeError("bad-value", "an encoding of the body other than chunked");
    return "chunked";
  }
  const [length, ...more] = lengths;
  if (length === undefined) return 0;
  if (more.length > 0 || !/^\d{1,15}$/.test(length)) throw new DecodeError("bad-value", "a length that is none");
  return Number(length);
}

/** One character a byte: what a header may hold beyond ASCII is nobody's but the peer's. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
