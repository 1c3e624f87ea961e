// A file on its way to the disk: it has no name, or a hidden one, until all of it is there. Whatever becomes of us, nothing is
// left of it: what has no name goes by itself, and what a killed process has left is found by its name.
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { openUnnamedFile } from "../support/native/unnamed-file.ts";
import { makerOf, newHiddenName } from "./process-mark.ts";
import { renameIfFree } from "./rename-if-free.ts";

/** What a file system says that has no files without a name. */
const NO_UNNAMED = ["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOENT", "ENOSYS"];
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Of another start of the machine, or of another machine. */
const STALE_MS = 24 * 60 * 60 * 1000;

/** A folder that is held open. */
export interface DraftFolder {
  readonly fd: number;
  /** Good as long as it is held. */
  readonly path: string;
}

export interface DraftFile {
  readonly handle: FileHandle;
  /** It is whole: gives it its name. False: that is taken, by whatever. */
  name(name: string): Promise<boolean>;
  /** It is whole: takes the place of the file of that name, if there is one. */
  replace(name: string): Promise<void>;
  /** Closes it; what has no name of its own by then is gone. */
  discard(): Promise<void>;
}

/** Throws what Node throws. */
export async function openDraft(folder: DraftFolder, mode: number): Promise<DraftFile> {
  try {
    return await unnamedDraft(folder, mode);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code !== "native.unavailable" && !NO_UNNAMED.includes(code ?? "")) throw error;
    return await hiddenDraft(folder, mode);
  }
}

async function unnamedDraft(folder: DraftFolder, mode: number): Promise<DraftFile> {
  const { handle, name } = await openUnnamedFile(folder.path, mode);
  return {
    handle,
    name: async (text) => name(folder.fd, text),
    replace: async (text) => {
      // Only what takes another's place needs a name of its own before.
      if (name(folder.fd, text)) return;
      const hidden = await newHiddenName();
      name(folder.fd, hidden);
      await renameOver(`${folder.path}/${hidden}`, `${folder.path}/${text}`);
    },
    discard: () => handle.close(),
  };
}

/** On file systems that know no better. */
async function hiddenDraft(folder: DraftFolder, mode: number): Promise<DraftFile> {
  await removeLeftovers(folder.path);
  const path = `${folder.path}/${await newHiddenName()}`;
  const handle = await open(path, NEW_FILE, mode);
  let isHidden = true;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= handle.close();
    return closing;
  };
  return {
    handle,
    name: async (name) => {
      // A file server says only now that it has no room for what was written.
      await close();
      const isNamed = await renameIfFree(path, `${folder.path}/${name}`);
      isHidden = !isNamed;
      return isNamed;
    },
    replace: async (name) => {
      await close();
      await rename(path, `${folder.path}/${name}`);
      isHidden = false;
    },
    discard: async () => {
      await close().catch(() => {});
      if (isHidden) await unlink(path).catch(() => {});
    },
  };
}

async function renameOver(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    await unlink(from).catch(() => {});
    throw error;
  }
}

/** Those of processes that are no more. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = `${folder}/${name}`;
    const maker = await makerOf(name, "part");
    const isLeft = maker === "dead" || (maker === "unknown" && (await isStale(path).catch(() => false)));
    // Another draft may be clearing away the same one.
    if (isLeft) await unlink(path).catch(() => {});
  }
}

async function isStale(path: string): Promise<boolean> {
  const { mtimeMs } = await lstat(path);
  return Date.now() - mtimeMs > STALE_MS;
}
