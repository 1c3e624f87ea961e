// The port of the viewer's folder, held from the moment it is there: the viewer offers files to copy only while it is.
import { type FSWatcher, watch } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Clock, sleep } from "../../support/clock.ts";
import { BackendError, describeError, PortError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { HostLine } from "../ports/host-line.ts";
import { portError } from "../ports/port.ts";
import { openSocketLine } from "../ports/socket-line.ts";

/** Pauses between tries, doubling. A port that is not there is waited for without. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;
const NOTHING_THERE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

export interface SharePortHandlers {
  hostCame(line: HostLine): void;
  /** As a line's. */
  data(bytes: Uint8Array): void;
  isHeld(): boolean;
  hostLeft(): void;
}

export class SharePort implements AsyncDisposable {
  readonly path: string;
  readonly #handlers: SharePortHandlers;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #tried = (): void => {};
  /** Resolves when it is held for the first time, or cannot be yet. */
  readonly tried = new Promise<void>((resolve) => {
    this.#tried = resolve;
  });
  #isHeld = false;
  #pauseMs = RETRY_MIN_MS;
  #letGo = (): void => {};
  #fault: PortError | BackendError | undefined;

  constructor(path: string, handlers: SharePortHandlers, clock: Clock, log: Log) {
    this.path = path;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#log = log;
    this.#running = this.#run(this.#stop.signal);
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What keeps it from being held. */
  get fault(): PortError | BackendError | undefined {
    return this.#fault;
  }

  /** Closes and opens it: what has come of a frame, and what the host knows of us, may be of another time. */
  beginAnew(): void {
    this.#pauseMs = RETRY_MIN_MS;
    this.#letGo();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await using line = await openLine(this.path, signal);
        await this.#hold(line, signal);
      } catch (error) {
        if (signal.aborted) return this.#tried();
        if (!(error instanceof PortError || error instanceof BackendError)) throw error;
        this.#tried();
        const isNews = error.code !== this.#fault?.code;
        this.#fault = error;
        if (error.code === "port.missing") {
          if (isNews) this.#log.info(`${describeError(error)}: waiting for it`);
          // Whatever is there but cannot be had is tried now and then.
          if (NOTHING_THERE.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "")) {
            await appeared(this.path, this.#clock, signal);
            continue;
          }
        } else if (isNews) this.#log.warn(`${describeError(error)}: trying again`);
      }
      await sleep(this.#clock, this.#pauseMs, signal);
      this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MAX_MS);
    }
  }

  async #hold(line: HostLine, signal: AbortSignal): Promise<void> {
    this.#isHeld = true;
    this.#fault = undefined;
    this.#log.info("port held");
    this.#tried();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#letGo = () => resolve();
        signal.addEventListener("abort", this.#letGo);
        if (signal.aborted) return resolve();
        line.start({
          hostCame: () => this.#handlers.hostCame(line),
          data: (bytes) => {
            // Somebody is there: the next failure is a first failure again. Who only opens and closes shows nothing.
            this.#pauseMs = RETRY_MIN_MS;
            this.#handlers.data(bytes);
          },
          isHeld: () => this.#handlers.isHeld(),
          hostLeft: () => this.#handlers.hostLeft(),
          lost: reject,
        });
      });
    } finally {
      signal.removeEventListener("abort", this.#letGo);
      this.#isHeld = false;
    }
  }
}

async function openLine(path: string, signal: AbortSignal): Promise<HostLine> {
  const found = await stat(path).catch((error: unknown) => {
    throw portError(path, error);
  });
  if (found.isSocket()) return openSocketLine(path, signal);
  if (!found.isCharacterDevice())
    throw new PortError("port.not-a-port", `${path} is neither a character device nor a unix socket`);
  // The native part is loaded where there is a device to read, and nowhere else.
  const { openDeviceLine } = await import("../ports/device-line.ts");
  return openDeviceLine(path);
}

/** Resolves when there may be something at the path: something has changed in the nearest folder that there is. */
async function appeared(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  let folder = dirname(path);
  while (folder !== "/" && !(await isThere(folder))) folder = dirname(folder);
  let watcher: FSWatcher;
  try {
    watcher = watch(folder);
  } catch {
    // Not ours to read, gone again, or the user has no watch left.
    return sleep(clock, RETRY_MAX_MS, signal);
  }
  await new Promise<void>((resolve) => {
    const done = (): void => {
      watcher.close();
      signal.removeEventListener("abort", done);
      resolve();
    };
    watcher.on("change", done);
    watcher.on("error", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
    // It may have come before the watch did.
    else void isThere(path).then((isHere) => isHere && done());
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
