// The last errors and warnings, for `status` to show.

export interface Fault {
  /** Wall clock, ISO 8601 in UTC. */
  readonly at: string;
  readonly text: string;
}

const KEPT = 20;

export class RecentFaults {
  readonly #faults: { readonly atMs: number; readonly text: string; readonly uid: number | undefined }[] = [];

  /** `uid`: of the only user it concerns. */
  add(text: string, uid: number | undefined): void {
    this.#faults.push({ atMs: Date.now(), text, uid });
    if (this.#faults.length > KEPT) this.#faults.shift();
  }

  /** Oldest first: this user's own, and with them, for one who is on the screen, what concerns nobody else; all for root. */
  for(user: number, isOnScreen: boolean): readonly Fault[] {
    const theirs = this.#faults.filter(({ uid }) => user === 0 || uid === user || (uid === undefined && isOnScreen));
    // Made text only for who asks: the first date loads the time zones, a megabyte that stays.
    return theirs.map(({ atMs, text }) => ({ at: new Date(atMs).toISOString(), text }));
  }
}
