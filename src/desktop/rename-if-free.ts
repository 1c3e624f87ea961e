// A name is taken only if nothing has it, on every file system: not each has hard links, or a rename that replaces nothing.
import { constants } from "node:fs";
import { lstat, mkdir, open, rename, rmdir, unlink } from "node:fs/promises";

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Of the empty file or folder that holds the name, for an instant. */
const MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Renames a file, link or folder. False: something has that name, and `from` is where it was. Throws what Node throws. */
export async function renameIfFree(from: string, to: string): Promise<boolean> {
  const isFolder = (await lstat(from)).isDirectory();
  try {
    // Something empty of ours takes the name first, for that is all that the rename then replaces.
    await (isFolder ? mkdir(to, FOLDER_MODE) : takeName(to));
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    await (isFolder ? rmdir(to) : unlink(to)).catch(() => {});
    // Somebody has put something into the folder meanwhile.
    if (isTaken(error)) return false;
    throw error;
  }
}

async function takeName(path: string): Promise<void> {
  await (await open(path, NEW_FILE, MODE)).close();
}

function isTaken(error: unknown): boolean {
  return ["EEXIST", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "");
}
