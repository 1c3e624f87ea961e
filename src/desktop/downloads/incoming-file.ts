// One file that is dropped: where it goes, and by which name.
import { namesToTry } from "../../features/file-names.ts";
import { type DraftFile, openDraft } from "../draft-file.ts";
import { OpenFolder } from "./open-folder.ts";

const MODE = 0o644;

export class IncomingFile implements AsyncDisposable {
  readonly #folder: OpenFolder;
  readonly #name: string;
  readonly #draft: DraftFile;

  private constructor(folder: OpenFolder, name: string, draft: DraftFile) {
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
      return new IncomingFile(folder, parts.at(-1) ?? "", await openDraft(folder, MODE));
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
