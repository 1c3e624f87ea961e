// A body that comes without credit: kept until it is taken, for the frames behind it must not wait.
import { BackendError } from "../errors.ts";
import { DEAD_DISK_BYTES, Spool } from "../spool.ts";
import type { IncomingBody, TakePiece } from "./dialect.ts";

export class SpooledBody implements IncomingBody {
  readonly id: number;
  readonly #spool = new Spool();

  constructor(id: number) {
    this.id = id;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.#spool) yield piece;
    } finally {
      await this.#spool[Symbol.asyncDispose]();
    }
  }

  async pour(take: TakePiece): Promise<void> {
    for await (const piece of this) await take(piece, true);
  }

  cancel(): void {
    void this.#spool[Symbol.asyncDispose]();
  }

  /** `isKept`: its memory is the body's from here on. */
  write(piece: Uint8Array, isKept: boolean): void {
    if (isKept) this.#spool.write(piece);
    else this.#spool.writeCopy(piece);
    if (this.#spool.unflushedBytes > DEAD_DISK_BYTES) this.fail("the disk does not keep up");
  }

  end(): void {
    this.#spool.end();
  }

  fail(reason = "the link is gone"): void {
    this.#spool.fail(new BackendError("body.failed", reason));
  }
}
