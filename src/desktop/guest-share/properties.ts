// PROPFIND and PROPPATCH: what a file or folder is, and what others have noted down about it.
import type { BigIntStats } from "node:fs";
import { statfs } from "node:fs/promises";
import { DavError } from "./dav-error.ts";
import type { DavLock, DavLocks } from "./dav-locks.ts";
import {
  childElements,
  DAV,
  davChild,
  emptyElement,
  isDav,
  parseXml,
  writeXml,
  type XmlElement,
  xmlText,
} from "./dav-xml.ts";
import type { DeadProperties, PropertyChange, PropertyName } from "./dead-properties.ts";
import { depthOf, type Exchange, readBody, write } from "./exchange.ts";
import { etagOf, httpDate, mediaType } from "./file-facts.ts";
import { checkConditions } from "./preconditions.ts";
import { hrefOf, type SharePath } from "./share-path.ts";
import type { SharedTree } from "./shared-tree.ts";

const MAX_QUESTION_BYTES = 64 * 1024;
const MAX_CHANGE_BYTES = 1024 * 1024;
const MAX_NAMES = 256;
export const XML_TYPE = "application/xml; charset=utf-8";
export const MULTISTATUS = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n';
/** Answers are gathered: one write for each of 100 000 files would be slow. */
const GATHERED_CHARACTERS = 64 * 1024;

interface Resource {
  readonly path: SharePath;
  /** Undefined: the top, which is nowhere on disk. */
  readonly stats: BigIntStats | undefined;
  /** Where its file system can be asked. */
  readonly place: string | undefined;
}

interface Shelves {
  readonly tree: SharedTree;
  readonly locks: DavLocks;
  readonly dead: DeadProperties;
}

type Question =
  | { readonly kind: "all"; readonly more: readonly PropertyName[] }
  | { readonly kind: "names" }
  | { readonly kind: "these"; readonly names: readonly PropertyName[] };

type LiveProperty = (resource: Resource, shelves: Shelves) => string | undefined;
type LivePropertyOnDemand = (resource: Resource) => Promise<string | undefined>;

const isFolder = ({ stats }: Resource): boolean => stats === undefined || stats.isDirectory();
const ofFile =
  (value: (stats: BigIntStats, path: SharePath) => string): LiveProperty =>
  ({ path, stats }) =>
    stats?.isFile() === true ? value(stats, path) : undefined;
const ofAny =
  (value: (stats: BigIntStats) => string): LiveProperty =>
  ({ stats }) =>
    stats === undefined ? undefined : value(stats);

const SUPPORTED_LOCKS = ["exclusive", "shared"]
  .map(
    (scope) => `<D:lockentry><D:lockscope><D:${scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>`,
  )
  .join("");

/** RFC 4918 section 15. The value's XML; undefined: it has none. */
const live: Readonly<Record<string, LiveProperty>> = {
  creationdate: ofAny(({ birthtimeMs }) => new Date(Number(birthtimeMs)).toISOString().replace(/\.\d+/, "")),
  displayname: ({ path }) => xmlText(path.at(-1) ?? ""),
  getcontentlength: ofFile(({ size }) => String(size)),
  getcontenttype: ofFile((_, path) => mediaType(path.at(-1) ?? "")),
  getetag: ofFile((stats) => xmlText(etagOf(stats))),
  getlastmodified: ofAny(({ mtimeMs }) => httpDate(mtimeMs)),
  resourcetype: (resource) => (isFolder(resource) ? "<D:collection/>" : ""),
  supportedlock: () => SUPPORTED_LOCKS,
  lockdiscovery: ({ path }, { locks }) =>
    locks
      .covering(path)
      .map((lock) => activeLock(lock, locks))
      .join(""),
};

/** RFC 4331: not worth asking the file system unless somebody wants to know. */
const liveOnDemand: Readonly<Record<string, LivePropertyOnDemand>> = {
  "quota-available-bytes": async (resource) => {
    const { place } = resource;
    if (place === undefined || !isFolder(resource)) return undefined;
    const { bavail, bsize } = await statfs(place, { bigint: true });
    return String(bavail * bsize);
  },
  "quota-used-bytes": async (resource) => {
    const { place } = resource;
    if (place === undefined || !isFolder(resource)) return undefined;
    const { blocks, bfree, bsize } = await statfs(place, { bigint: true });
    return String((blocks - bfree) * bsize);
  },
};

export function activeLock(lock: DavLock, locks: DavLocks): string {
  return [
    `<D:activelock><D:locktype><D:write/></D:locktype>`,
    `<D:lockscope><D:${lock.isExclusive ? "exclusive" : "shared"}/></D:lockscope>`,
    `<D:depth>${lock.isDeep ? "infinity" : "0"}</D:depth>${lock.owner}`,
    `<D:timeout>Second-${locks.secondsLeft(lock)}</D:timeout>`,
    `<D:locktoken><D:href>${lock.token}</D:href></D:locktoken>`,
    `<D:lockroot><D:href>${hrefOf(lock.path, lock.isFolder)}</D:href></D:lockroot></D:activelock>`,
  ].join("");
}

/** Streamed: a folder of 100 000 is never in memory. */
export async function propfind(exchange: Exchange, shelves: Shelves): Promise<void> {
  const { request, response, path } = exchange;
  const depth = depthOf(exchange, "infinity");
  const question = questionOf(await readBody(request, MAX_QUESTION_BYTES));
  if (depth === "infinity")
    throw new DavError(403, "a folder is listed one level at a time", "<D:propfind-finite-depth/>");
  await using handle = path.length === 0 ? undefined : await shelves.tree.open(path);
  const place = handle === undefined ? undefined : `/proc/self/fd/${handle.fd}`;
  const stats = await handle?.stat({ bigint: true });
  response.writeHead(207, { "Content-Type": XML_TYPE });
  let text = MULTISTATUS + (await answerFor({ path, stats, place }, question, shelves));
  if (depth === "1" && stats?.isFile() !== true) {
    for await (const entry of shelves.tree.entries(path)) {
      text += await answerFor({ path: [...path, entry.name], stats: entry.stats, place }, question, shelves);
      if (text.length < GATHERED_CHARACTERS) continue;
      await write(response, text);
      text = "";
    }
  }
  response.end(`${text}</D:multistatus>\n`);
}

async function answerFor(resource: Resource, question: Question, shelves: Shelves): Promise<string> {
  const found: string[] = [];
  const missing: string[] = [];
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined) missing.push(`<D:${name}/>`);
    else found.push(question.kind === "names" || value === "" ? `<D:${name}/>` : `<D:${name}>${value}</D:${name}>`);
  };
  if (question.kind !== "these") {
    for (const [name, property] of Object.entries(live)) put(name, property(resource, shelves));
    missing.length = 0;
    for (const dead of shelves.dead.of(resource.path))
      found.push(question.kind === "names" ? emptyElement({ ...dead, attributes: [] }) : dead.xml);
  }
  const wanted = question.kind === "these" ? question.names : question.kind === "all" ? question.more : [];
  for (const name of wanted) {
    const property = liveProperty(name);
    const dead = shelves.dead.get(resource.path, name);
    if (property !== undefined) put(name.name, await property(resource, shelves));
    else if (dead !== undefined) found.push(dead);
    else missing.push(emptyElement({ ...name, attributes: [] }));
  }
  return responseXml(resource.path, isFolder(resource), [
    ["200 OK", found],
    ["404 Not Found", missing],
  ]);
}

function responseXml(
  path: SharePath,
  folder: boolean,
  groups: readonly (readonly [string, readonly string[]])[],
): string {
  const written = groups
    .filter(([status, properties]) => properties.length > 0 || status.startsWith("200"))
    .map(([status, properties]) => propstat(status, properties));
  return `<D:response><D:href>${hrefOf(path, folder)}</D:href>${written.join("")}</D:response>\n`;
}

function propstat(status: string, properties: readonly string[]): string {
  return `<D:propstat><D:prop>${properties.join("")}</D:prop><D:status>HTTP/1.1 ${status}</D:status></D:propstat>`;
}

function liveProperty({ namespace, name }: PropertyName): LiveProperty | LivePropertyOnDemand | undefined {
  if (namespace !== DAV) return undefined;
  if (Object.hasOwn(live, name)) return live[name];
  return Object.hasOwn(liveOnDemand, name) ? liveOnDemand[name] : undefined;
}

function questionOf(body: Uint8Array): Question {
  if (body.length === 0) return { kind: "all", more: [] };
  const root = parseXml(body);
  if (!isDav(root, "propfind")) throw new DavError(400, "propfind is expected");
  if (davChild(root, "propname") !== undefined) return { kind: "names" };
  const prop = davChild(root, "prop");
  if (prop !== undefined) return { kind: "these", names: namesIn(prop) };
  if (davChild(root, "allprop") === undefined) throw new DavError(400, "allprop, propname or prop is expected");
  const include = davChild(root, "include");
  const more = include === undefined ? [] : namesIn(include);
  return { kind: "all", more: more.filter(({ namespace, name }) => namespace !== DAV || !Object.hasOwn(live, name)) };
}

function namesIn(element: Parameters<typeof childElements>[0]): PropertyName[] {
  const names = childElements(element);
  if (names.length > MAX_NAMES) throw new DavError(400, "that is too many properties");
  return names.map(({ namespace, name }) => ({ namespace, name }));
}

function asChange({ isSet, property }: { isSet: boolean; property: XmlElement }): PropertyChange {
  const { namespace, name } = property;
  return isSet ? { isSet, property: { namespace, name, xml: writeXml(property) } } : { isSet, property };
}

/** All or nothing, RFC 4918 section 9.2. */
export async function proppatch(exchange: Exchange, { tree, locks, dead }: Shelves): Promise<void> {
  const { request, response, path, tokens, stillHolds } = exchange;
  locks.check(path, tokens);
  const root = parseXml(await readBody(request, MAX_CHANGE_BYTES));
  if (!isDav(root, "propertyupdate")) throw new DavError(400, "propertyupdate is expected");
  await using handle = await tree.open(path);
  const stats = await handle.stat({ bigint: true });
  const isDirectory = stats.isDirectory();
  checkConditions(request.headers, stats);
  const changes = childElements(root)
    .filter((element) => isDav(element, "set") || isDav(element, "remove"))
    .flatMap((element) => {
      const prop = davChild(element, "prop");
      return (prop === undefined ? [] : childElements(prop)).map((property) => ({
        isSet: element.name === "set",
        property,
      }));
    });
  if (changes.length === 0 || changes.length > MAX_NAMES) throw new DavError(400, "that is no or too many properties");
  const isProtected = changes.map(({ property }) => liveProperty(property) !== undefined);
  const named = (wanted: boolean): string[] =>
    changes
      .filter((_, index) => isProtected[index] === wanted)
      .map(({ property }) => emptyElement({ ...property, attributes: [] }));
  const isRefused = isProtected.includes(true);
  // Its body may have taken its time.
  await stillHolds();
  locks.check(path, tokens);
  if (!isRefused) dead.change(path, changes.map(asChange));
  const groups = isRefused
    ? ([
        ["403 Forbidden", named(true)],
        ["424 Failed Dependency", named(false)],
      ] as const)
    : ([["200 OK", named(false)]] as const);
  response.writeHead(207, { "Content-Type": XML_TYPE });
  response.end(`${MULTISTATUS}${responseXml(path, isDirectory, groups)}</D:multistatus>\n`);
}
