// The requests of a connection are dealt with one after the other, as they were sent: a client may send the next before it has
// an answer, and what it then sees must be as if it had waited (RFC 9112, section 9.3.2).

/** On a connection; nobody sends so many before there is an answer. */
const MAX_WAITING = 100;

export class Turns {
  readonly #last = new WeakMap<object, Promise<boolean>>();
  readonly #waiting = new WeakMap<object, number>();

  /**
   * `act` tells whether the connection goes on after it, and does not throw. What is sent on one that does not is not heard.
   * False: too many wait already.
   */
  take(connection: object, act: () => Promise<boolean>): boolean {
    if ((this.#waiting.get(connection) ?? 0) >= MAX_WAITING) return false;
    const before = this.#last.get(connection) ?? Promise.resolve(true);
    this.#count(connection, 1);
    const turn = before.then((goesOn) => (goesOn ? act() : false)).finally(() => this.#count(connection, -1));
    this.#last.set(connection, turn);
    return true;
  }

  isBusy(connection: object): boolean {
    return (this.#waiting.get(connection) ?? 0) > 0;
  }

  #count(connection: object, change: number): void {
    this.#waiting.set(connection, (this.#waiting.get(connection) ?? 0) + change);
  }
}
