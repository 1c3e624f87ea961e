// Which connection stands behind a well-known name, as the bus says. Signals are believed from that one only.

type OwnerListener = (owner: string | undefined) => void;

interface Tracked {
  owner: string | undefined;
  /** Rules that name it. */
  users: number;
  readonly listeners: Set<OwnerListener>;
}

export class NameOwners {
  readonly #names = new Map<string, Tracked>();

  get names(): readonly string[] {
    return [...this.#names.keys()];
  }

  ownerOf(name: string): string | undefined {
    return this.#names.get(name)?.owner;
  }

  /** True: the name is new here, and the bus has to be asked about it. */
  add(name: string, listener?: OwnerListener): boolean {
    const known = this.#names.get(name);
    const tracked = known ?? { owner: undefined, users: 0, listeners: new Set() };
    this.#names.set(name, tracked);
    tracked.users += 1;
    if (listener !== undefined) tracked.listeners.add(listener);
    return known === undefined;
  }

  /** True: nobody uses the name any more. */
  remove(name: string, listener?: OwnerListener): boolean {
    const tracked = this.#names.get(name);
    if (tracked === undefined) return false;
    tracked.users -= 1;
    if (listener !== undefined) tracked.listeners.delete(listener);
    return tracked.users === 0 && this.#names.delete(name);
  }

  /** Tells the listeners of a change. */
  set(name: string, owner: string | undefined): void {
    const tracked = this.#names.get(name);
    if (tracked === undefined || tracked.owner === owner) return;
    tracked.owner = owner;
    for (const listener of [...tracked.listeners]) listener(owner);
  }

  /** The bus is gone: nobody owns anything. */
  clear(): void {
    for (const name of this.names) this.set(name, undefined);
  }
}
