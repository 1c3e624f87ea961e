// The If header, RFC 4918 section 10.4: lists of lock tokens and entity tags, of which one list must hold.
import { DavError } from "./dav-error.ts";

interface Condition {
  readonly isNegated: boolean;
  readonly kind: "token" | "etag";
  readonly value: string;
}

interface ConditionList {
  /** A URL, as it stands there; undefined: the one that is asked for. */
  readonly resource: string | undefined;
  readonly conditions: readonly Condition[];
}

const MAX_CHARACTERS = 16 * 1024;

/** Throws a DavError 400. */
export function parseIfHeader(header: string): readonly ConditionList[] {
  if (header.length > MAX_CHARACTERS) throw new DavError(400, "the If header is too long");
  const lists: ConditionList[] = [];
  let resource: string | undefined;
  let open: Condition[] | undefined;
  let isNegated = false;
  const token = /\s*(?:(\()|(\))|<([^>]*)>|\[((?:W\/)?"[^"]*")\]|(not)(?=[\s<[]))/iy;
  const text = header.trimEnd();
  while (token.lastIndex < text.length) {
    const found = token.exec(text);
    if (found === null) throw malformed();
    const [, begins, ends, inAngles, etag, not] = found;
    if (begins !== undefined && open === undefined) open = [];
    else if (ends !== undefined && open !== undefined && open.length > 0 && !isNegated) {
      lists.push({ resource, conditions: open });
      open = undefined;
    } else if (inAngles !== undefined && open === undefined) resource = inAngles;
    else if (not !== undefined && open !== undefined && !isNegated) isNegated = true;
    else if (open !== undefined && (inAngles ?? etag) !== undefined) {
      open.push({ isNegated, kind: etag === undefined ? "token" : "etag", value: inAngles ?? etag ?? "" });
      isNegated = false;
    } else throw malformed();
  }
  if (open !== undefined || lists.length === 0) throw malformed();
  return lists;
}

/** All tokens that are named: whoever knows a lock's may change what it locks. */
export function submittedTokens(lists: readonly ConditionList[]): Set<string> {
  const all = lists.flatMap(({ conditions }) => conditions);
  return new Set(all.filter(({ kind }) => kind === "token").map(({ value }) => value));
}

/** Whether one list holds, each judged by what its resource has. */
export async function ifHolds(
  lists: readonly ConditionList[],
  stateOf: (resource: string | undefined) => Promise<{ readonly tokens: ReadonlySet<string>; readonly etag: string }>,
): Promise<boolean> {
  for (const { resource, conditions } of lists) {
    const { tokens, etag } = await stateOf(resource);
    const holds = conditions.every(({ kind, value, isNegated }) => {
      const isSo = kind === "token" ? tokens.has(value) : value === etag;
      return isSo !== isNegated;
    });
    if (holds) return true;
  }
  return false;
}

function malformed(): DavError {
  return new DavError(400, "the If header is malformed");
}
