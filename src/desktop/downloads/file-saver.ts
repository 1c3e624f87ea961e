// Saves the viewer's files: name, room, size and disk, until there is one outcome.
import { statfs } from "node:fs/promises";
import { partsOfName } from "../../features/file-names.ts";
import { CANCELLED, type FileOutcome, failedWith, SAVED } from "../../features/file-outcome.ts";
import { BackendError } from "../../support/errors.ts";
import { errnoOf } from "../../support/native/libc.ts";
import { FileXferStatus, GioError } from "../../wire/agent-constants.ts";
import { IncomingFile } from "./incoming-file.ts";
import { OpenFolder } from "./open-folder.ts";

export interface FileToSave {
  /** The viewer's, unchecked. */
  readonly name: string;
  readonly size: bigint;
  /** Aborted: nobody wants it any more. */
  readonly signal: AbortSignal;
  /** It can be saved: its bytes may come. Throws a BackendError when they will not. */
  accept(): Promise<AsyncIterable<Uint8Array>>;
  /** So many bytes more are on the disk. */
  progressed(bytes: number): void;
}

export interface FileEnd {
  readonly outcome: FileOutcome;
  /** Of a file that was saved: the name it has got, without folders. */
  readonly name?: string;
  /** Of a file that was not: what the system said, for the log. */
  readonly detail?: string;
}

const gioErrors: Readonly<Record<string, number>> = {
  ENOENT: GioError.NOT_FOUND,
  EEXIST: GioError.EXISTS,
  ENOTDIR: GioError.NOT_DIRECTORY,
  ELOOP: GioError.NOT_DIRECTORY,
  ENAMETOOLONG: GioError.FILENAME_TOO_LONG,
  EINVAL: GioError.INVALID_FILENAME,
  EILSEQ: GioError.INVALID_FILENAME,
  EACCES: GioError.PERMISSION_DENIED,
  EPERM: GioError.PERMISSION_DENIED,
  EROFS: GioError.READ_ONLY,
  EMFILE: GioError.TOO_MANY_OPEN_FILES,
  ENFILE: GioError.TOO_MANY_OPEN_FILES,
};

const UNKNOWN_BYTES = 2n ** 64n - 1n;

export class FileSaver {
  readonly #folder: string;
  /** What the files under way still need. */
  #promisedBytes = 0n;

  /** An absolute path. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Never throws for what the viewer or the disk does. */
  async save(file: FileToSave): Promise<FileEnd> {
    const parts = partsOfName(file.name);
    if ("result" in parts) return { outcome: parts };
    let leftBytes = file.size;
    let promised = 0n;
    const promise = (bytes: bigint): void => {
      this.#promisedBytes += bytes - promised;
      promised = bytes;
    };
    try {
      const freeBytes = await this.#freeBytes();
      if (freeBytes < file.size) return { outcome: noSpace(freeBytes) };
      promise(leftBytes);
      await using target = await IncomingFile.create(this.#folder, parts);
      for await (const piece of await file.accept()) {
        if (BigInt(piece.length) > leftBytes)
          return { outcome: failedWith(GioError.FAILED), detail: "more than announced" };
        await target.write(piece);
        leftBytes -= BigInt(piece.length);
        promise(leftBytes);
        file.progressed(piece.length);
      }
      if (leftBytes > 0n) return { outcome: failedWith(GioError.FAILED), detail: "less than announced" };
      if (file.signal.aborted) return { outcome: CANCELLED };
      const name = await target.keep();
      return name === undefined ? { outcome: failedWith(GioError.EXISTS) } : { outcome: SAVED, name };
    } catch (error) {
      promise(0n);
      return await this.#failed(error, file.signal);
    } finally {
      promise(0n);
    }
  }

  async #failed(error: unknown, { aborted }: AbortSignal): Promise<FileEnd> {
    if (aborted) return { outcome: CANCELLED };
    const errno = errnoOf(error);
    if (errno === "ENOSPC" || errno === "EDQUOT") {
      // The part that was written is gone by now, and has made room again.
      return { outcome: noSpace(await this.#freeBytes().catch(() => 0n)), detail: errno };
    }
    if (errno !== undefined) return { outcome: failedWith(gioErrors[errno] ?? GioError.FAILED), detail: errno };
    if (error instanceof BackendError) return { outcome: failedWith(GioError.FAILED), detail: error.code };
    throw error;
  }

  /** Of what nobody was promised. */
  async #freeBytes(): Promise<bigint> {
    await using folder = await OpenFolder.at(this.#folder);
    const { blocks, bavail, bsize } = await statfs(folder.path, { bigint: true });
    // A file system that does not say how large it is: it is tried.
    if (blocks === 0n) return UNKNOWN_BYTES;
    const free = bavail * bsize - this.#promisedBytes;
    return free > 0n ? free : 0n;
  }
}

function noSpace(freeBytes: bigint): FileOutcome {
  return { result: FileXferStatus.NOT_ENOUGH_SPACE, freeBytes };
}
