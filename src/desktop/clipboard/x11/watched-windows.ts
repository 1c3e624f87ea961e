// Windows of applications whose events we want: for each the server keeps one mask for all that is wanted of it.
import { EventMask, type XConnection } from "../../x11/x-connection.ts";

export class WatchedWindows {
  readonly #x: XConnection;
  /** The masks wanted of each. */
  readonly #wanted = new Map<number, readonly number[]>();

  constructor(x: XConnection) {
    this.#x = x;
  }

  /** Until it is disposed of, these events come. `onGone`: the window was gone before. */
  watch(window: number, eventMask: number, onGone: () => void = () => {}): Disposable {
    this.#want(window, [...(this.#wanted.get(window) ?? []), eventMask], onGone);
    return {
      [Symbol.dispose]: () => {
        const left = [...(this.#wanted.get(window) ?? [])];
        left.splice(left.indexOf(eventMask), 1);
        this.#want(window, left, () => {});
      },
    };
  }

  #want(window: number, masks: readonly number[], onGone: () => void): void {
    if (masks.length > 0) this.#wanted.set(window, masks);
    else this.#wanted.delete(window);
    const eventMask = masks.reduce((all, mask) => all | mask, EventMask.NONE);
    this.#x
      .ask<null>((callback) => this.#x.client.ChangeWindowAttributes(window, { eventMask }, callback))
      .catch(onGone);
  }
}
