// MKCOL, DELETE, COPY, MOVE, LOCK and UNLOCK.

import { type BigIntStats, constants } from "node:fs";
import { copyFile, type FileHandle, mkdir, rename, rm, unlink, writeFile } from "node:fs/promises";
import { openDraft } from "../draft-file.ts";
import { DavError } from "./dav-error.ts";
import { type DavLock, type DavLocks, type NewLock, timeoutSeconds } from "./dav-locks.ts";
import { davChild, parseXml, writeXml } from "./dav-xml.ts";
import type { DeadProperties } from "./dead-properties.ts";
import { depthOf, type Exchange, pathOnThisServer, readBody, sendText } from "./exchange.ts";
import { inPlaceOf } from "./in-place.ts";
import type { PassingPlaces } from "./passing-places.ts";
import { activeLock, XML_TYPE } from "./properties.ts";
import { isWithin, keyOf, type SharePath } from "./share-path.ts";
import type { Place, SharedTree } from "./shared-tree.ts";

const MAX_LOCK_BYTES = 64 * 1024;
const MAX_OWNER_CHARACTERS = 4096;
/** Folders in folders that are copied. */
const MAX_COPY_DEPTH = 256;

export interface ChangeParts {
  readonly tree: SharedTree;
  readonly locks: DavLocks;
  readonly dead: DeadProperties;
  readonly passing: PassingPlaces;
}

export async function makeFolder(exchange: Exchange, { tree, locks }: ChangeParts): Promise<void> {
  const { request, response, path, tokens } = exchange;
  if ((await readBody(request, MAX_LOCK_BYTES).catch(() => [0])).length > 0)
    throw new DavError(415, "a folder is made without a body");
  locks.check(path, tokens, { isMember: true });
  await using place = await tree.place(path);
  if (place.stats !== undefined) throw new DavError(405, "something is there already");
  await mkdir(place.path);
  response.writeHead(201).end();
}

export async function remove(exchange: Exchange, parts: ChangeParts): Promise<void> {
  const { response, path, tokens } = exchange;
  if (depthOf(exchange, "infinity") !== "infinity") throw new DavError(400, "all below is removed, too");
  await using place = await parts.tree.place(path);
  parts.locks.check(path, tokens, { isDeep: true, isMember: true });
  await removeAt(path, place, parts);
  response.writeHead(204).end();
}

async function removeAt(path: SharePath, { path: at, stats }: Place, { locks, dead }: ChangeParts): Promise<void> {
  if (stats === undefined) throw new DavError(404, "there is no such thing");
  if (stats.isDirectory()) await rm(at, { recursive: true });
  else await unlink(at);
  locks.forget(path);
  dead.forget(path);
}

export async function transfer(exchange: Exchange, parts: ChangeParts): Promise<void> {
  const { request, response, path, tokens } = exchange;
  const { tree, locks, dead } = parts;
  const isMove = request.method === "MOVE";
  const to = pathOnThisServer(request.headers.destination as string | undefined, exchange);
  const overwrite = (request.headers.overwrite as string | undefined)?.toUpperCase() ?? "T";
  if (overwrite !== "T" && overwrite !== "F") throw new DavError(400, "Overwrite is T or F");
  const depth = depthOf(exchange, "infinity");
  if (depth === "1" || (isMove && depth !== "infinity")) throw new DavError(400, "that depth has no meaning here");
  await using source = await tree.place(path);
  if (source.stats === undefined) throw new DavError(404, "there is no such thing");
  if (keyOf(path) === keyOf(to)) throw new DavError(403, "it is there already");
  if (isWithin(keyOf(path), keyOf(to)) && source.stats.isDirectory() && (isMove || depth === "infinity"))
    throw new DavError(403, "a folder does not fit into itself");
  if (isWithin(keyOf(to), keyOf(path))) throw new DavError(403, "what is around it cannot be replaced by it");
  await using target = await tree.place(to);
  if (isMove) locks.check(path, tokens, { isDeep: true, isMember: true });
  locks.check(to, tokens, { isDeep: true, isMember: true });
  const isReplaced = target.stats !== undefined;
  if (isReplaced && overwrite === "F") throw new DavError(412, "something is there already");
  const isDeep = depth === "infinity";
  await carry({ source, target, path, isMove, isDeep }, parts);
  locks.forget(to);
  dead.forget(to);
  dead.copy(path, to);
  if (isMove) {
    dead.forget(path);
    locks.forget(path);
  }
  response.writeHead(isReplaced ? 204 : 201).end();
}

interface Carriage {
  readonly source: Place;
  readonly target: Place;
  /** Of the source. */
  readonly path: SharePath;
  readonly isMove: boolean;
  readonly isDeep: boolean;
}

/** Whole or not at all: what is at the target now stays there, or comes back, when it fails. */
async function carry({ source, target, path, isMove, isDeep }: Carriage, parts: ChangeParts): Promise<void> {
  const { tree, passing } = parts;
  // A link is moved itself, and copied as what it leads to.
  const isFolder = isMove ? source.stats?.isDirectory() === true : await isFolderAt(path, tree);
  await using copied = isFolder && !isMove ? await passing.take(target.folder) : undefined;
  if (copied !== undefined) await copyTree(path, copied.path, tree, { isDeep });
  const put = (): Promise<void> => {
    if (copied !== undefined) return rename(copied.path, target.path);
    return isMove ? move(source, target, path, tree) : copyOver(path, target, tree);
  };
  // A file takes another's place in one step.
  const isOneStep = target.stats === undefined || !(isFolder || target.stats.isDirectory());
  await (isOneStep ? put() : inPlaceOf(target, put, passing));
}

async function move(source: Place, target: Place, path: SharePath, tree: SharedTree): Promise<void> {
  try {
    await rename(source.path, target.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    // What is hidden in a folder is not copied, and would be lost with it.
    if (source.stats?.isDirectory() === true)
      throw new DavError(403, "a folder is not moved to another file system: copy it");
    await copyOver(path, target, tree);
    await unlink(source.path);
  }
}

/** Of a file, which is at the target when it is whole. */
async function copyOver(path: SharePath, target: Place, tree: SharedTree): Promise<void> {
  await using handle = await tree.open(path);
  const mode = (await handle.stat()).mode & 0o777;
  // It is opened once more to be written, which a file that is read only does not suffer.
  const draft = await openDraft(target.folder, mode | 0o200);
  try {
    await copyFile(pathOf(handle), pathOf(draft.handle), constants.COPYFILE_FICLONE);
    await draft.handle.chmod(mode);
    await draft.replace(target.name);
  } finally {
    await draft.discard();
  }
}

/** A folder, or a file in one. What is not listed, hidden files and links that lead out or nowhere, is not copied either. */
async function copyTree(
  path: SharePath,
  to: string,
  tree: SharedTree,
  { isDeep = true, around = [] }: { readonly isDeep?: boolean; readonly around?: readonly string[] },
): Promise<void> {
  if (around.length > MAX_COPY_DEPTH) throw new DavError(409, "there are too many folders in folders");
  await using from = await tree.open(path);
  const stats = await from.stat({ bigint: true });
  if (!stats.isDirectory()) return await copyFile(pathOf(from), to, constants.COPYFILE_FICLONE);
  await mkdir(to);
  if (!isDeep) return;
  const folders = [...around, identityOf(stats)];
  for await (const { name, stats: found } of tree.entries(path)) {
    // A link to a folder that it lies in would be copied without end.
    if (folders.includes(identityOf(found))) continue;
    try {
      await copyTree([...path, name], `${to}/${name}`, tree, { around: folders });
    } catch (error) {
      if (!(error instanceof DavError && error.status === 403)) throw error;
    }
  }
}

async function isFolderAt(path: SharePath, tree: SharedTree): Promise<boolean> {
  await using handle = await tree.open(path);
  return (await handle.stat()).isDirectory();
}

const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

const pathOf = ({ fd }: FileHandle): string => `/proc/self/fd/${fd}`;

export async function lock(exchange: Exchange, { tree, locks }: ChangeParts): Promise<void> {
  const { request, response, path, tokens } = exchange;
  const seconds = timeoutSeconds(request.headers.timeout as string | undefined);
  const body = await readBody(request, MAX_LOCK_BYTES);
  if (body.length === 0) return lockAnswer(response, 200, locks.refresh(path, tokens, seconds), locks);
  const depth = depthOf(exchange, "infinity");
  if (depth === "1") throw new DavError(400, "a lock is of depth 0 or infinity");
  const wish = lockInfo(body);
  await using place = path.length < 2 ? undefined : await tree.place(path);
  const isNew = place !== undefined && place.stats === undefined;
  if (isNew) locks.check(path, tokens, { isMember: true });
  const isFolder = place === undefined || place.stats?.isDirectory() === true;
  const made = locks.add({ ...wish, path, isFolder, isDeep: depth === "infinity", timeoutSeconds: seconds });
  try {
    if (isNew) await writeFile(place.path, "", { flag: "wx" });
  } catch (error) {
    locks.remove(path, made.token);
    throw error;
  }
  response.setHeader("Lock-Token", `<${made.token}>`);
  lockAnswer(response, isNew ? 201 : 200, made, locks);
}

export function unlock({ request, response, path }: Exchange, { locks }: ChangeParts): void {
  const [, token] = /^<(.+)>$/.exec((request.headers["lock-token"] as string | undefined)?.trim() ?? "") ?? [];
  if (token === undefined) throw new DavError(400, "Lock-Token is missing");
  locks.remove(path, token);
  response.writeHead(204).end();
}

function lockInfo(body: Uint8Array): Pick<NewLock, "isExclusive" | "owner"> {
  const root = parseXml(body);
  const scope = davChild(root, "lockscope");
  const type = davChild(root, "locktype");
  if (root.name !== "lockinfo" || scope === undefined || type === undefined)
    throw new DavError(400, "lockinfo is expected");
  if (davChild(type, "write") === undefined) throw new DavError(400, "only writing can be locked");
  const owner = davChild(root, "owner");
  const xml = owner === undefined ? "" : writeXml(owner);
  if (xml.length > MAX_OWNER_CHARACTERS) throw new DavError(413, "the owner is too long");
  return { isExclusive: davChild(scope, "shared") === undefined, owner: xml };
}

function lockAnswer(response: Exchange["response"], status: number, made: DavLock, locks: DavLocks): void {
  const found = `<D:lockdiscovery>${activeLock(made, locks)}</D:lockdiscovery>`;
  const text = `<?xml version="1.0" encoding="utf-8"?>\n<D:prop xmlns:D="DAV:">${found}</D:prop>\n`;
  sendText(response, status, XML_TYPE, text);
}
