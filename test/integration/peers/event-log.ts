import type { ClientEvent, ClientEventName } from "./spice-events.ts";
import { isEvent } from "./spice-events.ts";
import { PeerTimeout } from "./until.ts";

export interface WaitOptions {
  /** Default 20 000. */
  readonly timeoutMs?: number;
  /** Passes over what happened before this `atMs`. */
  readonly sinceMs?: number;
}

interface Waiter {
  readonly look: (event: ClientEvent) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Every event so far, and those who wait for the next. Each kind has a mark: `next` finds the first match behind the
 * mark, whether it came already or comes later, and moves the mark behind it. So no event is missed, none found twice.
 */
export class EventLog {
  readonly #events: ClientEvent[] = [];
  readonly #marks = new Map<ClientEventName, number>();
  readonly #waiters = new Set<Waiter>();
  #failure: Error | undefined;

  add(event: ClientEvent): void {
    this.#events.push(event);
    for (const { look } of [...this.#waiters]) look(event);
  }

  /** Nothing will come any more: those who wait, and will wait, fail with this. */
  fail(error: Error): void {
    this.#failure = error;
    for (const { fail } of [...this.#waiters]) fail(error);
  }

  all<N extends ClientEventName>(name: N, sinceMs = 0): readonly ClientEvent<N>[] {
    return this.#events.flatMap((event) => (isEvent(event, name) && event.atMs >= sinceMs ? [event] : []));
  }

  /** Forgets all that has come, for `next`. */
  skip(): void {
    for (const { event } of this.#events) this.#marks.set(event, this.#events.length);
  }

  async next<N extends ClientEventName>(
    name: N,
    match: (event: ClientEvent<N>) => boolean = () => true,
    { timeoutMs = 20_000, sinceMs = 0 }: WaitOptions = {},
  ): Promise<ClientEvent<N>> {
    const matching = (event: ClientEvent): ClientEvent<N> | undefined =>
      isEvent(event, name) && event.atMs >= sinceMs && match(event) ? event : undefined;
    for (let i = this.#marks.get(name) ?? 0; i < this.#events.length; i++) {
      const event = this.#events[i];
      const found = event === undefined ? undefined : matching(event);
      if (found === undefined) continue;
      this.#marks.set(name, i + 1);
      return found;
    }
    return this.#wait(
      (event) => {
        const found = matching(event);
        if (found !== undefined) this.#marks.set(name, this.#events.length);
        return found;
      },
      `the viewer's ${name}`,
      timeoutMs,
    );
  }

  /** Waits until `state`, which follows from the events, is true; the marks stay. `detail` goes into the error. */
  async when(state: () => boolean, what: string, timeoutMs: number, detail?: () => string): Promise<void> {
    if (state()) return;
    await this.#wait(() => (state() ? true : undefined), what, timeoutMs, detail);
  }

  async #wait<T>(
    look: (event: ClientEvent) => T | undefined,
    what: string,
    timeoutMs: number,
    detail = (): string => this.#latest(),
  ): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    let waiter: Waiter | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        timer = setTimeout(() => reject(new PeerTimeout(what, timeoutMs, detail())), timeoutMs);
        waiter = {
          look: (event) => {
            const found = look(event);
            if (found === undefined) return;
            // At once: a second event in the same turn must not be looked at.
            if (waiter !== undefined) this.#waiters.delete(waiter);
            resolve(found);
          },
          fail: reject,
        };
        this.#waiters.add(waiter);
      });
    } finally {
      clearTimeout(timer);
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  #latest(): string {
    const last = this.#events.slice(-8).map(({ atMs, ...event }) => `${atMs.toFixed(0)} ${JSON.stringify(event)}`);
    return `the last events were\n  ${last.join("\n  ")}`;
  }
}
