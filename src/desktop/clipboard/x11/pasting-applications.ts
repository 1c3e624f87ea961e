// Which applications have asked for what we offer: one of them that then takes the selection may offer the same again, as
// clipboard managers do. To the server an application is a connection, and what it names begins with that one's number.
import { EventMask, type XConnection, type XEvent } from "../../x11/x-connection.ts";
import type { WatchedWindows } from "./watched-windows.ts";

/** Of one selection; applications that come later are not taken for managers. */
const MAX_WINDOWS = 64;

export class PastingApplications implements Disposable {
  readonly #x: XConnection;
  readonly #watched: WatchedWindows;
  readonly #selections: ReadonlySet<number>;
  /** By selection, the windows in whose names it was asked for, as long as they are there: numbers are given out again. */
  readonly #windows = new Map<number, Map<number, Disposable>>();
  readonly #subscription: Disposable;

  /** `selections`: those that may be ours. Who sends a request is free to name any. */
  constructor(x: XConnection, watched: WatchedWindows, selections: ReadonlySet<number>) {
    this.#x = x;
    this.#watched = watched;
    this.#selections = selections;
    this.#subscription = x.onEvent((event) => this.#happened(event));
  }

  has(selection: number, window: number): boolean {
    const asked = [...(this.#windows.get(selection)?.keys() ?? [])];
    return asked.some((each) => this.#x.connectionOf(each) === this.#x.connectionOf(window));
  }

  forget(selection: number): void {
    const windows = this.#windows.get(selection);
    this.#windows.delete(selection);
    if (windows === undefined) return;
    for (const window of [...windows.keys()]) drop(windows, window);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #happened(event: XEvent): void {
    if (event.kind === "window-destroyed") {
      for (const windows of this.#windows.values()) drop(windows, event.window);
    }
    if (event.kind !== "selection-request" || event.requestor === this.#x.window) return;
    const { selection, requestor } = event;
    if (!this.#selections.has(selection)) return;
    const windows = this.#windows.get(selection) ?? new Map<number, Disposable>();
    if (windows.has(requestor) || windows.size >= MAX_WINDOWS) return;
    const watch = this.#watched.watch(requestor, EventMask.STRUCTURE_NOTIFY, () => drop(windows, requestor));
    windows.set(requestor, watch);
    this.#windows.set(selection, windows);
  }
}

function drop(windows: Map<number, Disposable>, window: number): void {
  const watch = windows.get(window);
  windows.delete(window);
  watch?.[Symbol.dispose]();
}
