// The X server as the session's desktop, for as long as the session runs: connected, lost, connected again.
import type { DesktopClipboard, DesktopClipboardEvents } from "../../features/desktop-clipboard.ts";
import { type Clock, sleep } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { ClipboardSelection } from "../../wire/agent-constants.ts";
import type { DesktopGeometry } from "../../wire/link/messages.ts";
import { X11Clipboard } from "../clipboard/x11/x11-clipboard.ts";
import { DisplayFollower } from "../display/display-follower.ts";
import { RandrDisplay } from "../display/randr.ts";
import { XConnection } from "./x-connection.ts";

/** Pauses between tries to reach the server, doubling. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5000;
/** For a change of the screen that has begun when it is time to go. */
const FINISH_MS = 1000;

/** One connected desktop. */
export interface Desktop {
  readonly clipboard: DesktopClipboard | undefined;
  readonly display: DisplayFollower | undefined;
}

export interface DesktopEvents {
  readonly clipboard: DesktopClipboardEvents;
  geometry(geometry: DesktopGeometry): void;
  connected(desktop: Desktop): void;
  /** What keeps the display from following; undefined: it follows again. */
  fault(error: BackendError | undefined): void;
  /** All that was on it is gone. */
  lost(): void;
}

export interface X11DesktopOptions {
  /** As in $DISPLAY. */
  readonly display: string;
  /** None: no clipboard at all. */
  readonly selections: readonly ClipboardSelection[];
  readonly resize: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class X11Desktop implements AsyncDisposable {
  readonly #options: X11DesktopOptions;
  readonly #events: DesktopEvents;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /** Begins to connect; returns at once. */
  constructor(options: X11DesktopOptions, events: DesktopEvents) {
    this.#options = options;
    this.#events = events;
    this.#log = options.log.of("display");
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let pauseMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        await using x = await XConnection.open(this.#options.display, signal);
        pauseMs = RETRY_MIN_MS;
        await this.#live(x, signal);
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        if (signal.aborted) return;
        this.#log.warn(`${describeError(error)}: trying again`);
        this.#events.fault(error);
      }
      await sleep(this.#options.clock, pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    }
  }

  async #live(x: XConnection, signal: AbortSignal): Promise<void> {
    const { resize, log, clock } = this.#options;
    const clipboard = await this.#startClipboard(x, signal);
    const monitors = log.of("monitors");
    const follower =
      x.randr === undefined
        ? undefined
        : new DisplayFollower(new RandrDisplay(x, x.randr, monitors), this.#events, monitors);
    if (follower === undefined) {
      this.#log.warn("the X server has no RandR: its size cannot be changed");
      const { width, height } = await x.rootSize();
      this.#events.geometry({ width, height, displays: [{ displayId: 0, x: 0, y: 0, width, height }] });
    }
    const subscription = x.onEvent((event) => {
      if (event.kind === "screen-changed") follower?.changed();
    });
    this.#log.info(`connected to ${this.#options.display}`);
    this.#events.connected({ clipboard, display: resize ? follower : undefined });
    follower?.changed();
    await Promise.race([x.closed, aborted(signal)]);
    subscription[Symbol.dispose]();
    this.#events.lost();
    await clipboard?.[Symbol.asyncDispose]();
    // A change that has begun is finished, so that no screen stays dark; but a server that hangs is not waited for.
    const finished = follower?.[Symbol.asyncDispose]();
    await Promise.race([finished, x.closed, sleep(clock, FINISH_MS, new AbortController().signal)]);
    await x[Symbol.asyncDispose]();
    await finished;
    if (!signal.aborted) throw new BackendError("display.lost", `${this.#options.display} is gone`);
  }

  async #startClipboard(x: XConnection, signal: AbortSignal): Promise<X11Clipboard | undefined> {
    const { selections, clock, log } = this.#options;
    if (selections.length === 0) return undefined;
    const hangUp = (): void => void x[Symbol.asyncDispose]();
    signal.addEventListener("abort", hangUp);
    try {
      return await X11Clipboard.start(x, this.#events.clipboard, { selections, clock, log: log.of("clipboard") });
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
