// What is mounted, as this process sees it: proc(5), mountinfo.
import { readFile } from "node:fs/promises";

/** For root only, so that nobody meets the mounts in it but where they are bound to: one for each user, by uid. */
export const MOUNTS_FOLDER = "/run/tsvdagent-mount";

export interface MountedAt {
  /** `MAJOR:MINOR`: the same for all mounts of one file system. */
  readonly device: string;
  readonly path: string;
}

export async function mountTable(): Promise<readonly MountedAt[]> {
  return parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
}

export function parseMountTable(text: string): readonly MountedAt[] {
  return text.split("\n").flatMap((line) => {
    const [, , device, , path] = line.split(" ");
    return device === undefined || path === undefined ? [] : [{ device, path: unescaped(path) }];
  });
}

/** Blanks and the like are written in octal, byte by byte. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The users for whom the viewer's folder is mounted. */
export async function mountedUsers(): Promise<number[]> {
  return (await mountTable()).flatMap(({ path }) => {
    const uid = path.startsWith(`${MOUNTS_FOLDER}/`) ? path.slice(MOUNTS_FOLDER.length + 1) : "";
    return /^\d+$/.test(uid) ? [Number(uid)] : [];
  });
}
