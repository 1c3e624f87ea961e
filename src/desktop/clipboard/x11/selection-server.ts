// Serves what the viewer has to applications that ask: ICCCM 2.2, in one property or incrementally (2.7.2).
import { textEncodingOf } from "../../../features/clipboard-targets.ts";
import type { PasteAnswer } from "../../../features/desktop-clipboard.ts";
import { fromUtf8 } from "../../../features/text-encoding.ts";
import type { Clock } from "../../../support/clock.ts";
import { BackendError, describeError } from "../../../support/errors.ts";
import type { Log } from "../../../support/log.ts";
import { EventMask, type SelectionRequestEvent, type XConnection, type XEvent } from "../../x11/x-connection.ts";
import { longs, longsOf, setProperty, takeProperty } from "../../x11/x-property.ts";

/** An application that takes nothing for this long is taken for dead. */
const IDLE_MS = 5000;
/** Pairs of one MULTIPLE request that are looked at. */
const MAX_MULTIPLE = 64;
const NOBODY = 0;
const CURRENT_TIME = 0;

/** Asks the viewer for a target of a selection, given by its atom. */
export type AskViewer = (target: string, selection: number, signal: AbortSignal) => Promise<PasteAnswer | undefined>;

interface Offer {
  readonly targets: readonly string[];
  /** The server's time at which the selection became ours. */
  readonly sinceTime: number;
}

const atomNamesUsed = [
  "TARGETS",
  "TIMESTAMP",
  "MULTIPLE",
  "ATOM",
  "ATOM_PAIR",
  "INTEGER",
  "INCR",
  "UTF8_STRING",
] as const;
type ServerAtoms = Readonly<Record<(typeof atomNamesUsed)[number], number>>;

export class SelectionServer implements Disposable {
  readonly #x: XConnection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #atoms: ServerAtoms;
  readonly #askViewer: AskViewer;
  /** Targets to offer once the server says that the selection is ours: only its order of events settles a race. */
  readonly #wanted = new Map<number, readonly string[]>();
  readonly #offers = new Map<number, Offer>();
  readonly #subscription: Disposable;
  readonly #stop = new AbortController();
  /** How many transfers watch each requestor's properties. */
  readonly #watched = new Map<number, number>();

  private constructor(x: XConnection, clock: Clock, log: Log, atoms: ServerAtoms, askViewer: AskViewer) {
    this.#x = x;
    this.#clock = clock;
    this.#log = log;
    this.#atoms = atoms;
    this.#askViewer = askViewer;
    this.#subscription = x.onEvent((event) => {
      if (event.kind === "selection-request") void this.#requested(event);
    });
  }

  static async create(x: XConnection, clock: Clock, log: Log, askViewer: AskViewer): Promise<SelectionServer> {
    const entries = await Promise.all(atomNamesUsed.map(async (name) => [name, await x.atom(name)] as const));
    return new SelectionServer(x, clock, log, Object.fromEntries(entries) as ServerAtoms, askViewer);
  }

  offer(selection: number, targets: readonly string[]): void {
    this.#wanted.set(selection, targets);
    this.#x.client.SetSelectionOwner(this.#x.window, selection, CURRENT_TIME);
  }

  withdraw(selection: number): void {
    this.#wanted.delete(selection);
    const offer = this.#offers.get(selection);
    this.#offers.delete(selection);
    if (offer !== undefined) this.#giveUp(selection, offer.sinceTime);
  }

  /** The server has made us owner at this time. */
  owns(selection: number, time: number): void {
    const targets = this.#wanted.get(selection);
    if (targets === undefined) this.#giveUp(selection, time);
    else this.#offers.set(selection, { targets, sinceTime: time });
  }

  /** Another owner has come. */
  lost(selection: number): void {
    this.#offers.delete(selection);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#subscription[Symbol.dispose]();
  }

  /** With the time of our own ownership: a later owner, of whom we have not heard yet, keeps what it has. */
  #giveUp(selection: number, time: number): void {
    this.#x.client.SetSelectionOwner(NOBODY, selection, time);
  }

  async #requested(request: SelectionRequestEvent): Promise<void> {
    // Clients of old name no property: the target serves as one.
    const property = request.property === 0 ? request.target : request.property;
    let isTold = false;
    try {
      // A request in our own name is a forgery, or a question of ours that met an offer on the way.
      const isOurs = request.requestor === this.#x.window;
      const offer = isOurs ? undefined : this.#offers.get(request.selection);
      const finish = offer === undefined ? undefined : await this.#convert(offer, request, request.target, property);
      isTold = true;
      await this.#notify(request, finish === undefined ? 0 : property);
      await finish?.();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log.warn(`a paste failed: ${describeError(error)}`);
      // A request is always answered, once. Where the requestor is gone, there is nobody to answer.
      if (!isTold) await this.#notify(request, 0).catch(() => {});
    }
  }

  /**
   * Puts one target on the requestor's property. Undefined: refused. The function returned is called after the requestor
   * was told, and does what is left to do then: the rest of an incremental transfer.
   */
  async #convert(
    offer: Offer,
    { requestor, selection }: SelectionRequestEvent,
    target: number,
    property: number,
  ): Promise<(() => Promise<void>) | undefined> {
    const done = async (): Promise<void> => {};
    switch (target) {
      case this.#atoms.TARGETS: {
        const { TARGETS, TIMESTAMP, MULTIPLE, ATOM } = this.#atoms;
        const offered = await Promise.all(offer.targets.map((name) => this.#x.atom(name)));
        const list = longs([TARGETS, TIMESTAMP, MULTIPLE, ...offered]);
        await setProperty(this.#x, requestor, property, ATOM, 32, list);
        return done;
      }
      case this.#atoms.TIMESTAMP:
        await setProperty(this.#x, requestor, property, this.#atoms.INTEGER, 32, longs([offer.sinceTime]));
        return done;
      case this.#atoms.MULTIPLE:
        return this.#multiple(offer, requestor, selection, property);
      default:
        return this.#content(offer, requestor, selection, target, property);
    }
  }

  async #multiple(
    offer: Offer,
    requestor: number,
    selection: number,
    property: number,
  ): Promise<(() => Promise<void>) | undefined> {
    const { data } = await takeProperty(this.#x, requestor, property);
    const pairs = longsOf(data);
    const finishes: (() => Promise<void>)[] = [];
    for (let at = 0; at + 1 < Math.min(pairs.length, 2 * MAX_MULTIPLE); at += 2) {
      const [target, into] = [pairs[at] ?? 0, pairs[at + 1] ?? 0];
      const nested = target === this.#atoms.MULTIPLE || into === 0;
      const request = { kind: "selection-request", time: 0, requestor, selection, target, property: into } as const;
      const finish = nested ? undefined : await this.#convert(offer, request, target, into).catch(() => undefined);
      if (finish === undefined) pairs[at + 1] = 0;
      else finishes.push(finish);
    }
    await setProperty(this.#x, requestor, property, this.#atoms.ATOM_PAIR, 32, longs(pairs));
    return async () => {
      await Promise.all(finishes.map((finish) => finish()));
    };
  }

  async #content(
    offer: Offer,
    requestor: number,
    selection: number,
    target: number,
    property: number,
  ): Promise<(() => Promise<void>) | undefined> {
    const name = await this.#x.atomName(target);
    if (!offer.targets.includes(name)) return undefined;
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    const answer = await this.#askViewer(name, selection, signal);
    if (answer === undefined) return undefined;
    const encoding = textEncodingOf(name);
    const content = encoding === undefined ? answer.content : fromUtf8(answer.content, encoding);
    // TEXT leaves the encoding to the owner, and the property's type tells which it is.
    const type = name === "TEXT" ? this.#atoms.UTF8_STRING : target;
    const pieces = slices(content, this.#x.maxPropertyBytes);
    try {
      const first = await pieces.next();
      const second = first.done === true ? first : await pieces.next();
      if (second.done === true) {
        await setProperty(this.#x, requestor, property, type, 8, first.value ?? Buffer.alloc(0));
        return async () => {};
      }
      const transfer = new IncrementalTransfer(this.#x, this.#clock, requestor, property, signal);
      await this.#watch(requestor);
      await setProperty(
        this.#x,
        requestor,
        property,
        this.#atoms.INCR,
        32,
        longs([encoding === "utf-8" || encoding === undefined ? (answer.bytes ?? 0) : 0]),
      );
      return async () => {
        try {
          for (const piece of [first.value, second.value]) await transfer.put(type, piece);
          for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
            await transfer.put(type, next.value);
          }
          await transfer.put(type, Buffer.alloc(0));
        } catch (error) {
          // The requestor was told that all is well: a zero-length piece at least ends its wait.
          await setProperty(this.#x, requestor, property, type, 8, Buffer.alloc(0)).catch(() => {});
          throw error;
        } finally {
          gone.abort();
          transfer[Symbol.dispose]();
          await pieces.return(undefined);
          await this.#unwatch(requestor);
        }
      };
    } catch (error) {
      gone.abort();
      throw error;
    }
  }

  async #watch(requestor: number): Promise<void> {
    this.#watched.set(requestor, (this.#watched.get(requestor) ?? 0) + 1);
    await this.#selectEvents(requestor, EventMask.PROPERTY_CHANGE);
  }

  async #unwatch(requestor: number): Promise<void> {
    const left = (this.#watched.get(requestor) ?? 1) - 1;
    if (left > 0) this.#watched.set(requestor, left);
    else {
      this.#watched.delete(requestor);
      await this.#selectEvents(requestor, EventMask.NONE).catch(() => {});
    }
  }

  #selectEvents(window: number, eventMask: number): Promise<null> {
    return this.#x.ask((callback) => this.#x.client.ChangeWindowAttributes(window, { eventMask }, callback));
  }

  #notify({ requestor, selection, target, time }: SelectionRequestEvent, property: number): Promise<null> {
    const event = { type: 31, name: "SelectionNotify", seq: 0, time, requestor, selection, target, property };
    return this.#x.ask((callback) => this.#x.client.SendEvent(requestor, false, 0, event, callback));
  }
}

/** Gives piece after piece, each when the requestor has taken (deleted) the one before. */
class IncrementalTransfer implements Disposable {
  readonly #x: XConnection;
  readonly #clock: Clock;
  readonly #requestor: number;
  readonly #property: number;
  readonly #subscription: Disposable;
  readonly #signal: AbortSignal;
  #taken = false;
  #wake: (() => void) | undefined;

  constructor(x: XConnection, clock: Clock, requestor: number, property: number, signal: AbortSignal) {
    this.#x = x;
    this.#clock = clock;
    this.#requestor = requestor;
    this.#property = property;
    this.#signal = signal;
    this.#subscription = x.onEvent((event: XEvent) => {
      if (event.kind !== "property-notify" || !event.deleted) return;
      if (event.window !== requestor || event.property !== property) return;
      this.#taken = true;
      this.#wake?.();
    });
  }

  /** Throws `clipboard.no-answer` when the requestor stops taking, `display.*` when it is gone. */
  async put(type: number, piece: Buffer): Promise<void> {
    await this.#untilTaken();
    this.#taken = false;
    await setProperty(this.#x, this.#requestor, this.#property, type, 8, piece);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  async #untilTaken(): Promise<void> {
    if (this.#taken) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        timer[Symbol.dispose]();
        this.#signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#clock.after(IDLE_MS, wake);
      this.#signal.addEventListener("abort", wake);
      this.#wake = wake;
    });
    if (!this.#taken) throw new BackendError("clipboard.no-answer", `an application took nothing for ${IDLE_MS} ms`);
  }
}

/** The same content in pieces of exactly `size` bytes, but for the last. */
async function* slices(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    waiting.push(piece);
    bytes += piece.length;
    while (bytes >= size) {
      const joined = Buffer.concat(waiting, bytes);
      yield joined.subarray(0, size);
      waiting = [joined.subarray(size)];
      bytes -= size;
    }
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}
