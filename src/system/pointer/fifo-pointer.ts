// The pointer of Xspice: a FIFO that takes raw `struct input_event`s. Nobody reading it is no error, only no pointer.
import { close, constants, fstat, open, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { InputEvent } from "../../features/pointer.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { encodeInputEvents } from "./input-event.ts";
import type { PointerDevice } from "./pointer-device.ts";

export class FifoPointer implements PointerDevice {
  readonly #path: string;
  readonly #log: Log;
  #fd: number | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;
  /** Why it is not open, as it was told last. */
  #told = "";

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Opens it if there is a reader; without one, or without a FIFO yet, the next event tries again. */
  open(): Promise<void> {
    this.#opening ??= this.#tryOpen().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Xspice takes pixels as they are. */
  setRange(): void {}

  /** Events that no one can take are dropped, and false is returned: a pointer's past is of no use. */
  emit(events: readonly InputEvent[]): boolean {
    if (this.#fd === undefined) {
      this.open().catch((error: unknown) => this.#tell(describeError(error)));
      return false;
    }
    try {
      writeSync(this.#fd, encodeInputEvents(events));
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") return false;
      this.#log.warn(`${this.#path}: ${code ?? error}: waiting for a reader`);
      this.#release();
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => {});
    this.#release();
  }

  #release(): void {
    if (this.#fd !== undefined) close(this.#fd, () => {});
    this.#fd = undefined;
  }

  /** Not with every move of the pointer. */
  #tell(why: string): void {
    if (why !== this.#told) this.#log.warn(why);
    this.#told = why;
  }

  async #tryOpen(): Promise<void> {
    try {
      const fd = await openForWriting(this.#path);
      if (this.#closed) close(fd, () => {});
      else this.#fd = fd;
      this.#told = "";
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // A FIFO that nobody reads yet; one that is yet to be made.
      if (code === "ENXIO") return;
      if (code === "ENOENT") return this.#tell(`${this.#path} is not there: waiting for it`);
      if (error instanceof BackendError) throw error;
      throw new BackendError("pointer.unavailable", message, { cause: error });
    }
  }
}

/** Only a FIFO will do: events written into a file by mistake would be lost and the file with them. */
async function openForWriting(path: string): Promise<number> {
  const fd = await promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const isFifo = await promisify(fstat)(fd).then(
    (found) => found.isFIFO(),
    () => false,
  );
  if (isFifo) return fd;
  close(fd, () => {});
  throw new BackendError("pointer.unavailable", `${path} is no FIFO`);
}
