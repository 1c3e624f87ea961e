// The X server as the session's desktop, for as long as the session runs: connected, lost, connected again.
import type x11 from "x11";
import type { DesktopClipboard, DesktopClipboardEvents } from "../../features/desktop-clipboard.ts";
import { aborted } from "../../support/aborted.ts";
import { type Clock, sleep } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { ClipboardSelection } from "../../wire/agent-constants.ts";
import type { GraphicsDeviceInfo } from "../../wire/graphics-device-info.ts";
import type { DesktopGeometry } from "../../wire/link/messages.ts";
import type { MonitorsConfig } from "../../wire/monitors-config.ts";
import { X11Clipboard } from "../clipboard/x11/x11-clipboard.ts";
import { DisplayFollower } from "../display/display-follower.ts";
import { DisplayOwners } from "../display/display-owners.ts";
import { RandrDisplay } from "../display/randr.ts";
import { windowManagerName } from "./window-manager.ts";
import { XConnection } from "./x-connection.ts";
import { setResource } from "./x-resources.ts";

/** Pauses between tries to reach the server, doubling. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5000;
/**
 * For a server that is up to answer whoever connects. One whose message bus is gone never answers the first to come after
 * that (Xorg 21.1): it is the next that it hears.
 */
const ANSWER_MS = 3000;
/** For a change of the screen that has begun when it is time to go. */
const FINISH_MS = 1000;

/** One connected desktop. */
export interface Desktop {
  readonly clipboard: DesktopClipboard | undefined;
  readonly display: FollowingDisplay | undefined;
  /** Its name for itself; undefined: none that has one. */
  windowManager(): Promise<string | undefined>;
}

export interface FollowingDisplay {
  /** What the viewer wants now. */
  request(config: MonitorsConfig): void;
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
  /** Tell the desktop how large the viewer's pixels are. */
  readonly dpi: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class X11Desktop implements AsyncDisposable {
  readonly #options: X11DesktopOptions;
  readonly #events: DesktopEvents;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** What the host says of its graphics cards, for this X server and the next. */
  #devices: GraphicsDeviceInfo | undefined;
  #wire: (() => void) | undefined;

  /** Begins to connect; returns at once. */
  constructor(options: X11DesktopOptions, events: DesktopEvents) {
    this.#options = options;
    this.#events = events;
    this.#log = options.log.of("display");
    this.#running = this.#run();
  }

  /** The host's graphics cards, and which display is on which. */
  wire(devices: GraphicsDeviceInfo): void {
    this.#devices = devices;
    this.#wire?.();
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
        await using x = await this.#open(signal);
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

  async #open(signal: AbortSignal): Promise<XConnection> {
    const { display, clock } = this.#options;
    const opening = new AbortController();
    const callOff = (): void => opening.abort();
    signal.addEventListener("abort", callOff);
    if (signal.aborted) callOff();
    const limit = clock.after(ANSWER_MS, callOff);
    try {
      return await XConnection.open(display, opening.signal);
    } catch (error) {
      if (signal.aborted || !opening.signal.aborted) throw error;
      throw new BackendError("display.silent", `${display}: no answer in ${ANSWER_MS} ms`, { cause: error });
    } finally {
      limit[Symbol.dispose]();
      signal.removeEventListener("abort", callOff);
    }
  }

  async #live(x: XConnection, signal: AbortSignal): Promise<void> {
    const { resize, clock } = this.#options;
    const clipboard = await this.#startClipboard(x, signal);
    await using owners = new DisplayOwners(clock, this.#log);
    const follower = x.randr === undefined ? undefined : this.#follow(x, x.randr, owners);
    if (follower === undefined) {
      this.#log.warn("the X server has no RandR: its size cannot be changed");
      const { width, height } = await x.rootSize();
      this.#events.geometry({ width, height, displays: [{ displayId: 0, x: 0, y: 0, width, height }] });
    }
    const subscription = x.onEvent((event) => {
      if (event.kind === "screen-changed") follower?.changed();
    });
    this.#log.info(`connected to ${this.#options.display}`);
    this.#events.connected({
      clipboard,
      display: resize ? follower : undefined,
      windowManager: () => windowManagerName(x),
    });
    follower?.changed();
    await aborted(signal, x.closed);
    subscription[Symbol.dispose]();
    this.#wire = undefined;
    this.#events.lost();
    await clipboard?.[Symbol.asyncDispose]();
    // A change that has begun is finished, so that no screen stays dark; but a server that hangs is not waited for.
    const finished = follower?.[Symbol.asyncDispose]();
    await Promise.race([finished, x.closed, sleep(clock, FINISH_MS, new AbortController().signal)]);
    await x[Symbol.asyncDispose]();
    await finished;
    if (!signal.aborted) throw new BackendError("display.lost", `${this.#options.display} is gone`);
  }

  #follow(x: XConnection, randr: x11.Randr, owners: DisplayOwners): DisplayFollower {
    const { resize, dpi, clock } = this.#options;
    const log = this.#options.log.of("monitors");
    const display = new RandrDisplay(x, randr, log);
    const follower = new DisplayFollower(display, this.#events, {
      clock,
      log,
      resize,
      setDpi: dpi ? (value) => setResource(x, "Xft.dpi", String(value)) : undefined,
      desktopsOwn: () => owners.present(),
    });
    this.#wire = () => {
      if (this.#devices === undefined) return;
      display.wire(this.#devices);
      follower.changed();
    };
    this.#wire();
    return follower;
  }

  async #startClipboard(x: XConnection, signal: AbortSignal): Promise<X11Clipboard | undefined> {
    const { selections, clock, log } = this.#options;
    if (selections.length === 0) return undefined;
    const hangUp = (): void => void x[Symbol.asyncDispose]();
    signal.addEventListener("abort", hangUp);
    if (signal.aborted) hangUp();
    try {
      return await X11Clipboard.start(x, this.#events.clipboard, { selections, clock, log: log.of("clipboard") });
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
  }
}
