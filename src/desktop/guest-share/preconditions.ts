// Conditional requests, RFC 9110 section 13, and the byte ranges of section 14.
import type { BigIntStats } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { DavError } from "./dav-error.ts";
import { etagOf } from "./file-facts.ts";

/** Of what is there now; undefined: nothing. Throws a DavError 412; true: the client has it already. */
export function isUnchanged(headers: IncomingHttpHeaders, stats: BigIntStats | undefined, isRead: boolean): boolean {
  const etag = stats === undefined ? undefined : etagOf(stats);
  const { "if-match": match, "if-none-match": noneMatch } = headers;
  if (match !== undefined) {
    if (!names(match, etag)) throw failed();
  } else if (stats !== undefined && isAfter(stats, headers["if-unmodified-since"])) throw failed();
  if (noneMatch !== undefined) {
    if (!names(noneMatch, etag)) return false;
    if (!isRead) throw failed();
    return true;
  }
  const since = headers["if-modified-since"];
  return isRead && stats !== undefined && isDate(since) && !isAfter(stats, since);
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

function names(header: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return header.trim() === "*" || header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
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
