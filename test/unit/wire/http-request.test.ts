// Requests taken apart: heads, bodies by length and in chunks, cut anywhere; and what could be understood in two ways is refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../../src/wire/bytes.ts";
import { encodeHead, MAX_HEAD_BYTES, type RequestHead, RequestReader } from "../../../src/wire/http-request.ts";

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

interface Told {
  readonly heads: RequestHead[];
  /** Of each request. */
  readonly bodies: string[];
}

function read(pieces: readonly Uint8Array[]): Told {
  const told: Told = { heads: [], bodies: [] };
  const reader = new RequestReader({
    head: (head) => {
      told.heads.push(head);
      told.bodies.push("");
    },
    body: (bytes) => told.bodies.push((told.bodies.pop() ?? "") + Buffer.from(bytes).toString("latin1")),
  });
  for (const piece of pieces) reader.push(piece);
  return told;
}

const readText = (text: string): Told => read([bytesOf(text)]);
const head = (lines: string): string => `PUT /a HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`;

describe("requests on one connection", () => {
  const three =
    "GET /one HTTP/1.1\r\nHost: localhost:9843\r\nAccept:  a, b \t\r\n\r\n" +
    `PUT /two HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nGET /` +
    "PUT /three HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nab\r\nc\r\n0\r\nTrailer: t\r\n\r\n" +
    "\r\nOPTIONS * HTTP/1.0\r\n\r\n";
  const bodies = ["", "GET /", "5;x=y\r\nab\r\nc\r\n0\r\nTrailer: t\r\n\r\n", ""];

  test("heads, a body by length, a body in chunks, a blank line between", () => {
    const told = readText(three);
    expect(told.bodies).toEqual(bodies);
    expect(told.heads.map(({ method, target, minorVersion }) => [method, target, minorVersion])).toEqual([
      ["GET", "/one", 1],
      ["PUT", "/two", 1],
      ["PUT", "/three", 1],
      ["OPTIONS", "*", 0],
    ]);
    expect(told.heads[0]?.headers[1]).toEqual(["Accept", "a, b"]);
  });

  test("the same however it is cut", () => {
    const all = bytesOf(three);
    const whole = readText(three);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }), (sizes) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < all.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          pieces.push(all.slice(at, at + size));
          at += size;
        }
        expect(read(pieces)).toEqual(whole);
      }),
    );
  });

  test("a head goes on as it came, but for what is taken off", () => {
    const [first] = readText(head("X-Odd: \u00e9\r\nexpect: 100-Continue\r\nContent-Length: 0\r\n")).heads;
    const text = Buffer.from(encodeHead(first as RequestHead, ["expect"])).toString("latin1");
    expect(text).toBe(head("X-Odd: \u00e9\r\nContent-Length: 0\r\n"));
  });

  test.each([
    ["a length and chunks", head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")],
    ["two lengths", head("Content-Length: 5\r\nContent-Length: 6\r\n")],
    ["a length with a sign", head("Content-Length: +5\r\n")],
    ["a list of lengths", head("Content-Length: 5, 5\r\n")],
    ["another encoding", head("Transfer-Encoding: gzip, chunked\r\n")],
    ["chunks in HTTP/1.0", "PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a blank before the colon", head("Content-Length : 5\r\n")],
    ["a folded line", head("X-A: b\r\n  c\r\n")],
    ["a line that ends in LF", "GET / HTTP/1.1\nHost: localhost\n\n"],
    ["a CR alone", head("X-A: b\rContent-Length: 3\r\n")],
    ["a NUL in a value", head("X-A: b\0c\r\n")],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["no HTTP at all", "\x16\x03\x01\x02\0\r\n\r\n"],
    ["a chunk whose size is none", `${head("Transfer-Encoding: chunked\r\n")}-5\r\n`],
    ["a chunk larger than it said", `${head("Transfer-Encoding: chunked\r\n")}2\r\nabc\r\n`],
    ["a chunk's size that ends in LF", `${head("Transfer-Encoding: chunked\r\n")}5\nabcde\r\n`],
  ])("refused: %s", (_, text) => {
    expect(() => readText(text)).toThrow(DecodeError);
  });

  test("a head without an end is given up at 64 KiB, and one of many headers", () => {
    const endless = (): Told => read(Array.from({ length: 1000 }, () => bytesOf(`X-A: ${"b".repeat(100)}\r\n`)));
    expect(() => endless()).toThrow(`more than ${MAX_HEAD_BYTES} bytes`);
    expect(() => readText(head("X-A: b\r\n".repeat(200)))).toThrow(/headers/);
  });

  test("any bytes end in requests or in a DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        try {
          read([bytesOf(head("Transfer-Encoding: chunked\r\n")), noise]);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});
