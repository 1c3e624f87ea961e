// A small file of the user's, with the old content or the new one, whatever becomes of us meanwhile.
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { newHiddenName } from "./process-mark.ts";

interface Modes {
  readonly mode?: number;
  /** Of the folders around it that are not there yet. */
  readonly folderMode?: number;
}

/** For the user's eyes only, unless other modes are given. Throws what Node throws; nothing is left of it then. */
export async function writeWhole(
  path: string,
  text: string,
  { mode = 0o600, folderMode = 0o700 }: Modes = {},
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: folderMode });
  const next = join(folder, await newHiddenName());
  try {
    await writeFile(next, text, { mode, flag: "wx" });
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}
