// Conditional requests, RFC 9110 section 13, and the byte ranges of section 14.
import type { BigIntStats } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { DavError } from "./dav-error.ts";
import { etagOf } from "./file-facts.ts";

/** Whether the client has it already, of what is there now. Throws a DavError 412. */
export function isUnchanged(headers: IncomingHttpHeaders, stats: BigIntStats): boolean {
  checkMatch(headers, stats);
  const { "if-none-match": noneMatch, "if-modified-since": since } = headers;
  if (noneMatch !== undefined) return namesWeakly(noneMatch, stats);
  return isDate(since) && !isAfter(stats, since);
}

export function isConditional(headers: IncomingHttpHeaders): boolean {
  return ["if-match", "if-none-match", "if-unmodified-since"].some((name) => headers[name] !== undefined);
}

/** Before what is there now is changed; undefined: nothing is. Throws a DavError 412. */
export function checkConditions(headers: IncomingHttpHeaders, stats: BigIntStats | undefined): void {
  checkMatch(headers, stats);
  const noneMatch = headers["if-none-match"];
  if (noneMatch !== undefined && namesWeakly(noneMatch, stats)) throw failed();
}

function checkMatch(headers: IncomingHttpHeaders, stats: BigIntStats | undefined): void {
  const match = headers["if-match"];
  if (match !== undefined) {
    // The comparison is the strong one: a weak tag names nothing.
    if (!names(match, stats)) throw failed();
  } else if (stats !== undefined && isAfter(stats, headers["if-unmodified-since"])) throw failed();
}

export interface ByteRange {
  readonly start: number;
  /** The last byte. */
  readonly end: number;
}

/** Undefined: all of it. Throws a DavError 416. */
export function byteRange(headers: IncomingHttpHeaders, stats: BigIntStats): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? "") ?? [];
  // Several ranges at once may be answered with everything.
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const condition = headers["if-range"] as string | undefined;
  if (condition !== undefined && condition !== etagOf(stats) && condition !== seconds(stats)) return undefined;
  const size = Number(stats.size);
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end || (first === "" && Number(last) === 0)) throw new DavError(416, "there are no such bytes");
  return { start, end };
}

function names(header: string, stats: BigIntStats | undefined): boolean {
  if (stats === undefined) return false;
  const etag = etagOf(stats);
  return header.trim() === "*" || header.split(",").some((tag) => tag.trim() === etag);
}

function namesWeakly(header: string, stats: BigIntStats | undefined): boolean {
  return names(header.replace(/(^|,)\s*W\/(?=")/g, "$1"), stats);
}

function isDate(header: string | undefined): header is string {
  return header !== undefined && !Number.isNaN(Date.parse(header));
}

/** Dates of HTTP count seconds. */
function isAfter({ mtimeMs }: BigIntStats, header: string | undefined): boolean {
  return isDate(header) && Math.floor(Number(mtimeMs) / 1000) * 1000 > Date.parse(header);
}

function seconds({ mtimeMs }: BigIntStats): string {
  return new Date(Number(mtimeMs)).toUTCString();
}

function failed(): DavError {
  return new DavError(412, "it is not as the client thinks");
}
