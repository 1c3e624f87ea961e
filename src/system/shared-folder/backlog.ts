// What a slow reader of one connection leaves lying: a little in memory, more in an unlinked file, and then it is given up.
import type { Socket } from "node:net";
import type { Clock } from "../../support/clock.ts";
import { BackendError } from "../../support/errors.ts";
import { nextDrain } from "../../support/next-drain.ts";
import { DEAD_DISK_BYTES, SLOW_DISK_BYTES, Spool } from "../../support/spool.ts";

/** In the socket's own queue: from here on everybody waits for the reader, if not for long, … */
const SHORT_BYTES = 256 * 1024;
const PATIENCE_MS = 200;
/** … and from here on the spool is used. */
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
  readonly #clock: Clock;
  readonly #drained: () => void;
  readonly #failed: (why: string) => void;
  #spool: Spool | undefined;
  #spooledBytes = 0;
  #isCorked = false;
  /** As long as it runs, the reader may be about to go on: most are no slower than others, only behind for a moment. */
  #patience: Disposable | undefined;
  #isSlow = false;
  #isEnded = false;
  #isOver = false;

  /** `drained` is called when it is no longer full or behind; `failed` when the reader is too slow for good. */
  constructor(socket: Socket, clock: Clock, drained: () => void, failed: (why: string) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#drained = drained;
    this.#failed = failed;
    socket.on("drain", () => this.#endPatience());
    socket.once("close", () => this.#end());
  }

  get isFull(): boolean {
    return this.#spooledBytes > FULL_BYTES;
  }

  /** All are kept waiting for a moment: by a reader that may go on, or by the disk, as what waits for it waits in memory. */
  get isBehind(): boolean {
    return this.#patience !== undefined || this.#isDiskBehind;
  }

  /** It still looks at pieces that it was given. */
  get isHolding(): boolean {
    return !this.#isOver && (this.#spool !== undefined || this.#socket.writableLength > 0);
  }

  get #isDiskBehind(): boolean {
    return (this.#spool?.unflushedBytes ?? 0) > SLOW_DISK_BYTES;
  }

  write(piece: Uint8Array): void {
    if (this.#isOver || this.#isEnded) return;
    if (this.#spool === undefined && this.#socket.writableLength < SOCKET_BYTES) {
      this.#cork();
      this.#socket.write(piece);
      if (this.#socket.writableLength >= SHORT_BYTES) this.#bePatient();
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
    else if (this.#isDiskBehind) this.#spool.flushed().then(this.#drained, () => {});
  }

  /** Ends the socket after all that was written. */
  end(): void {
    this.#isEnded = true;
    if (this.#spool === undefined) this.#socket.end();
    else this.#spool.end();
  }

  /** What comes in one turn goes on in one: a call for each piece is what costs most. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    queueMicrotask(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  #bePatient(): void {
    if (this.#isSlow || this.#patience !== undefined) return;
    this.#patience = this.#clock.after(PATIENCE_MS, () => {
      this.#isSlow = true;
      this.#endPatience();
    });
  }

  #endPatience(): void {
    if (this.#patience === undefined) return;
    this.#patience[Symbol.dispose]();
    this.#patience = undefined;
    this.#drained();
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
      this.#isSlow = false;
      if (this.#isEnded) this.#socket.end();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!this.#isOver) this.#giveUp("its backlog cannot be kept on disk");
    } finally {
      await spool[Symbol.asyncDispose]();
    }
  }

  #room(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
    return nextDrain(socket);
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
    this.#endPatience();
    const spool = this.#spool;
    this.#spool = undefined;
    void spool?.[Symbol.asyncDispose]();
  }
}
