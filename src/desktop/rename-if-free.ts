// A name is taken only if nothing has it, on every file system: not each has hard links, or a rename that replaces nothing.
import { link, lstat, mkdir, open, rename, rmdir, unlink } from "node:fs/promises";

/** Of the empty file or folder that holds the name, for an instant. */
const MODE = 0o600;
const FOLDER_MODE = 0o700;
/** What a file system says that has no hard links, or no more of them. */
const NO_LINKS = ["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** Renames a file, link or folder. False: something has that name, and `from` is where it was. Throws what Node throws. */
export async function renameIfFree(from: string, to: string): Promise<boolean> {
  try {
    await ((await lstat(from)).isDirectory() ? renameFolder(from, to) : renameFile(from, to));
    return true;
  } catch (error) {
    if (["EEXIST", "ENOTEMPTY"].includes(codeOf(error))) return false;
    throw error;
  }
}

async function renameFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.includes(codeOf(error))) throw error;
    return await renameOverEmpty(from, to);
  }
  try {
    await unlink(from);
  } catch (error) {
    // Somebody has removed it meanwhile: it has the name that it was to have.
    if (codeOf(error) === "ENOENT") return;
    // Only where it has its old name, too.
    if (await isSame(from, to).catch(() => false)) await unlink(to).catch(() => {});
    throw error;
  }
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [{ dev, ino }, stats] = await Promise.all([lstat(one), lstat(other)]);
  return stats.dev === dev && stats.ino === ino;
}

/** Something empty of ours takes the name first, for that is all that the rename then replaces. */
async function renameOverEmpty(from: string, to: string): Promise<void> {
  const empty = await open(to, "wx", MODE);
  try {
    await rename(from, to);
  } catch (error) {
    const there = await lstat(to).catch(() => undefined);
    if (there?.ino === (await empty.stat()).ino) await unlink(to);
    throw error;
  } finally {
    await empty.close();
  }
}

async function renameFolder(from: string, to: string): Promise<void> {
  await mkdir(to, FOLDER_MODE);
  try {
    await rename(from, to);
  } catch (error) {
    // Only if it is empty.
    await rmdir(to).catch(() => {});
    throw error;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
