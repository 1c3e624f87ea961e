// A file without a name (O_TMPFILE) and the call that gives it one: whatever becomes of us, nothing of it is left behind.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type Libc, libc, NativeFailure } from "./libc.ts";

/** asm-generic/fcntl.h: __O_TMPFILE with O_DIRECTORY, which Node does not name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

export interface UnnamedFile {
  readonly handle: FileHandle;
  /** False: there is something of that name in the folder; what it is does not matter. Throws a BackendError `native.failed`. */
  name(folderFd: number, name: string): boolean;
}

/**
 * In the folder at `path`. Throws what Node throws where the file system has no such files (EOPNOTSUPP, EISDIR, …), and a
 * BackendError `native.unavailable` without koffi.
 */
export async function openUnnamedFile(path: string, mode: number): Promise<UnnamedFile> {
  const native: Libc = await libc();
  const handle = await open(path, O_TMPFILE | constants.O_WRONLY, mode);
  return {
    handle,
    name: (folderFd, name) => {
      try {
        native.linkat(AT_FDCWD, `/proc/self/fd/${handle.fd}`, folderFd, name, AT_SYMLINK_FOLLOW);
        return true;
      } catch (error) {
        if (error instanceof NativeFailure && error.errno === "EEXIST") return false;
        throw error;
      }
    },
  };
}
