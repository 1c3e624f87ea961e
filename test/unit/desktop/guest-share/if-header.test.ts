// The If header, with the examples of RFC 4918 section 10.4.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { ifHolds, parseIfHeader, submittedTokens } from "../../../../src/desktop/guest-share/if-header.ts";

const holds = (header: string, tokens: readonly string[] = [], etag = '"e"'): Promise<boolean> =>
  ifHolds(parseIfHeader(header), async () => ({ tokens: new Set(tokens), etag }));

describe("the If header", () => {
  test("a list holds when all in it does, the header when one list does", async () => {
    const both = '(<urn:uuid:1> ["e"]) (["new"])';
    expect(await holds(both, ["urn:uuid:1"])).toBe(true);
    expect(await holds(both, ["urn:uuid:2"])).toBe(false);
    expect(await holds(both, [], '"new"')).toBe(true);
    expect(await holds("(Not <urn:uuid:1> <urn:uuid:2>)", ["urn:uuid:2"])).toBe(true);
    expect(await holds("(Not <urn:uuid:1>)", ["urn:uuid:1"])).toBe(false);
    expect(await holds("(Not <DAV:no-lock>)")).toBe(true);
    expect(await holds('([W/"e"])')).toBe(false);
  });

  test("each list is judged by the resource that is named before it", async () => {
    const asked: (string | undefined)[] = [];
    await ifHolds(parseIfHeader("(<a>) (<b>)"), async (resource) => {
      asked.push(resource);
      return { tokens: new Set<string>(), etag: "" };
    });
    await ifHolds(parseIfHeader("</one> (<a>) <http://host/two> (<a>)"), async (resource) => {
      asked.push(resource);
      return { tokens: new Set<string>(), etag: "" };
    });
    expect(asked).toEqual([undefined, undefined, "/one", "http://host/two"]);
  });

  test("every token that is named counts as submitted, entity tags do not", () => {
    expect(submittedTokens(parseIfHeader('</x> (<a> ["<z>"]) (Not <b>)'))).toEqual(new Set(["a", "b"]));
  });

  test.each(["", "()", "(", "(<a>", "<a>", "(<a>))", "((<a>))", "(Not)", "(Not Not <a>)", "(e)", "(<a>) x", '(["e)'])(
    "%s is refused",
    (header) => {
      expect(() => parseIfHeader(header)).toThrow(DavError);
    },
  );

  test("one without an end is refused unread, and none takes long to read", () => {
    expect(() => parseIfHeader(`(${"<a> ".repeat(10_000)})`)).toThrow("too long");
    const startMs = performance.now();
    for (const piece of ["(", "<", "[", " ", "Not ", '["', "(<a>)"])
      try {
        parseIfHeader(piece.repeat(16_000 / piece.length));
      } catch (error) {
        expect(error).toBeInstanceOf(DavError);
      }
    expect(performance.now() - startMs).toBeLessThan(1000);
  });

  test("any text is read or refused", () => {
    const text = fc.array(fc.constantFrom("(", ")", "<", ">", "[", "]", '"', "Not", " ", "a", "W/"), { maxLength: 30 });
    fc.assert(
      fc.property(text, (pieces) => {
        try {
          expect(parseIfHeader(pieces.join("")).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(DavError);
        }
      }),
    );
  });
});
