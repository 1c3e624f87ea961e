// The last errors and warnings, for `status` to show.

export interface Fault {
  /** Wall clock, ISO 8601 in UTC. */
  readonly at: string;
  readonly text: string;
}

const KEPT = 20;

export class RecentFaults {
  readonly #faults: { readonly atMs: number; readonly text: string }[] = [];

  add(text: string): void {
    this.#faults.push({ atMs: Date.now(), text });
    if (this.#faults.length > KEPT) this.#faults.shift();
  }

  /** Oldest first. */
  get all(): readonly Fault[] {
    // Made text only for who asks: the first date loads the time zones, a megabyte that stays.
    return this.#faults.map(({ atMs, text }) => ({ at: new Date(atMs).toISOString(), text }));
  }
}
