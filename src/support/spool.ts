// A body on its way between two speeds: written as it arrives, read as it is wanted.
// What the reader leaves lying is kept in memory up to a bound and beyond it in an unlinked file.
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackendError } from "./errors.ts";

/** Bytes kept in memory before the file is used. */
export const SPOOL_MEMORY_BYTES = 1024 * 1024;
/** Bytes that wait for the disk: from here on whoever writes is slowed down, and from there on the body is given up. */
export const SLOW_DISK_BYTES = 4 * 1024 * 1024;
export const DEAD_DISK_BYTES = 64 * 1024 * 1024;
/** Bytes that go to or come from the file at once. */
const FILE_STEP_BYTES = 512 * 1024;
/** Small pieces are gathered into blocks: a body may come a byte at a time, and each piece has a price of its own. */
const BLOCK_BYTES = 64 * 1024;
const KEPT_PIECE_BYTES = 32 * 1024;
/** Steps, and blocks, that wait to be filled again. */
const MAX_FREE_STEPS = 3;
const MAX_FREE_BLOCKS = 64;

/** First in, first out. One writer, one reader. */
export class Spool implements AsyncDisposable {
  readonly #isEager: boolean;
  #block: Uint8Array | undefined;
  #blockFill = 0;
  /** Blocks that have been read or written out. */
  #free: Uint8Array[] = [];
  readonly #freeSteps: Buffer[] = [];
  /** Memory that is ours: pieces that were written come back, too, and are somebody else's. */
  readonly #steps = new WeakSet<ArrayBufferLike>();
  #head: Uint8Array[] = [];
  #headBytes = 0;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #file: FileHandle | undefined;
  #fileStart = 0;
  #fileEnd = 0;
  #flushing: Promise<void> | undefined;
  #ended = false;
  #failure: BackendError | undefined;
  #wake: (() => void) | undefined;
  #written = 0;
  #completed: () => void = () => {};
  readonly #complete = new Promise<void>((resolve) => {
    this.#completed = resolve;
  });

  /** `eager`: read without waiting for blocks to be full, for what has no end that is known. */
  constructor({ eager = false }: { readonly eager?: boolean } = {}) {
    this.#isEager = eager;
  }

  /** Bytes written so far. */
  get writtenBytes(): number {
    return this.#written;
  }

  /** Bytes waiting in memory for the file: what a writer with a say in it should hold back for. */
  get unflushedBytes(): number {
    return this.#tailBytes;
  }

  /** Never waits. A small piece is copied; the memory of one of 32 KiB or more is the spool's from here on. */
  write(piece: Uint8Array): void {
    if (this.#ended || this.#failure !== undefined || piece.length === 0) return;
    this.#written += piece.length;
    if (piece.length < KEPT_PIECE_BYTES) this.#gather(piece);
    else {
      this.#sealBlock();
      for (let at = 0; at < piece.length; at += BLOCK_BYTES) this.#queue(piece.subarray(at, at + BLOCK_BYTES));
    }
    this.#notify();
  }

  /** As `write`, of memory that is the caller's. */
  writeCopy(piece: Uint8Array): void {
    if (this.#ended || this.#failure !== undefined || piece.length === 0) return;
    this.#written += piece.length;
    this.#gather(piece);
    this.#notify();
  }

  /** Resolves when the disk has taken what it was given last. Throws what the body has failed with. */
  async flushed(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** All is written. */
  end(): void {
    this.#ended = true;
    this.#completed();
    this.#notify();
  }

  /** Resolves when all is written, or nothing more will be. */
  complete(): Promise<void> {
    return this.#complete;
  }

  /** The rest will not come: the reader gets this error at once. */
  fail(error: BackendError): void {
    this.#failure ??= error;
    this.#completed();
    this.#head = [];
    this.#tail = [];
    this.#tailBytes = 0;
    this.#block = undefined;
    this.#free = [];
    this.#notify();
  }

  /** All that can be read at once, as it lies there: for one write of many pieces, without a copy. */
  takeWaiting(): readonly Uint8Array[] {
    const pieces = this.#head;
    this.#head = [];
    this.#headBytes = 0;
    for (let piece = this.#takeRest(); piece !== undefined; piece = this.#takeRest()) pieces.push(piece);
    return pieces;
  }

  /** The next bytes, of many small pieces up to 512 KiB at once; undefined at the end. Throws what `fail` was given. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const head = this.#takeHead();
      if (head !== undefined) return head;
      // No waiting but for the file's own bytes: what is written between two looks would be overtaken or overlooked.
      if (this.#file !== undefined && this.#fileStart < this.#fileEnd) return this.#takeFile(this.#file);
      const piece = this.#takeRest();
      if (piece !== undefined) return piece;
      if (this.#ended && this.#flushing === undefined) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The reader looks at this piece no more: its memory is written over. */
  giveBack(piece: Uint8Array): void {
    const { buffer } = piece;
    if (this.#steps.has(buffer) && this.#freeSteps.length < MAX_FREE_STEPS) this.#freeSteps.push(Buffer.from(buffer));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) yield piece;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new BackendError("body.failed", "given up"));
    await this.#flushing;
    await this.#file?.close();
    this.#file = undefined;
    this.#head = [];
    this.#tail = [];
    this.#block = undefined;
  }

  #gather(piece: Uint8Array): void {
    for (let rest = piece; rest.length > 0; ) {
      this.#block ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      const part = rest.subarray(0, BLOCK_BYTES - this.#blockFill);
      this.#block.set(part, this.#blockFill);
      this.#blockFill += part.length;
      rest = rest.subarray(part.length);
      if (this.#blockFill === BLOCK_BYTES) this.#sealBlock();
    }
  }

  #sealBlock(): void {
    if (this.#block !== undefined && this.#blockFill > 0) this.#queue(this.#block.subarray(0, this.#blockFill));
    this.#block = undefined;
    this.#blockFill = 0;
  }

  #queue(block: Uint8Array): void {
    const drained = this.#fileStart === this.#fileEnd && this.#tailBytes === 0;
    if (drained && this.#headBytes < SPOOL_MEMORY_BYTES) {
      this.#fileStart = 0;
      this.#fileEnd = 0;
      this.#head.push(block);
      this.#headBytes += block.length;
      return;
    }
    this.#tail.push(block);
    this.#tailBytes += block.length;
    if (this.#tailBytes >= FILE_STEP_BYTES) this.#flushing ??= this.#flush();
  }

  /** What has been copied away is written over: of a body of hundreds of megabytes garbage would be collected late. */
  #reuse(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      const isWhole = piece.length === BLOCK_BYTES && piece.buffer.byteLength === BLOCK_BYTES;
      if (isWhole && this.#free.length < MAX_FREE_BLOCKS) this.#free.push(piece);
    }
  }

  #takeHead(): Uint8Array | undefined {
    if (this.#head.length === 0) return undefined;
    let count = 0;
    let bytes = 0;
    for (const { length } of this.#head) {
      if (count > 0 && bytes + length > FILE_STEP_BYTES) break;
      bytes += length;
      count += 1;
    }
    const pieces = this.#head.splice(0, count);
    this.#headBytes -= bytes;
    // A few large writes go out quicker than many small ones, by more than the copy costs.
    if (pieces.length === 1) return pieces[0];
    const all = this.#step(bytes);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#reuse(pieces);
    return all;
  }

  /** So much memory: of a step where that is most of it. */
  #step(bytes: number): Buffer {
    if (bytes <= FILE_STEP_BYTES / 2) return Buffer.allocUnsafeSlow(bytes);
    const step = this.#freeSteps.pop() ?? Buffer.allocUnsafeSlow(FILE_STEP_BYTES);
    this.#steps.add(step.buffer);
    return step.subarray(0, bytes);
  }

  async #takeFile(file: FileHandle): Promise<Uint8Array> {
    const size = Math.min(this.#fileEnd - this.#fileStart, FILE_STEP_BYTES);
    const { bytesRead, buffer } = await file
      .read(this.#step(size), 0, size, this.#fileStart)
      .catch((cause: unknown) => {
        throw new BackendError("body.failed", "cannot read the body back from disk", { cause });
      });
    if (bytesRead === 0) throw new BackendError("body.failed", "the spool file is shorter than what was written");
    this.#fileStart += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  #takeRest(): Uint8Array | undefined {
    return this.#takeTail() ?? this.#takeBlock();
  }

  /** What has not gone to the file yet follows directly on what was read from it. */
  #takeTail(): Uint8Array | undefined {
    if (this.#flushing !== undefined || this.#fileStart !== this.#fileEnd) return undefined;
    const piece = this.#tail.shift();
    if (piece !== undefined) this.#tailBytes -= piece.length;
    return piece;
  }

  /** The last block comes when it is full or nothing more will: what is read in morsels is slow to pass on. */
  #takeBlock(): Uint8Array | undefined {
    if (!(this.#ended || this.#isEager) || this.#block === undefined || this.#blockFill === 0) return undefined;
    if (this.#flushing !== undefined || this.#tailBytes > 0 || this.#fileStart !== this.#fileEnd) return undefined;
    const piece = this.#block.subarray(0, this.#blockFill);
    this.#block = undefined;
    this.#blockFill = 0;
    return piece;
  }

  async #flush(): Promise<void> {
    try {
      this.#file ??= await openUnlinked();
      while (this.#tailBytes >= FILE_STEP_BYTES && this.#failure === undefined) {
        const pieces = this.#tail;
        const bytes = this.#tailBytes;
        this.#tail = [];
        const { bytesWritten } = await this.#file.writev(pieces, this.#fileEnd);
        if (this.#failure !== undefined) return;
        if (bytesWritten !== bytes) throw new Error(`${bytesWritten} of ${bytes} bytes written`);
        this.#reuse(pieces);
        this.#fileEnd += bytes;
        this.#tailBytes -= bytes;
        this.#notify();
      }
    } catch (error) {
      this.fail(new BackendError("body.failed", "cannot keep the body on disk", { cause: error }));
    } finally {
      this.#flushing = undefined;
      this.#notify();
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** A file without a name, 0600: gone when it is closed, whatever becomes of us. */
async function openUnlinked(): Promise<FileHandle> {
  // Loaded here: most bodies fit in memory, and OpenSSL takes some of it.
  const { randomUUID } = await import("node:crypto");
  // A name nobody can guess: in a folder for everybody, one that is taken already would fail the body.
  const path = join(tmpdir(), `tsvdagent-${randomUUID()}.spool`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
