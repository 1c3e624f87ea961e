// The shared folders on disk. A path is opened first and judged by where it has led to, so that no link, whenever it was put
// there, leads out; what changes something works on a name in a folder that is open.
import type { BigIntStats, Dir } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, lstat, open, opendir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DraftFolder } from "../draft-file.ts";
import { asDavError, DavError } from "./dav-error.ts";
import { isHidden, type SharePath } from "./share-path.ts";

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Names read from a folder at once. */
const READ_NAMES = 256;

export interface Entry {
  readonly name: string;
  readonly stats: BigIntStats;
}

/** A name in a folder that is open. */
export interface Place extends AsyncDisposable {
  readonly folder: DraftFolder;
  readonly name: string;
  /** Good as long as it is not disposed of. */
  readonly path: string;
  /** Undefined: nothing is there. A link's are its own. */
  readonly stats: BigIntStats | undefined;
}

export class SharedTree {
  readonly #folders = new Map<string, string>();

  /** Absolute paths; each is shared under its last name. */
  constructor(folders: readonly string[]) {
    for (const path of new Set(folders)) {
      const name = basename(path).replace(/^\.+/, "") || "root";
      let free = name;
      for (let number = 2; this.#folders.has(free); number += 1) free = `${name} ${number}`;
      this.#folders.set(free, path);
    }
  }

  get names(): readonly string[] {
    return [...this.#folders.keys()];
  }

  /** A file or folder, open for reading. Throws a DavError or what the file system says. */
  async open(path: SharePath): Promise<FileHandle> {
    const root = await this.#root(path);
    const handle = await open(join(root, ...path.slice(1)), OPEN_FLAGS);
    try {
      const real = await readlink(`/proc/self/fd/${handle.fd}`);
      if (!isShared(root, real)) throw new DavError(403, "it lies outside of the shared folder");
      const found = await handle.stat();
      if (!found.isFile() && !found.isDirectory()) throw new DavError(403, "it is neither a file nor a folder");
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Of what whoever reads it gets: a link's are those of what it leads to. Undefined: there is nothing to be had. */
  async stats(path: SharePath): Promise<BigIntStats | undefined> {
    try {
      await using handle = await this.open(path);
      return await handle.stat({ bigint: true });
    } catch (error) {
      // What is no refusal is thrown on.
      asDavError(error);
      return undefined;
    }
  }

  /** Where a path leads to in the end. Throws as `open` does. */
  async realPath(path: SharePath): Promise<string> {
    await using handle = await this.open(path);
    return await readlink(`/proc/self/fd/${handle.fd}`);
  }

  /** To change something: 409 where the folder around it is missing, 403 for the shared folders themselves. */
  async place(path: SharePath): Promise<Place> {
    const name = path.at(-1);
    if (name === undefined || path.length < 2)
      throw new DavError(403, "the shared folders themselves stay as they are");
    const parent = await this.open(path.slice(0, -1)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR")
        throw new DavError(409, "the folder around it is missing");
      throw error;
    });
    const folder = { fd: parent.fd, path: `/proc/self/fd/${parent.fd}` };
    const at = `${folder.path}/${name}`;
    try {
      if (!(await parent.stat()).isDirectory()) throw new DavError(409, "what is around it is no folder");
      const stats = await statsAt(at);
      return { folder, name, path: at, stats, [Symbol.asyncDispose]: () => parent.close() };
    } catch (error) {
      await parent.close();
      throw error;
    }
  }

  /** What is to be seen in a folder, one by one: of 100 000 only a few are in memory. */
  async *entries(path: SharePath): AsyncGenerator<Entry> {
    if (path.length === 0) {
      for (const [name, folder] of this.#folders) {
        const stats = await stat(folder, { bigint: true }).catch(() => undefined);
        if (stats?.isDirectory() === true) yield { name, stats };
      }
      return;
    }
    const root = await this.#root(path);
    await using handle = await this.open(path);
    const folder = await opendir(`/proc/self/fd/${handle.fd}`, { bufferSize: READ_NAMES });
    // Many at once: each has a way to go to a thread that may wait for the disk.
    for await (const names of inGroups(folder, READ_NAMES)) {
      const stats = names.map((name) => entryStats(root, `/proc/self/fd/${handle.fd}/${name}`));
      for (const [index, found] of (await Promise.all(stats)).entries()) {
        const name = names[index];
        if (name !== undefined && found !== undefined) yield { name, stats: found };
      }
    }
  }

  async #root(path: SharePath): Promise<string> {
    const folder = this.#folders.get(path[0] ?? "");
    if (folder === undefined) throw new DavError(404, "there is no such folder");
    return realpath(folder);
  }
}

/** A link's are its own. Undefined: nothing is there. */
export function statsAt(path: string): Promise<BigIntStats | undefined> {
  return lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Names that are not hidden. */
async function* inGroups(folder: Dir, most: number): AsyncGenerator<string[]> {
  let names: string[] = [];
  for await (const { name } of folder) {
    if (isHidden(name)) continue;
    names.push(name);
    if (names.length < most) continue;
    yield names;
    names = [];
  }
  yield names;
}

/** Undefined for what is not shared, or gone meanwhile. */
async function entryStats(root: string, path: string): Promise<BigIntStats | undefined> {
  try {
    const own = await lstat(path, { bigint: true });
    if (own.isFile() || own.isDirectory()) return own;
    if (!own.isSymbolicLink() || !isShared(root, await realpath(path))) return undefined;
    const target = await stat(path, { bigint: true });
    return target.isFile() || target.isDirectory() ? target : undefined;
  } catch {
    return undefined;
  }
}

/** Below the root, and not hidden in it. */
function isShared(root: string, real: string): boolean {
  const start = root === "/" ? "/" : `${root}/`;
  if (real === root) return true;
  return real.startsWith(start) && !real.slice(start.length).split("/").some(isHidden);
}
