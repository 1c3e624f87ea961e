// GET, HEAD and PUT of files.
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { type DraftFile, openDraft } from "../draft-file.ts";
import { DavError, taken } from "./dav-error.ts";
import { type Exchange, write } from "./exchange.ts";
import { etagOf, httpDate, mediaType } from "./file-facts.ts";
import { byteRange, checkConditions, isUnchanged } from "./preconditions.ts";
import { type Place, statsAt } from "./shared-tree.ts";

const STEP_BYTES = 512 * 1024;
/** Of a new file, but for what the user's umask takes away. */
const NEW_MODE = 0o666;
/** Whatever a file is, it is no program of ours: its scripts do not run, and it loads nothing. */
const FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

/** A file that is open; the handle stays the caller's. */
export async function sendFile({ request, response, path }: Exchange, handle: FileHandle): Promise<void> {
  const stats = await handle.stat({ bigint: true });
  const name = path.at(-1) ?? "";
  response.setHeader("ETag", etagOf(stats));
  response.setHeader("Last-Modified", httpDate(stats.mtimeMs));
  response.setHeader("Accept-Ranges", "bytes");
  // The browser's own reader of PDF does not work in a sandbox, and has one of its own.
  response.setHeader("Content-Security-Policy", /\.pdf$/i.test(name) ? "default-src 'none'" : FILE_POLICY);
  if (isUnchanged(request.headers, stats)) return void response.writeHead(304).end();
  response.setHeader("Content-Type", mediaType(name));
  const size = Number(stats.size);
  const isHead = request.method === "HEAD";
  let range: ReturnType<typeof byteRange>;
  try {
    range = isHead ? undefined : byteRange(request.headers, stats);
  } catch (error) {
    response.setHeader("Content-Range", `bytes */${size}`);
    throw error;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== undefined) response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
  response.writeHead(range === undefined ? 200 : 206, { "Content-Length": end - start + 1 });
  if (isHead || end < start) return void response.end();
  // No more than was announced, should the file grow; a file that shrinks breaks the connection, as it must.
  for await (const piece of pieces(handle, start, end + 1)) {
    if (piece === undefined) return void response.destroy();
    await write(response, piece);
  }
  response.end();
}

/** The next one is read while this one is on its way. Undefined: the file is shorter. */
async function* pieces(handle: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array | undefined> {
  const read = async (at: number): Promise<Uint8Array | undefined> => {
    const wanted = Math.min(STEP_BYTES, end - at);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, at);
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
  };
  let next = read(start);
  for (let at = start; at < end; ) {
    const piece = await next;
    at += piece?.length ?? end;
    if (at < end) {
      next = read(at);
      // Whoever does not come back for it has a reason of their own.
      next.catch(() => {});
    }
    yield piece;
  }
}

/**
 * The body becomes the file at the place when it is whole, and not before: whoever reads has the old or the new one. `mayChange`
 * is asked of what is there, undefined for nothing, before the body and after it, and throws.
 * Returns whether there was one before.
 */
export async function receiveFile(
  { request, response, stillHolds }: Exchange,
  place: Place,
  mayChange: (stats: BigIntStats | undefined) => void,
): Promise<boolean> {
  const { headers } = request;
  const judge = (stats: BigIntStats | undefined): void => {
    mayChange(stats);
    if (stats?.isDirectory() === true) throw new DavError(405, "it is a folder");
    if (stats !== undefined && !stats.isFile()) throw new DavError(403, "it is no file");
    checkConditions(headers, stats);
  };
  if (headers["content-range"] !== undefined) throw new DavError(400, "a part of a file cannot be put");
  judge(place.stats);
  if (headers.expect !== undefined) response.writeContinue();
  const draft = await openDraft(place.folder, NEW_MODE);
  try {
    // What the disk has no room for is told: the rest is heard until then, and goes nowhere.
    await writeBody(request.iterator({ destroyOnReturn: false }), draft.handle);
    const old = await statsAt(place.path);
    if (old !== undefined) await draft.handle.chmod(Number(old.mode) & 0o777);
    // A body may take hours. Only the name is still to be given after this.
    await stillHolds();
    const stats = await statsAt(place.path);
    judge(stats);
    const mustBeNew = stats === undefined && headers["if-none-match"] !== undefined;
    await nameDraft(draft, place.name, mustBeNew);
    return stats !== undefined;
  } finally {
    await draft.discard();
  }
}

/** It is whole. `mustBeNew`: nothing is to be replaced by it; throws a DavError 412 then. */
export async function nameDraft(draft: DraftFile, name: string, mustBeNew: boolean): Promise<void> {
  if (!mustBeNew) await draft.replace(name);
  else if (!(await draft.name(name))) throw taken();
}

/** The next bytes come while the last ones are written. */
async function writeBody(body: AsyncIterable<Buffer>, handle: FileHandle): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  let pieces: Buffer[] = [];
  let bytes = 0;
  const writeOn = async (): Promise<void> => {
    await writing;
    writing = writeAll(handle, pieces, bytes);
    // It is waited for with the next ones, or at the end.
    writing.catch(() => {});
    pieces = [];
    bytes = 0;
  };
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= STEP_BYTES) await writeOn();
  }
  await writeOn();
  await writing;
}

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
  if (bytes === 0) return;
  const { bytesWritten } = await handle.writev(pieces as Uint8Array[]);
  if (bytesWritten === bytes) return;
  // Rare: the disk is full, or nearly.
  const rest = Buffer.concat(pieces as Uint8Array[]).subarray(bytesWritten);
  for (let at = 0; at < rest.length; at += (await handle.write(rest, at)).bytesWritten);
}
