// Reads what an application has on a selection: ICCCM 2.4, in one property or incrementally (2.7.2).

import { textEncodingOf } from "../../../features/clipboard-targets.ts";
import type { Content } from "../../../features/desktop-clipboard.ts";
import { toUtf8 } from "../../../features/text-encoding.ts";
import type { Clock } from "../../../support/clock.ts";
import { BackendError } from "../../../support/errors.ts";
import type { XConnection, XEvent } from "../../x11/x-connection.ts";
import { bytesOfProperty, longsOf, PropertyPage } from "../../x11/x-property.ts";

/** An application that gives no sign for this long is taken for dead. */
const IDLE_MS = 5000;
/** No application has so many targets. */
const MAX_TARGETS = 1024;
/** After this nothing comes any more on a property whose conversion was called off. */
const ABANDONED_MS = 60_000;
const CURRENT_TIME = 0;

interface ReaderAtoms {
  readonly targets: number;
  readonly incr: number;
  readonly atom: number;
}

export class SelectionReader {
  readonly #x: XConnection;
  readonly #clock: Clock;
  readonly #atoms: ReaderAtoms;
  #nextProperty = 0;
  readonly #freeProperties: number[] = [];
  /** The oldest first. */
  readonly #abandonedProperties: { readonly property: number; readonly untilMs: number }[] = [];

  private constructor(x: XConnection, clock: Clock, atoms: ReaderAtoms) {
    this.#x = x;
    this.#clock = clock;
    this.#atoms = atoms;
  }

  static async create(x: XConnection, clock: Clock): Promise<SelectionReader> {
    const [targets, incr, atom] = await Promise.all([x.atom("TARGETS"), x.atom("INCR"), x.atom("ATOM")]);
    return new SelectionReader(x, clock, { targets, incr, atom });
  }

  /** Names of what the owner offers. Throws a BackendError `clipboard.*`. */
  async targets(selection: number, signal: AbortSignal): Promise<readonly string[]> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const { type, data } of this.#convert(selection, this.#atoms.targets, signal)) {
      if (type === this.#atoms.incr) continue;
      // Some applications of old give the list the type TARGETS.
      if (type !== this.#atoms.atom && type !== this.#atoms.targets) throw refused("its list of targets is none");
      pieces.push(data);
      bytes += data.length;
      if (bytes > MAX_TARGETS * 4) throw refused(`more than ${MAX_TARGETS} targets`);
    }
    const atoms = longsOf(Buffer.concat(pieces));
    const names = await Promise.allSettled(atoms.map((atom) => this.#x.atomName(atom)));
    // An atom without a name is a lie about one target, not about the others.
    return names.flatMap((name) => (name.status === "fulfilled" ? [name.value] : []));
  }

  /** Text comes as UTF-8 whatever the target is; anything else as it is. Iterating throws a BackendError `clipboard.*`. */
  async *read(selection: number, target: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    // Where nothing has to be asked before, the owner is asked in this turn.
    const converted = this.#convert(selection, this.#x.knownAtom(target) ?? (await this.#x.atom(target)), signal);
    try {
      let first = await converted.next();
      if (first.done === true) return;
      if (first.value.type === this.#atoms.incr) {
        yield first.value.data;
        first = await converted.next();
        if (first.done === true) return;
      }
      const { type, data } = first.value;
      const rest = async function* (): Content {
        yield data;
        for await (const piece of converted) yield piece.data;
      };
      const encoding = textEncodingOf(target);
      // The property's type says how the text is really encoded; the target only what was asked for.
      const actual = encoding === undefined ? undefined : (textEncodingOf(await this.#x.atomName(type)) ?? encoding);
      yield* actual === undefined ? rest() : toUtf8(rest(), actual);
    } finally {
      await converted.return(undefined);
    }
  }

  async *#convert(
    selection: number,
    target: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly type: number; readonly data: Buffer }> {
    const property = this.#freeProperty() ?? (await this.#newProperty());
    const events = new EventQueue(this.#x, selection, this.#clock, signal);
    let clean = false;
    try {
      // Called off meanwhile, the selection may be ours by now, and we would ask ourselves.
      if (signal.aborted) throw new BackendError("clipboard.lost", "called off");
      this.#x.client.ConvertSelection(this.#x.window, selection, target, property, CURRENT_TIME);
      const answer = await events.next(
        (event) =>
          event.kind === "selection-notify" &&
          event.selection === selection &&
          event.target === target &&
          (event.property === property || event.property === 0),
      );
      if (answer.kind === "selection-notify" && answer.property === 0) {
        clean = true;
        throw refused("the owner has no such content");
      }
      const page = this.#firstPage(property);
      const { type } = await page.head;
      if (type === 0) throw refused("the owner answered without content");
      if (type === this.#atoms.incr) {
        // Content is promised: what has to be got ready for it is, while the owner gets ready the first of it.
        yield { type, data: Buffer.alloc(0) };
        yield* this.#incremental(property, events);
      } else yield* this.#pages(property, page);
      clean = true;
    } finally {
      events[Symbol.dispose]();
      // A property on which an answer may still arrive must not be mistaken for the next one's.
      if (clean) this.#freeProperties.push(property);
      else {
        this.#x.client.DeleteProperty(this.#x.window, property);
        this.#abandonedProperties.push({ property, untilMs: this.#clock.nowMs() + ABANDONED_MS });
      }
    }
  }

  /** The head was deleted, which is the sign to begin; every further piece is announced by its property. */
  async *#incremental(property: number, events: EventQueue): AsyncGenerator<{ type: number; data: Buffer }> {
    for (;;) {
      await events.next((event) => event.kind === "property-notify" && event.property === property && !event.deleted);
      const page = this.#firstPage(property);
      const { type, bytes } = await page.head;
      if (type === 0) continue;
      if (bytes === 0) return;
      yield* this.#pages(property, page);
    }
  }

  #firstPage(property: number): PropertyPage {
    return new PropertyPage(this.#x, this.#x.window, property);
  }

  async *#pages(property: number, first: PropertyPage): AsyncGenerator<{ type: number; data: Buffer }> {
    const { type, format, bytes } = await first.head;
    if (format !== 8 && format !== 32) throw refused(`format ${format}`);
    // An empty property has a type, too.
    if (bytes === 0) yield { type, data: Buffer.alloc(0) };
    for await (const data of bytesOfProperty(this.#x, this.#x.window, property, first)) yield { type, data };
  }

  /** Atoms are never forgotten by the server: each is used again. */
  #freeProperty(): number | undefined {
    const free = this.#freeProperties.pop();
    const [oldest] = this.#abandonedProperties;
    if (free !== undefined || oldest === undefined || oldest.untilMs > this.#clock.nowMs()) return free;
    this.#abandonedProperties.shift();
    // With what came on it late.
    this.#x.client.DeleteProperty(this.#x.window, oldest.property);
    return oldest.property;
  }

  #newProperty(): Promise<number> {
    this.#nextProperty += 1;
    return this.#x.atom(`TSVDAGENT_${this.#nextProperty}`);
  }
}

function refused(detail: string): BackendError {
  return new BackendError("clipboard.refused", detail);
}

/** Events since it was made, to be awaited one after the other without missing any in between. */
class EventQueue implements Disposable {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #subscription: Disposable;
  readonly #onAbort = (): void => this.#wake?.();
  #seen: XEvent[] = [];
  #isClosed = false;
  #hasOwnerEnded = false;
  #wake: (() => void) | undefined;

  constructor(x: XConnection, selection: number, clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#subscription = x.onEvent((event) => {
      if (event.kind === "closed") this.#isClosed = true;
      else if (event.kind === "selection-owner" && event.selection === selection) this.#hasOwnerEnded = event.ended;
      else if (event.kind !== "selection-notify" && event.kind !== "property-notify") return;
      else if (event.kind === "property-notify" && event.window !== x.window) return;
      else this.#seen.push(event);
      this.#wake?.();
    });
    signal.addEventListener("abort", this.#onAbort);
  }

  /**
   * The next event that matches. Throws `clipboard.no-answer` after IDLE_MS, or when the owner's program has ended;
   * `clipboard.lost` when it is called off.
   */
  async next(matches: (event: XEvent) => boolean): Promise<XEvent> {
    let isLate = false;
    const timer = this.#clock.after(IDLE_MS, () => {
      isLate = true;
      this.#wake?.();
    });
    try {
      for (;;) {
        const index = this.#seen.findIndex(matches);
        const found = this.#seen[index];
        if (found !== undefined) {
          this.#seen.splice(0, index + 1);
          return found;
        }
        this.#seen = [];
        if (this.#signal.aborted || this.#isClosed) throw new BackendError("clipboard.lost", "called off");
        if (this.#hasOwnerEnded)
          throw new BackendError("clipboard.no-answer", "the owner ended before it had given it");
        if (isLate) throw new BackendError("clipboard.no-answer", `the owner was silent for ${IDLE_MS} ms`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      timer[Symbol.dispose]();
      this.#wake = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}
