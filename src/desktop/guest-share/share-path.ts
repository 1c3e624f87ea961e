// From the path of a URL to a name in the shared folders and back. Nothing is looked up here.
import { DavError } from "./dav-error.ts";

/** Names below the top, which lists the shared folders. */
export type SharePath = readonly string[];

const MAX_PATH_CHARACTERS = 8192;
const MAX_NAME_BYTES = 255;

/** Throws a DavError: 400 for what is no path, 403 for hidden names, 414 for what is too long. */
export function sharePath(urlPath: string): SharePath {
  if (urlPath.length > MAX_PATH_CHARACTERS) throw new DavError(414, "the path is too long");
  const raw = urlPath.replace(/\?.*$/s, "");
  if (!raw.startsWith("/") || raw.includes("#")) throw new DavError(400, "that is no path");
  return raw
    .split("/")
    .filter((part) => part !== "")
    .map(nameOf);
}

function nameOf(part: string): string {
  let name: string;
  try {
    name = decodeURIComponent(part);
  } catch {
    throw new DavError(400, "a name is not encoded as it should be");
  }
  if (name === "." || name === ".." || /[/\0]/.test(name)) throw new DavError(400, "that is no name");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new DavError(414, "a name is too long");
  if (isHidden(name)) throw new DavError(403, "hidden files are not shared");
  return name;
}

export function isHidden(name: string): boolean {
  return name.startsWith(".");
}

/** As it stands in an answer; a folder's ends with a slash. */
export function hrefOf(path: SharePath, isFolder: boolean): string {
  const joined = path.map((name) => `/${encodeURIComponent(name)}`).join("");
  return isFolder ? `${joined}/` : joined;
}

/** One text for one path, so that maps can be asked. */
export function keyOf(path: SharePath): string {
  return path.map((name) => `/${name}`).join("");
}

/** `below` is `key` or lies in it. */
export function isWithin(key: string, below: string): boolean {
  return below === key || below.startsWith(`${key}/`);
}
