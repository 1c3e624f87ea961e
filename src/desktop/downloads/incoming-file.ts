// One file on its way to the disk: it has no name, or a hidden one, until all of it is there.
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { namesToTry } from "../../features/file-names.ts";
import { BackendError } from "../../support/errors.ts";
import { openUnnamedFile, type UnnamedFile } from "../../support/native/unnamed-file.ts";
import { OpenFolder } from "./open-folder.ts";

const MODE = 0o644;
/** What a file system says that has no files without a name. */
const NO_UNNAMED = ["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOENT", "ENOSYS"];
const hiddenName = /^\.tsvdagent-([0-9a-f]+)-(\d+)-[0-9a-f-]+\.part$/;
/** Of another start of the machine, or of another machine. */
const STALE_MS = 24 * 60 * 60 * 1000;

export class IncomingFile implements AsyncDisposable {
  readonly #folder: OpenFolder;
  readonly #name: string;
  readonly #draft: Draft;

  private constructor(folder: OpenFolder, name: string, draft: Draft) {
    this.#folder = folder;
    this.#name = name;
    this.#draft = draft;
  }

  /** `parts`: the folders below `root` and the file, as `partsOfName` lets them pass. Throws what Node throws. */
  static async create(root: string, parts: readonly string[]): Promise<IncomingFile> {
    let folder = await OpenFolder.at(root);
    try {
      for (const part of parts.slice(0, -1)) {
        const sub = await folder.sub(part);
        await folder[Symbol.asyncDispose]();
        folder = sub;
      }
      return new IncomingFile(folder, parts.at(-1) ?? "", await openDraft(folder));
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const { bytesWritten } = await this.#draft.handle.write(piece, at);
      at += bytesWritten;
    }
  }

  /** It is whole: gives it its name, or one like it where that is taken. Undefined: all of those are. Overwrites nothing. */
  async keep(): Promise<string | undefined> {
    for (const name of namesToTry(this.#name)) if (await this.#draft.name(name)) return name;
    return undefined;
  }

  /** Without `keep` nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#draft.discard();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** What is there before it has its name. */
interface Draft {
  readonly handle: FileHandle;
  /** False: the name is taken. */
  name(name: string): Promise<boolean>;
  /** Closes it; what has no name of its own by then is gone. */
  discard(): Promise<void>;
}

async function openDraft(folder: OpenFolder): Promise<Draft> {
  try {
    return unnamedDraft(folder, await openUnnamedFile(folder.path, MODE));
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code !== "native.unavailable" && !NO_UNNAMED.includes(code ?? "")) throw error;
    return await hiddenDraft(folder);
  }
}

function unnamedDraft(folder: OpenFolder, { handle, name }: UnnamedFile): Draft {
  return { handle, name: async (text) => name(folder.fd, text), discard: () => handle.close() };
}

/** On file systems that know no better. What a killed process has left is found by its name. */
async function hiddenDraft(folder: OpenFolder): Promise<Draft> {
  await removeLeftovers(folder);
  const { randomUUID } = await import("node:crypto");
  const path = folder.within(`.tsvdagent-${await bootId()}-${process.pid}-${randomUUID()}.part`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(path, flags, MODE);
  let isHidden = true;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= handle.close();
    return closing;
  };
  return {
    handle,
    name: async (name) => {
      try {
        // Taken by an empty file of ours first: a rename would overwrite, and not every file system has hard links.
        await (await open(folder.within(name), flags, MODE)).close();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
      }
      // A file server says only now that it has no room for what was written.
      await close();
      await rename(path, folder.within(name));
      isHidden = false;
      return true;
    },
    discard: async () => {
      await close().catch(() => {});
      if (isHidden) await unlink(path).catch(() => {});
    },
  };
}

/** Those of processes that are no more. */
async function removeLeftovers(folder: OpenFolder): Promise<void> {
  const boot = await bootId();
  for (const name of await readdir(folder.path).catch(() => [])) {
    const [, itsBoot, pid] = hiddenName.exec(name) ?? [];
    if (pid === undefined) continue;
    const path = folder.within(name);
    const isLeft = itsBoot === boot ? !isAlive(Number(pid)) : await isStale(path);
    if (isLeft) await unlink(path).catch(() => {});
  }
}

async function bootId(): Promise<string> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => "0");
  return text.replace(/[^0-9a-f]/g, "").slice(0, 12);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isStale(path: string): Promise<boolean> {
  const { mtimeMs } = await lstat(path);
  return Date.now() - mtimeMs > STALE_MS;
}

/** The name of what the operating system has refused with; undefined: it was none of its refusals. */
export function errnoOf(error: unknown): string | undefined {
  const { code, errno } = error as { readonly code?: unknown; readonly errno?: unknown };
  if (error instanceof BackendError) return typeof errno === "string" ? errno : undefined;
  return typeof code === "string" ? code : undefined;
}
