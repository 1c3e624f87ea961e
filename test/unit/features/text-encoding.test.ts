// Text of old X11 targets: what arrives of it, wherever the pieces are cut.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromUtf8, type TextEncoding, toUtf8 } from "../../../src/features/text-encoding.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

async function* pieces(bytes: Uint8Array, ...cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: number[] = [];
  for await (const piece of content) all.push(...piece);
  return Uint8Array.from(all);
}

const read = async (bytes: Uint8Array, encoding: TextEncoding, ...cuts: number[]): Promise<string> =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(await whole(toUtf8(pieces(bytes, ...cuts), encoding)));
const written = (text: string, encoding: TextEncoding, ...cuts: number[]): Promise<Uint8Array> =>
  whole(fromUtf8(pieces(utf8(text), ...cuts), encoding));

/** `ESC % G … ESC % @` around UTF-8. */
const segment = (text: string): Uint8Array => Uint8Array.of(0x1b, 0x25, 0x47, ...utf8(text), 0x1b, 0x25, 0x40);

describe("from UTF-8", () => {
  test.each<[string, TextEncoding, string, Uint8Array]>([
    ["nothing", "latin-1", "", Uint8Array.of()],
    ["nothing", "compound", "", Uint8Array.of()],
    ["Latin-1 to Latin-1", "latin-1", "naïve ÿ\n", latin1("naïve ÿ\n")],
    ["what Latin-1 lacks", "latin-1", "1 €, ž, 日", latin1("1 ?, ?, ?")],
    ["beyond the BMP: one character, one question mark", "latin-1", "a🙂b𝄞", latin1("a?b?")],
    ["Latin-1 to compound text", "compound", "naïve", latin1("naïve")],
    ["other letters in a segment of their own", "compound", "é€é", Uint8Array.of(0xe9, ...segment("€"), 0xe9)],
    ["beyond the BMP", "compound", "🙂", segment("🙂")],
    ["upper control characters are no directions", "compound", "a\x9bb", Uint8Array.of(0x61, ...segment("\x9b"), 0x62)],
    ["an ESC of the text does not switch the reader over", "compound", "\x1b%Gé", latin1("?%Gé")],
    ["UTF-8 as it is", "utf-8", "é🙂\x1b", utf8("é🙂\x1b")],
  ])("%s (%s)", async (_, encoding, text, bytes) => {
    expect(await written(text, encoding)).toEqual(bytes);
  });

  test("bytes that are not UTF-8 and a character that is not finished become question marks", async () => {
    const broken = Uint8Array.of(0x61, 0xff, 0x62, 0xf0, 0x9f);
    expect(await whole(fromUtf8(pieces(broken), "latin-1"))).toEqual(latin1("a?b?"));
  });
});

describe("to UTF-8", () => {
  test.each<[string, TextEncoding, Uint8Array, string]>([
    [
      "every byte of Latin-1",
      "latin-1",
      Uint8Array.from({ length: 256 }, (_, byte) => byte),
      String.fromCharCode(...Array(256).keys()),
    ],
    ["Latin-1 in compound text", "compound", latin1("naïve\t\n"), "naïve\t\n"],
    ["a UTF-8 segment", "compound", Uint8Array.of(0x61, ...segment("日🙂"), 0x62), "a日🙂b"],
    ["Latin-1 named by its escape", "compound", latin1("\x1b-Aé"), "é"],
    ["Greek on the right: counted only, ASCII unharmed", "compound", latin1("\x1b-Fab\xe1\xe2"), "ab\ufffd\ufffd"],
    ["back from Greek", "compound", latin1("\x1b-F\xe1\x1b-A\xe9"), "\ufffdé"],
    ["Japanese on the left, and back", "compound", latin1("\x1b$(B\x46\x7c\x1b(Ba"), "\ufffd\ufffda"],
    ["Korean on the right leaves ASCII alone", "compound", latin1("\x1b$)Cab\xc7\xd1"), "ab\ufffd\ufffd"],
    ["Katakana on the right leaves ASCII alone", "compound", latin1("\x1b)Iab\xb1"), "ab\ufffd"],
    // Length bytes (128 and 128+14), the set's name, STX, two characters of it.
    [
      "an extended segment is one unknown character",
      "compound",
      latin1("a\x1b%/1\x80\x8eiso8859-15\x02\xa4\xa4x b"),
      "a\ufffd b",
    ],
    ["an escape nobody knows", "compound", latin1("a\x1b#3b"), "ab"],
    [
      "an escape that never ends is not gathered for ever",
      "compound",
      latin1(`\x1b${" ".repeat(100)}x`),
      `${" ".repeat(95)}x`,
    ],
    ["an escape cut off by the end", "compound", latin1("a\x1b%"), "a"],
    ["UTF-8 as it is", "utf-8", utf8("é🙂"), "é🙂"],
  ])("%s (%s)", async (_, encoding, bytes, text) => {
    expect(await read(bytes, encoding)).toBe(text);
  });
});

/** Text that an encoding can carry. */
const anyCharacter = fc.string({ unit: "binary" });
const latinText = anyCharacter.map((text) =>
  Array.from(text, (c) => String.fromCharCode((c.codePointAt(0) ?? 0) & 0xff)).join(""),
);
// An ESC is the one character that compound text has no place for.
const compoundText = fc.oneof(anyCharacter, latinText).map((text) => text.replaceAll("\x1b", ""));
const cutsOf = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(length), { maxLength: 6 }).map((cuts) => cuts.sort((a, b) => a - b));

describe("there and back", () => {
  test.each<[TextEncoding, fc.Arbitrary<string>]>([
    ["latin-1", latinText],
    ["compound", compoundText],
    ["utf-8", anyCharacter],
  ])("%s: the same text, wherever either way is cut", async (encoding, texts) => {
    const cutText = texts.chain((text) =>
      fc.record({ text: fc.constant(text), there: cutsOf(utf8(text).length), back: fc.infiniteStream(fc.nat(0xffff)) }),
    );
    await fc.assert(
      fc.asyncProperty(cutText, async ({ text, there, back }) => {
        const bytes = await written(text, encoding, ...there);
        const cuts = [...back.take(4)].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        expect(await read(bytes, encoding, ...cuts)).toBe(text);
      }),
    );
  });

  test("every single byte its own piece", async () => {
    const text = "aé€🙂\ufeffz";
    for (const encoding of ["compound", "utf-8"] as const) {
      const each = (bytes: Uint8Array): number[] => Array.from(bytes, (_, index) => index);
      const bytes = await written(text, encoding, ...each(utf8(text)));
      expect(await read(bytes, encoding, ...each(bytes))).toBe(text);
    }
  });

  test("a byte order mark is kept where the encoding has one, and left out where it has not", async () => {
    expect(await read(await written("\ufeffa", "compound"), "compound")).toBe("\ufeffa");
    expect(await written("\ufeffa", "latin-1")).toEqual(latin1("a"));
  });
});

test("whatever bytes an application gives, reading them ends in text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const text = await read(bytes, "compound");
      expect(text.length).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
