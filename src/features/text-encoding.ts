// Text of old X11 targets to UTF-8 and back: STRING is Latin-1 (ICCCM 2.6.2), COMPOUND_TEXT is ISO 2022 with a UTF-8 escape.
import { joined } from "../wire/bytes.ts";
import type { Content } from "./desktop-clipboard.ts";

export type TextEncoding = "utf-8" | "latin-1" | "compound";

const ESC = 0x1b;
/** `ESC % G` begins UTF-8, `ESC % @` ends it (Compound Text Encoding, extension of XFree86). */
const UTF8_BEGIN = Uint8Array.of(ESC, 0x25, 0x47);
const UTF8_END = Uint8Array.of(ESC, 0x25, 0x40);
const QUESTION_MARK = 0x3f;
/** `ESC % / F M L`, an extended segment of a set not known here: (M - 128) * 128 + (L - 128) bytes follow. */
const LONGEST_ESCAPE = 6;

/** Anything to UTF-8. Characters of sets not known here become U+FFFD. */
export async function* toUtf8(content: Content, encoding: TextEncoding): AsyncGenerator<Uint8Array> {
  if (encoding === "utf-8") {
    yield* content;
    return;
  }
  const encoder = new TextEncoder();
  const compound = new CompoundReader();
  for await (const piece of content) {
    const text = encoding === "latin-1" ? latin1Text(piece) : compound.push(piece);
    if (text !== "") yield encoder.encode(text);
  }
}

/** UTF-8 to anything. Characters that the encoding lacks become question marks. */
export async function* fromUtf8(content: Content, encoding: TextEncoding): AsyncGenerator<Uint8Array> {
  if (encoding === "utf-8") {
    yield* content;
    return;
  }
  // Latin-1 has no byte order mark to keep.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: encoding === "compound" });
  const encode = encoding === "latin-1" ? latin1Bytes : compoundBytes;
  for await (const piece of content) {
    const bytes = encode(decoder.decode(piece, { stream: true }));
    if (bytes.length > 0) yield bytes;
  }
  const last = encode(decoder.decode());
  if (last.length > 0) yield last;
}

function latin1Text(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(Array.from(text, latin1Byte));
}

function latin1Byte(character: string): number {
  const code = character.codePointAt(0) ?? QUESTION_MARK;
  return code <= 0xff ? code : QUESTION_MARK;
}

/**
 * Runs of Latin-1 as they are, everything else in a UTF-8 segment: also the upper control characters, which would be
 * directions in compound text. An ESC would be one in either, so it is lacking.
 */
function compoundBytes(text: string): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const run of text.replaceAll("\x1b", "?").match(/[\0-\x7f\xa0-\xff]+|[^\0-\x7f\xa0-\xff]+/gu) ?? []) {
    if (isPlain(run.codePointAt(0) ?? 0)) parts.push(latin1Bytes(run));
    else parts.push(UTF8_BEGIN, encoder.encode(run), UTF8_END);
  }
  return joined(parts);
}

function isPlain(code: number): boolean {
  return code < 0x80 || (code >= 0xa0 && code <= 0xff);
}

/** The reader of one UTF-8 segment, in which U+FEFF is a character like any other. */
function utf8Segment(): InstanceType<typeof TextDecoder> {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

/** Reads compound text piece by piece: ASCII, Latin-1 and UTF-8 segments; other sets are only counted. */
class CompoundReader {
  #escape: number[] = [];
  #utf8: InstanceType<typeof TextDecoder> | undefined;
  #left = "latin" as "latin" | "other";
  #right = "latin" as "latin" | "other";
  /** Bytes left of an extended segment. */
  #skip = 0;

  push(piece: Uint8Array): string {
    let text = "";
    for (const byte of piece) {
      if (this.#skip > 0) {
        this.#skip -= 1;
      } else if (this.#escape.length > 0 || byte === ESC) {
        this.#escape.push(byte);
        if (this.#escapeEnds(byte)) text += this.#apply();
      } else if (this.#utf8 !== undefined) text += this.#utf8.decode(Uint8Array.of(byte), { stream: true });
      else if (byte < 0x80) text += this.#left === "latin" ? String.fromCharCode(byte) : "\ufffd";
      else text += this.#right === "latin" ? String.fromCharCode(byte) : "\ufffd";
    }
    return text;
  }

  /** ESC, intermediates 0x20..0x2f, one final byte (ISO 2022); after `ESC % / F` comes the length of the segment. */
  #escapeEnds(byte: number): boolean {
    const [, first, second] = this.#escape;
    const isFinal = byte < 0x20 || byte > 0x2f;
    const isExtended = first === 0x25 && second === 0x2f;
    return this.#escape.length >= LONGEST_ESCAPE || (this.#escape.length > 1 && isFinal && !isExtended);
  }

  /** What the escape sequence itself stands for. */
  #apply(): string {
    const [, intermediate, final, , high = 0, low = 0] = this.#escape;
    this.#escape = [];
    if (intermediate === 0x25 && final === 0x2f) {
      this.#skip = (high & 0x7f) * 128 + (low & 0x7f);
      return "\ufffd";
    }
    if (intermediate === 0x25) this.#utf8 = final === 0x47 ? utf8Segment() : undefined;
    else if (intermediate === 0x28) this.#left = final === 0x42 || final === 0x4a ? "latin" : "other";
    else if (intermediate === 0x2d) this.#right = final === 0x41 ? "latin" : "other";
    else if (intermediate === 0x29 || (intermediate === 0x24 && final === 0x29)) this.#right = "other";
    else if (intermediate === 0x24) this.#left = "other";
    return "";
  }
}
