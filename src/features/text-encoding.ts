// Text of old X11 targets to UTF-8 and back: STRING is Latin-1 (ICCCM 2.6.2), COMPOUND_TEXT is ISO 2022 with a UTF-8 escape.
import type { Content } from "./desktop-clipboard.ts";

export type TextEncoding = "utf-8" | "latin-1" | "compound";

const ESC = 0x1b;
/** `ESC % G` begins UTF-8, `ESC % @` ends it (Compound Text Encoding, extension of XFree86). */
const UTF8_BEGIN = Uint8Array.of(ESC, 0x25, 0x47);
const UTF8_END = Uint8Array.of(ESC, 0x25, 0x40);
const QUESTION_MARK = 0x3f;

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
  const decoder = new TextDecoder("utf-8");
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

/** Runs of Latin-1 as they are, everything else in a UTF-8 segment. */
function compoundBytes(text: string): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const run of text.match(/[\0-\xff]+|[^\0-\xff]+/gu) ?? []) {
    if ((run.codePointAt(0) ?? 0) <= 0xff) parts.push(latin1Bytes(run));
    else parts.push(UTF8_BEGIN, encoder.encode(run), UTF8_END);
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Reads compound text piece by piece: ASCII, Latin-1 and UTF-8 segments; other sets are only counted. */
class CompoundReader {
  #escape: number[] = [];
  #utf8: InstanceType<typeof TextDecoder> | undefined;
  #left = "latin" as "latin" | "other";
  #right = "latin" as "latin" | "other";

  push(piece: Uint8Array): string {
    let text = "";
    for (const byte of piece) {
      if (this.#escape.length > 0 || byte === ESC) {
        this.#escape.push(byte);
        if (this.#escapeEnds(byte)) this.#apply();
        continue;
      }
      if (this.#utf8 !== undefined) text += this.#utf8.decode(Uint8Array.of(byte), { stream: true });
      else if (byte < 0x80) text += this.#left === "latin" ? String.fromCharCode(byte) : "\ufffd";
      else text += this.#right === "latin" ? String.fromCharCode(byte) : "\ufffd";
    }
    return text;
  }

  /** ESC, intermediates 0x20..0x2f, one final byte (ISO 2022). */
  #escapeEnds(byte: number): boolean {
    return this.#escape.length > 1 && (byte < 0x20 || byte > 0x2f);
  }

  #apply(): void {
    const [, intermediate, final] = this.#escape;
    if (intermediate === 0x25) this.#utf8 = final === 0x47 ? new TextDecoder("utf-8") : undefined;
    else if (intermediate === 0x28) this.#left = final === 0x42 || final === 0x4a ? "latin" : "other";
    else if (intermediate === 0x2d) this.#right = final === 0x41 ? "latin" : "other";
    else if (intermediate === 0x24) this.#left = "other";
    this.#escape = [];
  }
}
