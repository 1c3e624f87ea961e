// Hidden places in a shared folder, for a folder that is on its way in or out. Each is noted with the user's own state first,
// so that what a killed process has left anywhere is found without a search, and removed at the next start.
import { mkdir, readdir, readlink, rm, symlink, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DraftFolder } from "../draft-file.ts";
import { makerOf, newHiddenName } from "../process-mark.ts";

/** Nothing is there at first; whatever is there when it is disposed of is removed, unless it is kept. */
export interface PassingPlace extends AsyncDisposable {
  readonly path: string;
  /** What is there stays, hidden as it is. */
  keep(): void;
}

export class PassingPlaces {
  readonly #notes: string;

  /** The notes are links in this folder, which need not be there. */
  constructor(notes: string) {
    this.#notes = notes;
  }

  async take(folder: DraftFolder): Promise<PassingPlace> {
    const name = await newHiddenName();
    const path = `${folder.path}/${name}`;
    const note = join(this.#notes, name);
    await mkdir(this.#notes, { recursive: true, mode: 0o700 });
    await symlink(join(await readlink(folder.path), name), note);
    let isKept = false;
    return {
      path,
      keep: () => {
        isKept = true;
      },
      // What cannot be removed now is tried again at the next start: its note stays.
      [Symbol.asyncDispose]: () => (isKept ? unlink(note) : clear(path, note)).catch(() => {}),
    };
  }

  /** What processes that are no more have left; how much that was. What cannot be removed is tried again the next time. */
  async removeLeftovers(): Promise<number> {
    let count = 0;
    for (const name of await readdir(this.#notes).catch(() => [])) {
      const note = join(this.#notes, name);
      const maker = await makerOf(name);
      const path = await readlink(note).catch(() => "");
      if (maker === undefined || maker === "alive" || basename(path) !== name) continue;
      const isGone = await clear(path, note).then(
        () => true,
        () => false,
      );
      if (isGone) count += 1;
    }
    return count;
  }
}

async function clear(path: string, note: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await unlink(note);
}
