// MKCOL, DELETE, COPY, MOVE, LOCK and UNLOCK.

import { type BigIntStats, constants } from "node:fs";
import { access, copyFile, type FileHandle, mkdir, readlink, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mountTable } from "../../support/mount-table.ts";
import { openDraft } from "../draft-file.ts";
import { renameIfFree } from "../rename-if-free.ts";
import { DavError, taken } from "./dav-error.ts";
import { type DavLock, type DavLocks, type NewLock, timeoutSeconds } from "./dav-locks.ts";
import { davChild, parseXml, writeXml } from "./dav-xml.ts";
import type { DeadProperties } from "./dead-properties.ts";
import { depthOf, type Exchange, pathOnThisServer, readBody, sendText } from "./exchange.ts";
import { etagOf } from "./file-facts.ts";
import { nameDraft } from "./files.ts";
import { inPlaceOf } from "./in-place.ts";
import type { PassingPlaces } from "./passing-places.ts";
import { checkConditions, isConditional } from "./preconditions.ts";
import { activeLock, XML_TYPE } from "./properties.ts";
import { isWithin, keyOf, type SharePath } from "./share-path.ts";
import { type Place, type SharedTree, statsAt } from "./shared-tree.ts";

const MAX_LOCK_BYTES = 64 * 1024;
const MAX_OWNER_CHARACTERS = 4096;
/** Folders in folders that are copied. */
const MAX_COPY_DEPTH = 256;
/** To put what is ready in its place, each time as it is then. */
const ATTEMPTS = 3;
/** What is there is gone, there again, or of another kind. */
const OTHER_THAN_SEEN = ["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR", "EISDIR"];

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
  await using place = await tree.place(path);
  if (place.stats !== undefined) throw new DavError(405, "something is there already");
  locks.check(path, tokens, { isMember: true });
  await mkdir(place.path);
  response.writeHead(201).end();
}

export async function remove(exchange: Exchange, parts: ChangeParts): Promise<void> {
  const { response, path, tokens } = exchange;
  const depth = depthOf(exchange, "infinity");
  await using place = await parts.tree.place(path);
  if (place.stats === undefined) throw new DavError(404, "there is no such thing");
  const isFolder = place.stats.isDirectory();
  if (isFolder && depth !== "infinity") throw new DavError(400, "all below is removed, too");
  await checkSource(exchange, parts.tree);
  if (isFolder) await checkUnmounted(place);
  parts.locks.check(path, tokens, { isDeep: true, isMember: true });
  if (isFolder) await rm(place.path, { recursive: true });
  else await unlink(place.path);
  parts.locks.forget(path);
  parts.dead.forget(path);
  response.writeHead(204).end();
}

async function checkSource({ request, path }: Exchange, tree: SharedTree): Promise<void> {
  if (isConditional(request.headers)) checkConditions(request.headers, await tree.stats(path));
}

export async function transfer(exchange: Exchange, parts: ChangeParts): Promise<void> {
  const { request, response, path, tokens } = exchange;
  const { tree, locks, dead } = parts;
  const isMove = request.method === "MOVE";
  const to = pathOnThisServer(request.headers.destination as string | undefined, exchange.host);
  const overwrite = (request.headers.overwrite as string | undefined)?.toUpperCase() ?? "T";
  if (overwrite !== "T" && overwrite !== "F") throw new DavError(400, "Overwrite is T or F");
  const depth = depthOf(exchange, "infinity");
  if (depth === "1" || (isMove && depth !== "infinity")) throw new DavError(400, "that depth has no meaning here");
  await using source = await tree.place(path);
  if (source.stats === undefined) throw new DavError(404, "there is no such thing");
  const isDeep = depth === "infinity";
  checkApart(keyOf(path), keyOf(to), source.stats.isDirectory() && isDeep);
  await using target = await tree.place(to);
  // By way of links, or of a folder that is shared twice, names that differ lead to the same.
  const targetPath = await realPathOf(target);
  checkApart(await realPathOf(source), targetPath, source.stats.isDirectory() && isDeep);
  if (!isMove) checkApart(await tree.realPath(path), targetPath, isDeep);
  await checkSource(exchange, tree);
  const checkLocks = (): void => {
    if (isMove) locks.check(path, tokens, { isDeep: true, isMember: true });
    locks.check(to, tokens, { isDeep: true, isMember: true });
  };
  checkLocks();
  const mayStill = async (): Promise<void> => {
    await exchange.stillHolds();
    checkLocks();
  };
  const isReplaced = target.stats !== undefined;
  const mustBeNew = overwrite === "F";
  if (isReplaced && mustBeNew) throw taken();
  await carry({ source, target, path, isMove, isDeep, mustBeNew, mayStill }, parts);
  locks.forget(to);
  dead.forget(to);
  dead.copy(path, to, isDeep);
  if (isMove) {
    dead.forget(path);
    locks.forget(path);
  }
  response.writeHead(isReplaced ? 204 : 201).end();
}

/** Keys or absolute paths. `isWhole`: a folder with all that is in it. Throws a DavError 403. */
function checkApart(from: string, to: string, isWhole: boolean): void {
  if (from === to) throw new DavError(403, "it is there already");
  if (isWhole && isWithin(from, to)) throw new DavError(403, "a folder does not fit into itself");
  if (isWithin(to, from)) throw new DavError(403, "what is around it cannot be replaced by it");
}

/** A drive that is mounted in a folder is not removed with it. Throws a DavError 403. */
async function checkUnmounted(place: Place): Promise<void> {
  const folder = await realPathOf(place);
  if ((await mountTable()).some(({ path }) => isWithin(folder, path)))
    throw new DavError(403, "a drive is mounted in the folder");
}

async function realPathOf({ folder, name }: Place): Promise<string> {
  return join(await readlink(folder.path), name);
}

interface Carriage {
  readonly source: Place;
  readonly target: Place;
  /** Of the source. */
  readonly path: SharePath;
  readonly isMove: boolean;
  readonly isDeep: boolean;
  /** Nothing is to be replaced, not even what comes to be meanwhile. */
  readonly mustBeNew: boolean;
  /** Throws where somebody has locked or changed meanwhile what was not to be. */
  readonly mayStill: () => Promise<void>;
}

/**
 * Whole or not at all: what is at the target now stays there, or comes back, when it fails. But for a file on another file
 * system, which may be at both places when it cannot be taken away any more.
 */
async function carry(carriage: Carriage, parts: ChangeParts): Promise<void> {
  const { source, target, isMove, mustBeNew } = carriage;
  if (isMove) {
    const isFolder = source.stats?.isDirectory() === true;
    try {
      const put = (): Promise<void> => renamed(source.path, target.path, mustBeNew);
      return await settle(carriage, { isFolder, put }, parts.passing);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
      // What is hidden in a folder is not copied, and would be lost with it.
      if (isFolder) throw new DavError(403, "a folder is not moved to another file system: copy it");
    }
    // Before anything is done: it may lie on a drive that is read only.
    await access(source.folder.path, constants.W_OK);
  }
  // All that takes time comes before anything is taken out of the way.
  await using copy = await copyOf(carriage, parts);
  await carriage.mayStill();
  await settle(carriage, copy, parts.passing);
  if (isMove) await removeMoved(source);
}

/** What was written to it while it was copied is nowhere else. */
async function removeMoved({ path, stats }: Place): Promise<void> {
  const now = await statsAt(path);
  if (now === undefined || stats === undefined || etagOf(now) !== etagOf(stats))
    throw new DavError(409, "it was changed while it was copied, and is still there");
  await unlink(path);
}

interface Arrival {
  readonly isFolder: boolean;
  /** In one step. */
  readonly put: () => Promise<void>;
}

/** Others who are about the same place may change it between a look and a step. */
async function settle(carriage: Carriage, arrival: Arrival, passing: PassingPlaces): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await settleOnce(carriage, arrival, passing);
    } catch (error) {
      if (attempt === ATTEMPTS || !OTHER_THAN_SEEN.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}

async function settleOnce(
  { source, target, mustBeNew }: Carriage,
  { isFolder, put }: Arrival,
  passing: PassingPlaces,
): Promise<void> {
  const stats = await statsAt(target.path);
  // Where large and small letters are the same, it may be what is to be moved.
  const isItself = stats !== undefined && source.stats !== undefined && identityOf(stats) === identityOf(source.stats);
  // A file takes another's place by itself.
  const isOneStep = mustBeNew || isItself || stats === undefined || !(isFolder || stats.isDirectory());
  if (isOneStep) return await put();
  await checkUnmounted(target);
  await inPlaceOf(target, put, passing);
}

async function renamed(from: string, to: string, mustBeNew: boolean): Promise<void> {
  if (!mustBeNew) await rename(from, to);
  else if (!(await renameIfFree(from, to))) throw taken();
}

/** Ready beside the target. A link is copied as what it leads to. */
async function copyOf(carriage: Carriage, { tree, passing }: ChangeParts): Promise<Arrival & AsyncDisposable> {
  const { path, target, isDeep, mustBeNew } = carriage;
  await using from = await tree.open(path);
  const stats = await from.stat();
  if (!stats.isDirectory()) return await copyOfFile(from, stats.mode & 0o777, carriage);
  const place = await passing.take(target.folder);
  const end = (): PromiseLike<void> => place[Symbol.asyncDispose]();
  try {
    await copyTree(path, place.path, tree, { isDeep });
  } catch (error) {
    await end();
    throw error;
  }
  const put = (): Promise<void> => renamed(place.path, target.path, mustBeNew);
  return { isFolder: true, put, [Symbol.asyncDispose]: end };
}

async function copyOfFile(
  from: FileHandle,
  mode: number,
  { target: { folder, name }, isMove, mustBeNew }: Carriage,
): Promise<Arrival & AsyncDisposable> {
  // It is opened once more to be written, which a file that is read only does not suffer.
  const draft = await openDraft(folder, mode | 0o200);
  try {
    await copyFile(pathOf(from), pathOf(draft.handle), constants.COPYFILE_FICLONE);
    await draft.handle.chmod(mode);
    // The only one, soon.
    if (isMove) await draft.handle.sync();
  } catch (error) {
    await draft.discard();
    throw error;
  }
  const put = (): Promise<void> => nameDraft(draft, name, mustBeNew);
  return { isFolder: false, put, [Symbol.asyncDispose]: () => draft.discard() };
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
  // The top and the shared folders are no places of files; of the latter only those there are can be locked.
  if (path.length === 1) await (await tree.open(path)).close();
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
