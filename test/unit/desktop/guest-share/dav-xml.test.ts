// XML as a stranger sends it, and as it is sent back.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { parseXml, writeXml, xmlText } from "../../../../src/desktop/guest-share/dav-xml.ts";

const parse = (text: string): ReturnType<typeof parseXml> => parseXml(Buffer.from(text));

describe("XML that is read", () => {
  test("is the same after it was written and read again, with its namespaces and attributes", () => {
    const first = parse(
      '<a:x xmlns:a="u:1" xmlns="u:2" xml:lang="de" a:k="&quot;&lt;" k2=\'v\'>t<y/><![CDATA[<&>]]><a:z>ü&#13;</a:z></a:x>',
    );
    expect(first).toMatchObject({ namespace: "u:1", name: "x", attributes: [{}, {}, {}] });
    expect(parse(writeXml(first))).toEqual(first);
  });

  test.each([
    ["not XML", "hello"],
    ["nothing", ""],
    ["not closed", "<a><b></a>"],
    ["an unbound prefix", "<x:a/>"],
    ["two roots", "<a/><b/>"],
    ["a document type", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'],
    ["a document type of elsewhere", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
    ["an entity nobody knows", "<a>&lol;</a>"],
    ["too deep", "<a>".repeat(65) + "</a>".repeat(65)],
    ["too much", `<a>${"<b/>".repeat(10_000)}</a>`],
    ["a control character", "<a>\x01</a>"],
  ])("%s is refused", (_, text) => {
    expect(() => parse(text)).toThrow(DavError);
  });

  test("what is not UTF-8 is refused", () => {
    expect(() => parseXml(Buffer.concat([Buffer.from("<a>"), Buffer.of(0xff), Buffer.from("</a>")]))).toThrow(DavError);
  });

  test("any bytes are read or refused", () => {
    const piece = fc.constantFrom("<", ">", "/", "a", "&", ";", "=", '"', "x:", " xmlns:x='u'", "<a>", "</a>", "<!--");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          parse(pieces.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(DavError);
        }
      }),
    );
  });
});

test("any text can stand in what is written, also the characters that XML does not have", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const [child = ""] = parse(`<a>${xmlText(text)}</a>`).children;
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant.
      expect(child).toBe(text.replace(/[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]/g, "\ufffd"));
    }),
  );
});
