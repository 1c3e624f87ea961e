// Serves what the viewer has to applications that ask: ICCCM 2.2, in one property or incrementally (2.7.2).
import { SECRET_TARGET, SECRET_VALUE, textEncodingOf } from "../../../features/clipboard-targets.ts";
import type { PasteAnswer } from "../../../features/desktop-clipboard.ts";
import { fromUtf8 } from "../../../features/text-encoding.ts";
import type { Clock } from "../../../support/clock.ts";
import { BackendError, describeError } from "../../../support/errors.ts";
import type { Log } from "../../../support/log.ts";
import { EventMask, type SelectionRequestEvent, type XConnection, type XEvent } from "../../x11/x-connection.ts";
import { longs, longsOf, setBytes, setProperty, takeProperty } from "../../x11/x-property.ts";
import type { WatchedWindows } from "./watched-windows.ts";

/** An application that takes nothing for this long is taken for dead. */
const IDLE_MS = 5000;
/** Pairs of one MULTIPLE request that are converted; the rest is refused. */
const MAX_MULTIPLE = 64;
const NOBODY = 0;
const CURRENT_TIME = 0;

/** Asks the viewer for a target of a selection, given by its atom. */
export type AskViewer = (target: string, selection: number, signal: AbortSignal) => Promise<PasteAnswer | undefined>;

export interface SelectionServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly watched: WatchedWindows;
}

interface Offer extends Wanted {
  /** The server's time at which the selection became ours. */
  readonly sinceTime: number;
}

interface Wanted {
  readonly targets: readonly string[];
  readonly isSecret: boolean;
}

/** A conversion that the requestor can be told of. */
interface Prepared extends AsyncDisposable {
  /** Does what is left to do once it was told: the rest of an incremental transfer. */
  complete(): Promise<void>;
}

const allThere: Prepared = { complete: async () => {}, [Symbol.asyncDispose]: async () => {} };

const atomNamesUsed = [
  "TARGETS",
  "TIMESTAMP",
  "MULTIPLE",
  "ATOM",
  "ATOM_PAIR",
  "INTEGER",
  "INCR",
  "UTF8_STRING",
  SECRET_TARGET,
] as const;
type ServerAtoms = Readonly<Record<(typeof atomNamesUsed)[number], number>>;

export class SelectionServer implements Disposable {
  readonly #x: XConnection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #atoms: ServerAtoms;
  readonly #askViewer: AskViewer;
  /** Targets to offer once the server says that the selection is ours: only its order of events settles a race. */
  readonly #wanted = new Map<number, Wanted>();
  readonly #offers = new Map<number, Offer>();
  readonly #subscription: Disposable;
  readonly #stop = new AbortController();
  readonly #watched: WatchedWindows;
  /** By requestor and property. */
  readonly #transfers = new Map<string, IncrementalTransfer>();

  private constructor(
    x: XConnection,
    { clock, log, watched }: SelectionServerOptions,
    atoms: ServerAtoms,
    askViewer: AskViewer,
  ) {
    this.#x = x;
    this.#clock = clock;
    this.#log = log;
    this.#watched = watched;
    this.#atoms = atoms;
    this.#askViewer = askViewer;
    this.#subscription = x.onEvent((event) => {
      if (event.kind === "selection-request") void this.#requested(event);
    });
  }

  static async create(x: XConnection, options: SelectionServerOptions, askViewer: AskViewer): Promise<SelectionServer> {
    const entries = await Promise.all(atomNamesUsed.map(async (name) => [name, await x.atom(name)] as const));
    return new SelectionServer(x, options, Object.fromEntries(entries) as ServerAtoms, askViewer);
  }

  offer(selection: number, targets: readonly string[], isSecret: boolean): void {
    this.#wanted.set(selection, { targets, isSecret });
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
    const wanted = this.#wanted.get(selection);
    if (wanted === undefined) this.#giveUp(selection, time);
    else this.#offers.set(selection, { ...wanted, sinceTime: time });
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
    let prepared: Prepared | undefined;
    try {
      // A request in our own name is a forgery, or a question of ours that met an offer on the way.
      const isOurs = request.requestor === this.#x.window;
      const offer = isOurs ? undefined : this.#offers.get(request.selection);
      prepared = offer === undefined ? undefined : await this.#convert(offer, request, request.target, property);
      isTold = true;
      await this.#notify(request, prepared === undefined ? 0 : property);
      await prepared?.complete();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(`a paste failed: ${describeError(error)}`);
      // A request is always answered, once. Where the requestor is gone, there is nobody to answer.
      if (!isTold) await this.#notify(request, 0).catch(() => {});
    } finally {
      await prepared?.[Symbol.asyncDispose]();
    }
  }

  /** Puts one target on the requestor's property. Undefined: refused. */
  async #convert(
    offer: Offer,
    { requestor, selection }: SelectionRequestEvent,
    target: number,
    property: number,
  ): Promise<Prepared | undefined> {
    switch (target) {
      case this.#atoms.TARGETS: {
        const { TARGETS, TIMESTAMP, MULTIPLE, ATOM } = this.#atoms;
        const offered = await Promise.all(offer.targets.map((name) => this.#x.atom(name)));
        const mark = offer.isSecret ? [this.#atoms[SECRET_TARGET]] : [];
        const list = longs([TARGETS, TIMESTAMP, MULTIPLE, ...offered, ...mark]);
        await setProperty(this.#x, requestor, property, ATOM, 32, list);
        return allThere;
      }
      case this.#atoms.TIMESTAMP:
        await setProperty(this.#x, requestor, property, this.#atoms.INTEGER, 32, longs([offer.sinceTime]));
        return allThere;
      case this.#atoms[SECRET_TARGET]:
        if (!offer.isSecret) return undefined;
        await setBytes(this.#x, requestor, property, target, Buffer.from(SECRET_VALUE));
        return allThere;
      case this.#atoms.MULTIPLE:
        return this.#multiple(offer, requestor, selection, property);
      default:
        return this.#content(offer, requestor, selection, target, property);
    }
  }

  async #multiple(offer: Offer, requestor: number, selection: number, property: number): Promise<Prepared> {
    const { data } = await takeProperty(this.#x, requestor, property);
    const pairs = longsOf(data);
    const parts: Prepared[] = [];
    const dispose = async (): Promise<void> => {
      for (const part of parts) await part[Symbol.asyncDispose]();
    };
    try {
      for (let at = 0; at + 1 < pairs.length; at += 2) {
        const [target, into] = [pairs[at] ?? 0, pairs[at + 1] ?? 0];
        const isPassedOver = at >= 2 * MAX_MULTIPLE || target === this.#atoms.MULTIPLE || into === 0;
        const request = { kind: "selection-request", time: 0, requestor, selection, target, property: into } as const;
        const part = isPassedOver ? undefined : await this.#convert(offer, request, target, into).catch(refusal);
        if (part === undefined) pairs[at + 1] = 0;
        else parts.push(part);
      }
      await setProperty(this.#x, requestor, property, this.#atoms.ATOM_PAIR, 32, longs(pairs));
    } catch (error) {
      await dispose();
      throw error;
    }
    return {
      complete: async () => {
        await Promise.all(parts.map((part) => part.complete()));
      },
      [Symbol.asyncDispose]: dispose,
    };
  }

  async #content(
    offer: Offer,
    requestor: number,
    selection: number,
    target: number,
    property: number,
  ): Promise<Prepared | undefined> {
    const name = await this.#x.atomName(target);
    if (!offer.targets.includes(name)) return undefined;
    const gone = new AbortController();
    const giveUp = (): void => gone.abort();
    this.#stop.signal.addEventListener("abort", giveUp);
    let transfer: IncrementalTransfer | undefined;
    let pieces: AsyncGenerator<Buffer> | undefined;
    const place = `${requestor} ${property}`;
    const dispose = async (): Promise<void> => {
      this.#stop.signal.removeEventListener("abort", giveUp);
      gone.abort();
      if (transfer !== undefined && this.#transfers.get(place) === transfer) this.#transfers.delete(place);
      transfer?.[Symbol.dispose]();
      await pieces?.return(undefined);
    };
    try {
      const answer = await this.#askViewer(name, selection, gone.signal);
      if (answer === undefined) {
        await dispose();
        return undefined;
      }
      const encoding = textEncodingOf(name) ?? "utf-8";
      // TEXT leaves the encoding to the owner, and the property's type tells which it is.
      const type = name === "TEXT" ? this.#atoms.UTF8_STRING : target;
      pieces = slices(fromUtf8(answer.content, encoding), this.#x.maxPropertyBytes);
      const first = await pieces.next();
      const second = first.done === true ? first : await pieces.next();
      // An application that asks again has given up what it asked for before; each piece of both would replace the other's.
      this.#transfers.get(place)?.supersede();
      if (second.done === true) {
        await setBytes(this.#x, requestor, property, type, first.value ?? Buffer.alloc(0));
        await dispose();
        return allThere;
      }
      transfer = new IncrementalTransfer(
        this.#x,
        this.#clock,
        this.#watched.watch(requestor, EventMask.PROPERTY_CHANGE),
        requestor,
        property,
        gone.signal,
      );
      this.#transfers.set(place, transfer);
      // A lower bound, which converted text may fall short of.
      const bytes = encoding === "utf-8" ? (answer.bytes ?? 0) : 0;
      await setProperty(this.#x, requestor, property, this.#atoms.INCR, 32, longs([bytes]));
      return {
        complete: incremental(transfer, type, [first.value, second.value], pieces),
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  #notify({ requestor, selection, target, time }: SelectionRequestEvent, property: number): Promise<null> {
    const event = { type: 31, name: "SelectionNotify", seq: 0, time, requestor, selection, target, property };
    return this.#x.ask((callback) => this.#x.client.SendEvent(requestor, false, 0, event, callback));
  }
}

/** Of one of several: the others are given all the same. */
function refusal(error: unknown): undefined {
  if (!(error instanceof BackendError)) throw error;
}

/** Gives piece after piece, each when the requestor has taken (deleted) the one before. */
class IncrementalTransfer implements Disposable {
  readonly #x: XConnection;
  readonly #clock: Clock;
  readonly #watch: Disposable;
  readonly #requestor: number;
  readonly #property: number;
  readonly #subscription: Disposable;
  readonly #signal: AbortSignal;
  #taken = false;
  #isSuperseded = false;
  #wake: (() => void) | undefined;

  constructor(
    x: XConnection,
    clock: Clock,
    watch: Disposable,
    requestor: number,
    property: number,
    signal: AbortSignal,
  ) {
    this.#x = x;
    this.#clock = clock;
    this.#watch = watch;
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

  /** Another goes to the same place: this one puts nothing there any more. */
  supersede(): void {
    this.#isSuperseded = true;
    this.#wake?.();
  }

  /** Throws `clipboard.no-answer` when the requestor stops taking, `clipboard.lost` when superseded, `display.*` when it is gone. */
  async put(type: number, piece: Buffer): Promise<void> {
    await this.#untilTaken();
    this.#taken = false;
    await setBytes(this.#x, this.#requestor, this.#property, type, piece);
  }

  /** Ends it where it is: the requestor was told that content comes, and only an end ends its wait. */
  async cutOff(type: number): Promise<void> {
    if (this.#isSuperseded) return;
    await setBytes(this.#x, this.#requestor, this.#property, type, Buffer.alloc(0)).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#watch[Symbol.dispose]();
  }

  async #untilTaken(): Promise<void> {
    if (!this.#taken && !this.#isSuperseded) await this.#news();
    if (this.#isSuperseded) throw new BackendError("clipboard.lost", "the application has asked again");
    if (!this.#taken) throw new BackendError("clipboard.no-answer", `an application took nothing for ${IDLE_MS} ms`);
  }

  /** Until it was taken, superseded, called off, or too late. */
  async #news(): Promise<void> {
    if (this.#signal.aborted) throw new BackendError("clipboard.lost", "called off");
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
  }
}

function incremental(
  transfer: IncrementalTransfer,
  type: number,
  begun: readonly Buffer[],
  rest: AsyncGenerator<Buffer>,
): () => Promise<void> {
  return async () => {
    try {
      for (const piece of begun) await transfer.put(type, piece);
      for await (const piece of rest) await transfer.put(type, piece);
      await transfer.put(type, Buffer.alloc(0));
    } catch (error) {
      await transfer.cutOff(type);
      throw error;
    }
  };
}

/**
 * The same content in pieces of exactly `size` bytes, but for the last. A piece is overwritten two pieces later: what is
 * thrown away after each would be collected late, and hundreds of megabytes go by.
 */
async function* slices(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  const buffers: Buffer[] = [];
  let turn = 0;
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length; ) {
      buffers[turn] ??= Buffer.allocUnsafeSlow(size);
      const part = piece.subarray(at, at + size - filled);
      buffers[turn]?.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < size) continue;
      const full = buffers[turn];
      turn = 1 - turn;
      filled = 0;
      if (full !== undefined) yield full;
    }
  }
  const last = buffers[turn];
  if (filled > 0 && last !== undefined) yield last.subarray(0, filled);
}
