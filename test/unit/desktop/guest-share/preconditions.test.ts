// Conditional requests and byte ranges, RFC 9110.
import type { BigIntStats } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, test } from "vitest";
import { DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { etagOf } from "../../../../src/desktop/guest-share/file-facts.ts";
import { byteRange, checkConditions, isUnchanged } from "../../../../src/desktop/guest-share/preconditions.ts";

const stats = {
  ino: 7n,
  size: 1000n,
  mtimeMs: 1_700_000_000_500n,
  mtimeNs: 1_700_000_000_500_000_000n,
} as BigIntStats;
const etag = etagOf(stats);
const at = "Tue, 14 Nov 2023 22:13:20 GMT";
const before = "Tue, 14 Nov 2023 22:13:19 GMT";

const outcome = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    if (error instanceof DavError) return error.status;
    throw error;
  }
};

describe("conditions", () => {
  test.each([
    [{}, false, undefined],
    [{ "if-none-match": etag }, true, 412],
    [{ "if-none-match": `"x", W/${etag}` }, true, 412],
    [{ "if-none-match": '"x"' }, false, undefined],
    [{ "if-none-match": "*" }, true, 412],
    [{ "if-none-match": "W/*" }, false, undefined],
    [{ "if-match": etag }, false, undefined],
    [{ "if-match": '"x"' }, 412, 412],
    [{ "if-match": `"x", ${etag}` }, false, undefined],
    [{ "if-match": "*" }, false, undefined],
    // A weak tag is of something alike, which is not enough to change it.
    [{ "if-match": `W/${etag}` }, 412, 412],
    [{ "if-modified-since": at }, true, undefined],
    [{ "if-modified-since": before }, false, undefined],
    [{ "if-modified-since": "nonsense" }, false, undefined],
    // The tag is asked first, and counts alone.
    [{ "if-none-match": '"x"', "if-modified-since": at }, false, undefined],
    [{ "if-unmodified-since": at }, false, undefined],
    [{ "if-unmodified-since": before }, 412, 412],
    [{ "if-match": etag, "if-unmodified-since": before }, false, undefined],
  ])("%j: read %s, changed %s", (headers, read, changed) => {
    expect(outcome(() => isUnchanged(headers, stats))).toBe(read);
    expect(outcome(() => checkConditions(headers, stats))).toBe(changed);
  });

  test("where nothing is: If-None-Match * lets it be made, If-Match does not", () => {
    expect(outcome(() => checkConditions({ "if-none-match": "*" }, undefined))).toBeUndefined();
    expect(outcome(() => checkConditions({ "if-match": "*" }, undefined))).toBe(412);
  });
});

describe("ranges of 1000 bytes", () => {
  test.each([
    ["bytes=0-", { start: 0, end: 999 }],
    ["bytes=10-19", { start: 10, end: 19 }],
    ["bytes=990-2000", { start: 990, end: 999 }],
    ["bytes=-10", { start: 990, end: 999 }],
    ["bytes=-2000", { start: 0, end: 999 }],
    ["bytes=1000-", 416],
    ["bytes=20-10", 416],
    ["bytes=-0", 416],
    ["bytes=-", undefined],
    ["bytes=0-1,5-6", undefined],
    ["lines=0-1", undefined],
    [`bytes=${"9".repeat(400)}-`, 416],
  ])("%.40s", (range, expected) => {
    expect(outcome(() => byteRange({ range }, stats))).toEqual(expected);
  });

  test("of another file than the client means: all of it", () => {
    const range = "bytes=0-9";
    const of = (condition: string): IncomingHttpHeaders => ({ range, "if-range": condition }) as IncomingHttpHeaders;
    expect(byteRange(of('"x"'), stats)).toBeUndefined();
    expect(byteRange(of(etag), stats)).toEqual({ start: 0, end: 9 });
    expect(byteRange(of(at), stats)).toEqual({ start: 0, end: 9 });
  });
});
