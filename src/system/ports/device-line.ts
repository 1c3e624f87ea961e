// A virtio port whose host comes and goes: without one it reads as ended and is hung up, and the same descriptor works again
// with the next. What is there is read at once, in large turns and into the same memory: a read gives no more than a page, so
// that many are asked for in one call.
import { constants, readvSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { whoHolds } from "./device-holder.ts";
import { type EdgeWatch, watchEdges } from "./edges.ts";
import type { HostLine, HostLineHandlers } from "./host-line.ts";
import { portError } from "./port.ts";

/** Read before others get a turn. */
const READ_TURN_BYTES = 256 * 1024;
/** What a virtio port gives in one read. The kernel goes on to the next as long as each is full: to the end of a host's write. */
const PAGE_BYTES = 4096;
/** Waiting to be written: from here on the writers are asked to wait. */
const FULL_BYTES = 256 * 1024;

/** Throws a PortError, as `openPort`, and a BackendError `native.*`. */
export async function openDeviceLine(path: string): Promise<HostLine> {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
    return await deviceLine(handle, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    const failure = portError(path, error);
    if (failure.code === "port.busy") failure.message += await whoHolds(path);
    throw failure;
  }
}

/** The handle is the line's from now on. Throws as `watchEdges`. */
export async function deviceLine(handle: FileHandle, path: string): Promise<HostLine> {
  const line = new DeviceLine(handle, path);
  try {
    await line.watch();
  } catch (error) {
    await handle.close();
    throw error;
  }
  return line;
}

class DeviceLine implements HostLine {
  readonly #handle: FileHandle;
  readonly #path: string;
  #handlers: HostLineHandlers | undefined;
  #watch: EdgeWatch | undefined;
  #hasHost = false;
  #isPaused = false;
  #isOver = false;
  #memory: Memory | undefined;
  /** A turn of reading is to come. */
  #turn: NodeJS.Immediate | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async watch(): Promise<void> {
    this.#watch = await watchEdges(this.#handle.fd, (isHungUp) => this.#changed(isHungUp));
  }

  start(handlers: HostLineHandlers): void {
    this.#handlers = handlers;
    this.#readSoon();
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#hasHost) return true;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    // Not behind others: that is for the next edge to say.
    if (this.#queue.length === 1) this.#flush();
    return this.#queuedBytes < FULL_BYTES;
  }

  get taken(): number {
    return this.#taken;
  }

  drained(): Promise<void> {
    if (!this.#hasHost || this.#queuedBytes < FULL_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readSoon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    clearImmediate(this.#turn);
    this.#watch?.[Symbol.dispose]();
    this.#left();
    await this.#handle.close();
  }

  #changed(isHungUp: boolean): void {
    if (this.#isOver || this.#handlers === undefined) return;
    const waiting = this.#queuedBytes;
    this.#flush();
    if (this.#queuedBytes < waiting) this.#taken += 1;
    if (!this.#isPaused) this.#read();
    else if (isHungUp) this.#discard();
  }

  #readSoon(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      if (!this.#isPaused && !this.#isOver) this.#read();
    });
  }

  /** One turn; the next comes by itself until there is nothing more, and then with an edge. */
  #read(): void {
    const { buffer, pages } = this.#memoryToFill();
    const fd = this.#handle.fd;
    const runs: Buffer[] = [];
    let page = 0;
    let isAtEnd = false;
    let isDry = false;
    while (page < pages.length && !isAtEnd && !isDry) {
      const free = page === 0 ? pages : pages.slice(page);
      // Whether there is a host only a read can tell.
      const isEmpty = this.#hasHost && this.#watch?.isReadable() === false;
      const step = isEmpty ? undefined : this.#try(() => readvSync(fd, free));
      if (step === "lost") return;
      if (step === undefined) isDry = true;
      else if (step === 0) isAtEnd = true;
      else {
        runs.push(buffer.subarray(page * PAGE_BYTES, page * PAGE_BYTES + step));
        page += Math.ceil(step / PAGE_BYTES);
      }
    }
    if (runs.length > 0 || isDry) this.#came();
    for (const run of runs) this.#handlers?.data(run);
    if (isAtEnd) this.#left();
    else if (!isDry) this.#readSoon();
  }

  #memoryToFill(): Memory {
    if (this.#memory === undefined || this.#handlers?.isHeld() === true) this.#memory = newMemory();
    return this.#memory;
  }

  /** The host has gone while it was kept waiting. What it has left is for nobody, and the next one's is not to follow on it. */
  #discard(): void {
    const { pages } = newMemory();
    let step: number | "lost" | undefined;
    do step = this.#try(() => readvSync(this.#handle.fd, pages));
    while (typeof step === "number" && step > 0);
    if (step === "lost") return;
    this.#left();
    // The next may have come meanwhile.
    this.#readSoon();
  }

  #came(): void {
    if (this.#hasHost) return;
    this.#hasHost = true;
    this.#handlers?.hostCame();
  }

  #left(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#memory = undefined;
    // It was that host's turn to wait, not the next one's.
    this.#isPaused = false;
    this.#wake();
    if (!this.#hasHost) return;
    this.#hasHost = false;
    this.#handlers?.hostLeft();
  }

  #flush(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const bytes = next;
      const step = this.#try(() => writeSync(this.#handle.fd, bytes));
      if (step === undefined || step === "lost") break;
      this.#queuedBytes -= step;
      if (step < bytes.length) this.#queue[0] = bytes.subarray(step);
      else this.#queue.shift();
    }
    if (this.#queuedBytes < FULL_BYTES) this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Undefined when the call would have blocked. */
  #try(call: () => number): number | "lost" | undefined {
    try {
      return call();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN" || code === "EWOULDBLOCK" || code === "EINTR") return undefined;
      const reason = portError(this.#path, error);
      this.#left();
      this.#handlers?.lost(reason);
      return "lost";
    }
  }
}

interface Memory {
  readonly buffer: Buffer;
  readonly pages: readonly Buffer[];
}

function newMemory(): Memory {
  const buffer = Buffer.allocUnsafeSlow(READ_TURN_BYTES);
  const pages: Buffer[] = [];
  for (let at = 0; at < buffer.length; at += PAGE_BYTES) pages.push(buffer.subarray(at, at + PAGE_BYTES));
  return { buffer, pages };
}
