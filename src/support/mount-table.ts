// What is mounted, as this process sees it: proc(5), mountinfo.
import { readFile } from "node:fs/promises";

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
