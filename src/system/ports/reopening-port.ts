// A port that is kept open while it is wanted: whatever closes it, it is opened again, at once or with growing pauses.
import type { Duplex } from "node:stream";
import { type Clock, sleep } from "../../support/clock.ts";
import { describeError, PortError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { nextDrain } from "../../support/next-drain.ts";
import type { OpenPort, PortOpener } from "./port.ts";

/** Pauses between tries, doubling. */
const REOPEN_MIN_MS = 10;
const REOPEN_MAX_MS = 2000;

export interface ReopeningPortHandlers {
  opened(): void;
  /** A view, good until this turn is over. A PortError thrown from here closes the port, to be opened again. */
  data(bytes: Uint8Array): void;
  closed(): void;
}

export class ReopeningPort implements AsyncDisposable {
  readonly #open: PortOpener;
  readonly #handlers: ReopeningPortHandlers;
  readonly #clock: Clock;
  readonly #log: Log;
  #stop: AbortController | undefined;
  #stream: Duplex | undefined;
  #closeNow: ((reason: PortError) => void) | undefined;
  #holding: Disposable | undefined;
  #pauseMs = REOPEN_MIN_MS;
  #running: Promise<void> = Promise.resolve();
  #fault: PortError | undefined;

  constructor(open: PortOpener, handlers: ReopeningPortHandlers, clock: Clock, log: Log) {
    this.#open = open;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to open; returns at once. */
  start(): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#running = this.#running.then(() => this.#run(stop.signal));
  }

  /** Closes it, until the next start. */
  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  /** What has closed it last, or keeps it closed; undefined once the host has shown that it is one. */
  get fault(): PortError | undefined {
    return this.#fault;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  /** The host has shown that it is one: the next failure is a first failure again. */
  confirm(): void {
    this.#pauseMs = REOPEN_MIN_MS;
    this.#fault = undefined;
  }

  /**
   * The pieces go out together. False: wait for `drained` before the next. Without an open port the bytes go nowhere, as
   * without a viewer. `onTaken`: the host has them; of a port that is closed meanwhile it is not said.
   */
  write(pieces: readonly Uint8Array[], onTaken?: () => void): boolean {
    const stream = this.#stream;
    if (stream === undefined) return true;
    const last = pieces.length - 1;
    const taken = (error: Error | null | undefined): void => {
      if (!error) onTaken?.();
    };
    stream.cork();
    let hasRoom = true;
    for (const [index, piece] of pieces.entries())
      hasRoom = index === last ? stream.write(piece, taken) : stream.write(piece);
    stream.uncork();
    return hasRoom;
  }

  /** Resolves when the port takes more, or is gone. */
  drained(): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined || !stream.writableNeedDrain) return Promise.resolve();
    return nextDrain(stream);
  }

  /** Lets the host wait for at most this long. */
  hold(timeMs: number): void {
    const stream = this.#stream;
    if (stream === undefined || stream.isPaused()) return;
    stream.pause();
    this.#holding = this.#clock.after(timeMs, () => stream.resume());
  }

  /** Closes the port; it is opened again. */
  reset(reason: PortError): void {
    this.#closeNow?.(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await using port = await this.#open(signal);
        await this.#hold(port, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof PortError)) throw error;
        this.#fault = error;
        this.#log.warn(`${describeError(error)}: trying again`);
      }
      await sleep(this.#clock, this.#pauseMs, signal);
      this.#pauseMs = Math.min(this.#pauseMs * 2, REOPEN_MAX_MS);
    }
  }

  /** Lives as long as one opening does. */
  async #hold(port: OpenPort, signal: AbortSignal): Promise<void> {
    const { stream } = port;
    let reason: PortError | undefined;
    const closed = new Promise<void>((resolve) => {
      const finish = (): void => {
        signal.removeEventListener("abort", finish);
        resolve();
      };
      this.#closeNow = (why) => {
        reason ??= why;
        finish();
      };
      stream.on("close", finish);
      stream.on("end", finish);
      signal.addEventListener("abort", finish);
      if (signal.aborted || stream.destroyed) finish();
    });
    this.#stream = stream;
    this.#log.info("open");
    this.#handlers.opened();
    stream.on("data", (bytes: Uint8Array) => {
      if (reason !== undefined) return;
      try {
        this.#handlers.data(bytes);
      } catch (error) {
        if (!(error instanceof PortError)) throw error;
        this.#closeNow?.(error);
      }
    });
    stream.resume();
    await closed;
    stream.removeAllListeners("data");
    this.#holding?.[Symbol.dispose]();
    this.#stream = undefined;
    this.#closeNow = undefined;
    this.#handlers.closed();
    if (signal.aborted) return;
    throw reason ?? new PortError("port.hung-up", "the host closed the port");
  }
}
