// The pointer of a real desktop: an absolute device of the kernel's, made by /dev/uinput. Needs no root, only the right to write there.
import type { InputEvent } from "../../features/pointer.ts";
import { type Clock, systemClock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { type UinputSystem, uinputSystem } from "../../support/native/uinput.ts";
import { encodeInputEvents } from "./input-event.ts";
import type { PointerDevice } from "./pointer-device.ts";
import { checkUinput, createTablet, destroyTablet, type TabletRange } from "./uinput-tablet.ts";

/**
 * udev and then the X server or the compositor need some hundred milliseconds to find a new device. What it says before is
 * lost on them: the last position is therefore told once more when they must have it.
 */
const SETTLE_MS = 500;
/** A device that cannot be had is asked for by events no more often than this. */
const RETRY_MS = 1000;
/** No desktop is larger; a session that says so is not believed. */
const MAX_SIZE_PX = 0xffff;

/** linux/input-event-codes.h */
const EV_SYN = 0;
const EV_ABS = 3;

/** One life of the device, from its creation on. */
interface Device {
  readonly createdAtMs: number;
  /** Axis → where the kernel believes it to be: at 0 until told otherwise. */
  readonly axes: Map<number, number>;
  /** Whether it has been told a position. */
  isPlaced: boolean;
}

export class UinputPointer implements PointerDevice {
  readonly #path: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #system: UinputSystem;
  #opening: Promise<void> | undefined;
  #fd: number | undefined;
  #range: TabletRange | undefined;
  #device: Device | undefined;
  /** Axis → the last position asked for in this range. */
  readonly #position = new Map<number, number>();
  #settling: Disposable | undefined;
  #failedAtMs: number | undefined;
  #closed = false;

  constructor(path: string, log: Log, clock: Clock = systemClock, system: UinputSystem = uinputSystem()) {
    this.#path = path;
    this.#log = log;
    this.#clock = clock;
    this.#system = system;
  }

  /**
   * Opens the descriptor; the device comes with the first range. Throws a BackendError `pointer.unavailable` when it is
   * not there or not to be written to, or when what it takes to talk to it cannot be loaded.
   */
  open(): Promise<void> {
    if (this.#fd !== undefined) return Promise.resolve();
    this.#opening ??= this.#tryOpen().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Another range is another device, for there is no changing one that lives: what was pressed is let go by the kernel. */
  setRange(widthPx: number, heightPx: number): void {
    if (!isSize(widthPx) || !isSize(heightPx)) {
      return this.#log.warn(`range left as it was: a desktop of ${widthPx}x${heightPx}`);
    }
    const isSame = widthPx === this.#range?.widthPx && heightPx === this.#range.heightPx;
    if (isSame && this.#device !== undefined) return;
    if (!isSame) this.#position.clear();
    this.#range = { widthPx, heightPx };
    this.#failedAtMs = undefined;
    if (this.#fd === undefined) this.#reopen();
    else this.#create(this.#fd, this.#range);
  }

  /** Without a range there is no device, and nothing is taken. */
  emit(events: readonly InputEvent[]): boolean {
    if (this.#device !== undefined) return this.#put(events);
    const isTooSoon = this.#failedAtMs !== undefined && this.#clock.nowMs() - this.#failedAtMs < RETRY_MS;
    if (this.#range !== undefined && !isTooSoon) this.#reopen();
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => {});
    this.#release();
  }

  /** What fails once is tried on a new device; what fails twice is given up. */
  #put(events: readonly InputEvent[]): boolean {
    try {
      this.#write(events);
      return true;
    } catch (error) {
      this.#log.warn(`device lost: ${describeError(error)}: making it anew`);
    }
    if (this.#fd === undefined || this.#range === undefined || !this.#create(this.#fd, this.#range)) return false;
    try {
      this.#write(events);
      return true;
    } catch (error) {
      this.#giveUp(error);
      return false;
    }
  }

  #write(events: readonly InputEvent[]): void {
    const device = this.#device;
    if (this.#fd === undefined || device === undefined) return;
    for (const { type, code, value } of events) if (type === EV_ABS) this.#position.set(code, value);
    // A new device is told all that is known of the position, not only what has changed since the one before.
    const told = device.isPlaced ? events : [...this.#wholePosition(), ...events.filter(({ type }) => type !== EV_ABS)];
    this.#system.write(this.#fd, encodeInputEvents(heard(told, device.axes)));
    for (const { type, code, value } of told) if (type === EV_ABS) device.axes.set(code, value);
    device.isPlaced ||= this.#position.size > 0;
    const restMs = device.createdAtMs + SETTLE_MS - this.#clock.nowMs();
    if (restMs <= 0 || !device.isPlaced) return;
    this.#settling ??= this.#clock.after(restMs, () => {
      this.#settling = undefined;
      this.#put([...this.#wholePosition(), { type: EV_SYN, code: 0, value: 0 }]);
    });
  }

  #wholePosition(): InputEvent[] {
    return [...this.#position].map(([code, value]) => ({ type: EV_ABS, code, value }));
  }

  /** Instead of the one there is, if there is one. False when it has been given up. */
  #create(fd: number, range: TabletRange): boolean {
    try {
      this.#stopSettling();
      if (this.#device !== undefined) destroyTablet(this.#system, fd);
      this.#device = undefined;
      createTablet(this.#system, fd, range);
      this.#device = { createdAtMs: this.#clock.nowMs(), axes: new Map(), isPlaced: false };
      this.#log.info(`device made: ${range.widthPx}x${range.heightPx}`);
      return true;
    } catch (error) {
      this.#giveUp(error);
      return false;
    }
  }

  /** The device follows by itself, for its range is known. */
  #reopen(): void {
    if (this.#closed || this.#opening !== undefined) return;
    this.open().catch((error: unknown) => this.#log.warn(describeError(error)));
  }

  async #tryOpen(): Promise<void> {
    let fd: number | undefined;
    try {
      fd = await this.#system.open(this.#path);
      checkUinput(this.#system, fd);
    } catch (error) {
      if (fd !== undefined) this.#system.close(fd);
      this.#failedAtMs = this.#clock.nowMs();
      throw new BackendError("pointer.unavailable", `${this.#path}: ${reasonOf(error)}`, { cause: error });
    }
    this.#fd = fd;
    if (this.#closed) this.#release();
    else if (this.#range !== undefined) this.#create(fd, this.#range);
  }

  #giveUp(error: unknown): void {
    this.#log.warn(`pointer.unavailable: ${this.#path}: ${describeError(error)}`);
    this.#failedAtMs = this.#clock.nowMs();
    this.#release();
  }

  #release(): void {
    this.#stopSettling();
    const fd = this.#fd;
    if (fd === undefined) return;
    try {
      if (this.#device !== undefined) destroyTablet(this.#system, fd);
    } catch {
      // Closing ends it as well.
    }
    this.#device = undefined;
    this.#fd = undefined;
    this.#system.close(fd);
  }

  #stopSettling(): void {
    this.#settling?.[Symbol.dispose]();
    this.#settling = undefined;
  }
}

/**
 * The kernel keeps to itself a position that is what it has (input_handle_abs_event in drivers/input/input.c), although
 * the desktop may not have heard of it or have put the pointer elsewhere. A neighbour before it, in the same report,
 * lets it through; nobody sees the pointer there.
 */
function heard(events: readonly InputEvent[], axes: ReadonlyMap<number, number>): readonly InputEvent[] {
  return events.flatMap((event) => {
    const { type, code, value } = event;
    if (type !== EV_ABS || (axes.get(code) ?? 0) !== value) return [event];
    return [{ type, code, value: value === 0 ? 1 : value - 1 }, event];
  });
}

function isSize(px: number): boolean {
  return Number.isInteger(px) && px >= 1 && px <= MAX_SIZE_PX;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
    case "ENODEV":
    case "ENXIO":
      return "not there: the kernel module uinput is not loaded";
    case "EACCES":
    case "EPERM":
      return "this user may not write to it";
    case "native.failed":
      return `no uinput device: ${message}`;
    default:
      return describeError(error);
  }
}
