// Hidden places in a shared folder, for a folder that is on its way in or out. Each is noted with the user's own state first,
// so that what a killed process has left anywhere is found without a search at the next start: what was on its way in is
// removed, and what was put aside comes back.
import { chmod, lstat, mkdir, readdir, readlink, rename, rm, stat, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { namesToTry } from "../../features/file-names.ts";
import { describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { DraftFolder } from "../draft-file.ts";
import { makerOf, newHiddenName } from "../process-mark.ts";
import { renameIfFree } from "../rename-if-free.ts";
import { statsAt } from "./shared-tree.ts";

/** Nothing is there at first; whatever is there when it is disposed of is removed. */
export interface PassingPlace extends AsyncDisposable {
  readonly path: string;
}

/**
 * Unless it has been replaced by then it comes back when it is disposed of, under another name where its own is taken. Where it
 * cannot, it stays hidden, and is tried again at the next start.
 */
export interface PutAside extends AsyncDisposable {
  /** Nobody wants it any more. */
  replaced(): Promise<void>;
}

export class PassingPlaces {
  readonly #notes: string;
  readonly #log: Log;

  /** The notes are links in this folder, which need not be there. */
  constructor(notes: string, log: Log) {
    this.#notes = notes;
    this.#log = log;
  }

  async take(folder: DraftFolder): Promise<PassingPlace> {
    const name = await newHiddenName();
    const path = `${folder.path}/${name}`;
    const note = await this.#note(name, join(await readlink(folder.path), name));
    // What cannot be removed now is tried again at the next start: its note stays.
    return { path, [Symbol.asyncDispose]: () => clear(path, note).catch(() => {}) };
  }

  /** Takes what has that name out of the way. Throws what Node throws. */
  async putAside(folder: DraftFolder, name: string): Promise<PutAside> {
    const hidden = await newHiddenName("aside");
    const path = `${folder.path}/${hidden}`;
    const home = await readlink(folder.path);
    const inode = await inodeOf(folder.path);
    const note = await this.#note(hidden, `${inode}:${join(home, name)}`);
    try {
      await rename(`${folder.path}/${name}`, path);
    } catch (error) {
      await unlink(note).catch(() => {});
      throw error;
    }
    let isReplaced = false;
    return {
      replaced: async () => {
        isReplaced = true;
        // From here on it is to be removed, whoever does it.
        await this.#noteAnew(hidden, join(home, hidden)).catch(() => {});
      },
      [Symbol.asyncDispose]: () =>
        isReplaced
          ? clear(path, note).catch(() => {})
          : this.#bringBack({ hidden, folder: folder.path, inode, name, note, home }),
    };
  }

  async #bringBack({ home, ...place }: Away & { readonly home: string }): Promise<void> {
    try {
      await bringBack(place);
    } catch (error) {
      const where = `${join(home, place.hidden)}, until the agent starts again`;
      this.#log.error(
        `what was at ${join(home, place.name)} could not be put back, and is at ${where}: ${describeError(error)}`,
      );
    }
  }

  /** What processes that are no more have left; how much that was. What cannot be settled is tried again the next time. */
  async settleLeftovers(): Promise<number> {
    let count = 0;
    for (const name of await readdir(this.#notes).catch(() => [])) {
      const maker = await makerOf(name, "part", "aside");
      if (maker === undefined || maker === "alive") continue;
      const note = join(this.#notes, name);
      const isSettled = await settle(name, note).then(
        () => true,
        () => false,
      );
      if (isSettled) count += 1;
    }
    return count;
  }

  /**
   * Of what is hidden under that name: where it is, if it is to be removed; if it is to come back, the number of the folder that
   * it is in, a colon, and where it belongs.
   */
  async #note(name: string, place: string): Promise<string> {
    const note = join(this.#notes, name);
    await mkdir(this.#notes, { recursive: true, mode: 0o700 });
    await symlink(place, note);
    return note;
  }

  async #noteAnew(name: string, place: string): Promise<void> {
    const fresh = await this.#note(await newHiddenName(), place);
    await rename(fresh, join(this.#notes, name));
  }
}

async function settle(name: string, note: string): Promise<void> {
  const place = await readlink(note);
  const [, inode = "", home] = /^(\d+):(\/.+)$/s.exec(place) ?? [];
  if (home === undefined) {
    // What it leads to is not ours: a note that was to take another's place.
    return basename(place) === name ? clear(place, note) : unlink(note);
  }
  await bringBack({ hidden: name, folder: dirname(home), inode, name: basename(home), note });
}

async function clear(path: string, note: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await makeWritable(path);
    await rm(path, { recursive: true, force: true });
  }
  await unlink(note);
}

/** Folders that may not be written to keep what is in them, even from whom they belong to. Not those of another drive. */
async function makeWritable(folder: string, device?: number): Promise<void> {
  const stats = await lstat(folder);
  if (!stats.isDirectory() || (device !== undefined && stats.dev !== device)) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await makeWritable(join(folder, entry.name), stats.dev);
}

interface Away {
  /** Its name as long as it is put aside, and its own. */
  readonly hidden: string;
  readonly name: string;
  readonly folder: string;
  /** The folder's number. */
  readonly inode: string;
  readonly note: string;
}

/** Throws where it cannot: the note stays. */
async function bringBack({ hidden, name, folder, inode, note }: Away): Promise<void> {
  const path = `${folder}/${hidden}`;
  // The drive that it is on may be away, and its folder be another's, or empty: then it is not gone.
  if ((await inodeOf(folder)) !== inode) throw new Error("its folder is not there");
  if ((await statsAt(path)) === undefined) return unlink(note);
  for (const free of namesToTry(name)) if (await renameIfFree(path, `${folder}/${free}`)) return unlink(note);
  throw new Error("all names are taken");
}

async function inodeOf(path: string): Promise<string> {
  return String((await stat(path)).ino);
}
