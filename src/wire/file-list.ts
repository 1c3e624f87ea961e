// FILE_LIST, a type of clipboard content: files on the viewer's WebDAV server. Section 3.10 of the protocol.
import { DecodeError, decodeUtf8 } from "./bytes.ts";

/** Bytes; a hundred thousand files of an ordinary length. */
export const MAX_FILE_LIST_BYTES = 16 * 1024 * 1024;
const MAX_FILES = 100_000;

export interface FileList {
  /** To be moved, not copied. */
  readonly isCut: boolean;
  /** From the server's root, beginning with a slash. */
  readonly paths: readonly string[];
}

/** Texts that end in NUL, all of them: `copy` or `cut`, then the paths. Throws a DecodeError. */
export function decodeFileList(bytes: Uint8Array): FileList {
  if (bytes.length > MAX_FILE_LIST_BYTES) throw new DecodeError("too-large", `file list of ${bytes.length} bytes`);
  if (bytes.at(-1) !== 0) throw new DecodeError("bad-value", "a file list that does not end");
  const [action, ...paths] = decodeUtf8(bytes).slice(0, -1).split("\0");
  if (action !== "copy" && action !== "cut") throw new DecodeError("bad-value", "a file list without an action");
  if (paths.length > MAX_FILES) throw new DecodeError("too-large", `file list of ${paths.length} files`);
  if (!paths.every(isPlainPath)) throw new DecodeError("bad-value", "a path in a file list that leads elsewhere");
  return { isCut: action === "cut", paths };
}

/** Below the root, whatever it is joined to. */
function isPlainPath(path: string): boolean {
  const [first, ...parts] = path.split("/");
  return first === "" && parts.length > 0 && parts.every((part) => part !== "" && part !== "." && part !== "..");
}
