// A bookmark in the file managers that read GTK's: a line of ours among the user's own, and nobody else's is touched.
import { readFile, realpath, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileUri } from "../../features/file-list-texts.ts";
import { writeWhole } from "../whole-file.ts";

/** By it a line is known to be ours, also after we were killed. */
const LABEL = "Viewer's folder";

export function bookmarksFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "gtk-3.0/bookmarks");
}

/** Leaves one line of ours, for this folder; undefined: none. Rejects as the file system does. */
export async function setBookmark(file: string, folder: string | undefined): Promise<void> {
  // Those who keep their configuration elsewhere have a link here.
  const path = await realpath(file).catch(() => file);
  const before = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const others = (before ?? "").split("\n").filter((line) => line !== "" && !line.endsWith(` ${LABEL}`));
  const lines = folder === undefined ? others : [...others, `${fileUri(folder)} ${LABEL}`];
  const after = lines.map((line) => `${line}\n`).join("");
  if (after === (before ?? "")) return;
  if (after === "") return rm(path);
  const mode = before === undefined ? 0o644 : (await stat(path)).mode & 0o777;
  await writeWhole(path, after, { mode, folderMode: 0o777 });
}
