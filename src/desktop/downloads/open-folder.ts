// A folder that is held open: what is done in it is done there, whatever becomes of its name meanwhile.
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";

/** linux/fcntl.h; Node does not name it. Enough to reach what is in a folder, also in one that may not be listed. */
const O_PATH = 0o10000000;
const FOLDER = O_PATH | constants.O_DIRECTORY;

export class OpenFolder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Of the user's own choice: links on the way there are followed. Made if it is missing. Throws what Node throws. */
  static async at(path: string): Promise<OpenFolder> {
    await mkdir(path, { recursive: true });
    return new OpenFolder(await open(path, FOLDER));
  }

  get fd(): number {
    return this.#handle.fd;
  }

  /** A path to the folder itself. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** A path to something directly in it; `name` must not have a slash. */
  within(name: string): string {
    return `${this.path}/${name}`;
  }

  /** A folder in it, made if it is missing. ENOTDIR or ELOOP: something else is in the way, or a link. */
  async sub(name: string): Promise<OpenFolder> {
    const path = this.within(name);
    const enter = async (): Promise<OpenFolder> => new OpenFolder(await open(path, FOLDER | constants.O_NOFOLLOW));
    try {
      return await enter();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    try {
      await mkdir(path);
    } catch (error) {
      // Another file's, a moment ago.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    return enter();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
