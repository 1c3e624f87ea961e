// Where dropped files go: a folder that was named, or one of the user's own by the XDG convention (user-dirs.dirs).
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** `xdg-download`, `xdg-desktop`, a path that begins with `~/`, or an absolute one. */
export type SaveChoice = string;

const xdgFolders: Readonly<Record<string, { readonly key: string; readonly fallback: string }>> = {
  "xdg-download": { key: "XDG_DOWNLOAD_DIR", fallback: "Downloads" },
  "xdg-desktop": { key: "XDG_DESKTOP_DIR", fallback: "Desktop" },
};

/** An absolute path; nothing need be there. */
export async function saveFolder(choice: SaveChoice, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const home = env.HOME || homedir();
  const xdg = Object.hasOwn(xdgFolders, choice) ? xdgFolders[choice] : undefined;
  if (xdg === undefined) return choice.startsWith("~/") ? join(home, choice.slice(2)) : resolve(choice);
  return (await configured(xdg.key, home, env)) ?? join(home, xdg.fallback);
}

/** Undefined: not configured, which the home folder itself stands for too. */
async function configured(key: string, home: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const config = env.XDG_CONFIG_HOME || join(home, ".config");
  let text: string;
  try {
    text = await readFile(join(config, "user-dirs.dirs"), "utf8");
  } catch {
    return undefined;
  }
  const lines = text.matchAll(/^[ \t]*([A-Z_]+)[ \t]*=[ \t]*"((?:[^"\\\n]|\\.)*)"/gm);
  const value = [...lines].findLast(([, name]) => name === key)?.[2]?.replace(/\\(.)/g, "$1");
  if (value === undefined) return undefined;
  const path = value === "$HOME" || value.startsWith("$HOME/") ? join(home, value.slice("$HOME".length)) : value;
  return isAbsolute(path) && resolve(path) !== resolve(home) ? resolve(path) : undefined;
}
