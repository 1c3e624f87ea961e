// The last errors and warnings, for `status` to show.

export interface Fault {
  /** Wall clock, ISO 8601 in UTC. */
  readonly at: string;
  readonly text: string;
}

const KEPT = 20;

export class RecentFaults {
  readonly #faults: Fault[] = [];

  add(text: string): void {
    this.#faults.push({ at: new Date().toISOString(), text });
    if (this.#faults.length > KEPT) this.#faults.shift();
  }

  /** Oldest first. */
  get all(): readonly Fault[] {
    return this.#faults;
  }
}
