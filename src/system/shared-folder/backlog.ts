// What a slow reader of one connection leaves lying: a little in memory, more in an unlinked file, and then it is given up.
import type { Socket } from "node:net";
import { DEAD_DISK_BYTES, SLOW_DISK_BYTES, Spool } from "../../support/spool.ts";

/** In the socket's own queue, before the spool is used. */
const SOCKET_BYTES = 1024 * 1024;
/** From here on the reader has enough: the host may be kept waiting if nobody else wants anything. */
const FULL_BYTES = 4 * 1024 * 1024;
/** Of one reader, and of all. */
const MAX_BYTES = 512 * 1024 * 1024;
const MAX_TOTAL_BYTES = 2 * 1024 * 1024 * 1024;

let totalBytes = 0;

/** Writes to a socket without ever being waited for. */
export class Backlog {
  readonly #socket: Socket;
  readonly #drained: () => void;
  readonly #failed: (why: string) => void;
  #spool: Spool | undefined;
  #spooledBytes = 0;
  #isEnded = false;
  #isOver = false;

  /** `drained` is called when it is no longer full or behind; `failed` when the reader is too slow for good. */
  constructor(socket: Socket, drained: () => void, failed: (why: string) => void) {
    this.#socket = socket;
    this.#drained = drained;
    this.#failed = failed;
    socket.once("close", () => this.#end());
  }

  get isFull(): boolean {
    return this.#spooledBytes > FULL_BYTES;
  }

  /** What waits for the disk waits in memory: all are kept waiting by that, if only for a moment. */
  get isBehind(): boolean {
    return (this.#spool?.unflushedBytes ?? 0) > SLOW_DISK_BYTES;
  }

  write(piece: Uint8Array): void {
    if (this.#isOver || this.#isEnded) return;
    if (this.#spool === undefined && this.#socket.writableLength < SOCKET_BYTES) {
      this.#socket.write(piece);
      return;
    }
    if (this.#spool === undefined) {
      this.#spool = new Spool({ eager: true });
      void this.#pump(this.#spool);
    }
    this.#spool.write(piece);
    this.#count(piece.length);
    if (this.#spooledBytes > MAX_BYTES || totalBytes > MAX_TOTAL_BYTES) this.#giveUp("it reads too slowly");
    else if (this.#spool.unflushedBytes > DEAD_DISK_BYTES) this.#giveUp("the disk is too slow for it");
    // What it fails with, the reader is told.
    else if (this.isBehind) this.#spool.flushed().then(this.#drained, () => {});
  }

  /** Ends the socket after all that was written. */
  end(): void {
    this.#isEnded = true;
    if (this.#spool === undefined) this.#socket.end();
    else this.#spool.end();
  }

  async #pump(spool: Spool): Promise<void> {
    try {
      for (;;) {
        // Until the socket has room nothing is read back: what waits here is counted, what waits there is not.
        await this.#room();
        if (this.#isOver) return;
        if (this.#spooledBytes === 0 && !this.#isEnded) break;
        const piece = await spool.read();
        if (piece === undefined) break;
        if (this.#isOver) return;
        this.#socket.write(piece);
        const wasFull = this.isFull;
        this.#count(-piece.length);
        if (wasFull && !this.isFull) this.#drained();
      }
      this.#spool = undefined;
      if (this.#isEnded) this.#socket.end();
    } catch {
      if (!this.#isOver) this.#giveUp("its backlog cannot be kept on disk");
    } finally {
      await spool[Symbol.asyncDispose]();
    }
  }

  #room(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  #count(bytes: number): void {
    this.#spooledBytes += bytes;
    totalBytes += bytes;
  }

  #giveUp(why: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#failed(why);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#count(-this.#spooledBytes);
    const spool = this.#spool;
    this.#spool = undefined;
    void spool?.[Symbol.asyncDispose]();
  }
}
