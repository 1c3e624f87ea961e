// The clipboard of an X server (ICCCM 2): watches who owns the selections, and joins the two sides that have files of
// their own: reading what an application has, and serving what the viewer has.

import { SECRET_TARGET, SECRET_VALUE } from "../../../features/clipboard-targets.ts";
import type { Content, DesktopClipboard, DesktopClipboardEvents } from "../../../features/desktop-clipboard.ts";
import type { Clock } from "../../../support/clock.ts";
import { BackendError, describeError } from "../../../support/errors.ts";
import type { Log } from "../../../support/log.ts";
import { ClipboardSelection } from "../../../wire/agent-constants.ts";
import type { XConnection, XEvent } from "../../x11/x-connection.ts";
import { PastingApplications } from "./pasting-applications.ts";
import { SelectionReader } from "./selection-reader.ts";
import { SelectionServer } from "./selection-server.ts";
import { WatchedWindows } from "./watched-windows.ts";

const atomNames: Readonly<Record<ClipboardSelection, string>> = {
  [ClipboardSelection.CLIPBOARD]: "CLIPBOARD",
  [ClipboardSelection.PRIMARY]: "PRIMARY",
  [ClipboardSelection.SECONDARY]: "SECONDARY",
};

export interface X11ClipboardOptions {
  readonly selections: readonly ClipboardSelection[];
  readonly clock: Clock;
  readonly log: Log;
}

export class X11Clipboard implements DesktopClipboard {
  readonly #x: XConnection;
  readonly #events: DesktopClipboardEvents;
  readonly #log: Log;
  readonly #atoms: ReadonlyMap<ClipboardSelection, number>;
  readonly #reader: SelectionReader;
  readonly #server: SelectionServer;
  readonly #pasting: PastingApplications;
  readonly #subscription: Disposable;
  /** Asking each selection's owner for its targets; called off when another owner comes. */
  readonly #asking = new Map<ClipboardSelection, AbortController>();

  private constructor(
    x: XConnection,
    atoms: ReadonlyMap<ClipboardSelection, number>,
    reader: SelectionReader,
    server: SelectionServer,
    pasting: PastingApplications,
    events: DesktopClipboardEvents,
    log: Log,
  ) {
    this.#x = x;
    this.#atoms = atoms;
    this.#reader = reader;
    this.#server = server;
    this.#pasting = pasting;
    this.#events = events;
    this.#log = log;
    this.#subscription = x.onEvent((event) => this.#happened(event));
  }

  /** Watches from now on, and tells what the selections hold already. */
  static async start(
    x: XConnection,
    events: DesktopClipboardEvents,
    options: X11ClipboardOptions,
  ): Promise<X11Clipboard> {
    const { selections, clock, log } = options;
    const atoms = new Map<ClipboardSelection, number>();
    for (const selection of selections) atoms.set(selection, await x.atom(atomNames[selection]));
    const reader = await SelectionReader.create(x, clock);
    const watched = new WatchedWindows(x);
    const server = await SelectionServer.create(x, { clock, log, watched }, (target, atom, signal) => {
      const selection = selections.find((known) => atoms.get(known) === atom);
      return selection === undefined ? Promise.resolve(undefined) : events.paste({ selection, target, signal });
    });
    const pasting = new PastingApplications(x, watched, new Set(atoms.values()));
    const clipboard = new X11Clipboard(x, atoms, reader, server, pasting, events, log);
    for (const [selection, atom] of atoms) {
      x.watchSelection(atom);
      const owner = await x.ask<number>((callback) => x.client.GetSelectionOwner(atom, callback));
      if (owner !== 0) clipboard.#ownerChanged(selection, owner);
    }
    return clipboard;
  }

  offer(selection: ClipboardSelection, targets: readonly string[], isSecret: boolean): void {
    const atom = this.#atoms.get(selection);
    if (atom === undefined) return;
    this.#newOwner(selection);
    this.#pasting.forget(atom);
    this.#server.offer(atom, targets, isSecret);
  }

  withdraw(selection: ClipboardSelection): void {
    const atom = this.#atoms.get(selection);
    if (atom !== undefined) this.#server.withdraw(atom);
  }

  read(selection: ClipboardSelection, target: string, signal: AbortSignal): Content {
    return this.#reader.read(this.#atoms.get(selection) ?? 0, target, signal);
  }

  giveBack(piece: Uint8Array): void {
    this.#x.giveBack(piece);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription[Symbol.dispose]();
    for (const asking of this.#asking.values()) asking.abort();
    this.#server[Symbol.dispose]();
    this.#pasting[Symbol.dispose]();
  }

  #happened(event: XEvent): void {
    if (event.kind !== "selection-owner") return;
    const selection = [...this.#atoms].find(([, atom]) => atom === event.selection)?.[0];
    if (selection === undefined) return;
    if (event.owner !== this.#x.window) return this.#ownerChanged(selection, event.owner);
    this.#newOwner(selection);
    this.#server.owns(event.selection, event.selectionTime);
  }

  /** What is still being asked about the owner before is out of date. */
  #newOwner(selection: ClipboardSelection): AbortSignal {
    this.#asking.get(selection)?.abort();
    const asking = new AbortController();
    this.#asking.set(selection, asking);
    return asking.signal;
  }

  #ownerChanged(selection: ClipboardSelection, owner: number): void {
    const signal = this.#newOwner(selection);
    const atom = this.#atoms.get(selection) ?? 0;
    this.#server.lost(atom);
    if (owner === 0) return this.#events.cleared(selection);
    // Before anything is asked of it: it may be gone when it has answered.
    const hasPasted = this.#pasting.has(atom, owner);
    void this.#lookAt(selection, atom, hasPasted, signal);
  }

  async #lookAt(selection: ClipboardSelection, atom: number, hasPasted: boolean, signal: AbortSignal): Promise<void> {
    try {
      const targets = await this.#reader.targets(atom, signal);
      const isSecret = targets.includes(SECRET_TARGET) && (await this.#isSecret(atom, signal));
      if (!signal.aborted) this.#events.copied(selection, { targets, isSecret, hasPasted });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (signal.aborted) return;
      this.#log.warn(`an application offers nothing that can be read: ${describeError(error)}`);
      // What was there before is gone all the same.
      this.#events.copied(selection, { targets: [], isSecret: false, hasPasted });
    }
  }

  /** The mark is there; what it says cannot always be had, and then the worse is assumed. */
  async #isSecret(atom: number, signal: AbortSignal): Promise<boolean> {
    let said = "";
    try {
      for await (const piece of this.#reader.read(atom, SECRET_TARGET, signal)) {
        said += Buffer.from(piece).toString("latin1");
        if (said.length > SECRET_VALUE.length) return false;
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return true;
    }
    return said === SECRET_VALUE;
  }
}
