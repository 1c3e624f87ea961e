// One notification for the files that come together (Desktop Notifications Specification 1.2): how far they are, a button
// to stop them, in the end a button that opens the folder. Without a notification server nothing is missed but that.

import { doneText, runningText, type TransferProgress, type TransferText } from "../../features/transfer-progress.ts";
import type { BusArgument } from "../../support/bus/bus-values.ts";
import { asCount, asList, BusVariant } from "../../support/bus/bus-values.ts";
import type { MessageBus } from "../../support/bus/message-bus.ts";
import type { SignalRule } from "../../support/bus/signal-rule.ts";
import type { Clock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";

const SERVER = {
  destination: "org.freedesktop.Notifications",
  path: "/org/freedesktop/Notifications",
  interface: "org.freedesktop.Notifications",
};
/** What is over before this needs no progress; and how often there is news. */
const FIRST_MS = 700;
const NEWS_MS = 1000;
/** For its buttons to be pressed when all is done. */
const KEPT_MS = 10 * 60 * 1000;
const URGENCY_LOW = 0;
const URGENCY_NORMAL = 1;

export interface TransferNoticeOptions {
  /** Connects only when it is first used, and is the notice's to dispose. */
  readonly bus: MessageBus;
  readonly clock: Clock;
  readonly log: Log;
  /** What the buttons do. */
  readonly cancel: () => void;
  readonly openFolder: () => void;
  /** It has nothing more to do, whatever becomes of it on the screen. */
  readonly over: () => void;
}

export class TransferNotice implements AsyncDisposable {
  readonly #options: TransferNoticeOptions;
  #subscriptions: readonly Disposable[] = [];
  #progress: TransferProgress | undefined;
  #done: { readonly folder: string; readonly progress: TransferProgress } | undefined;
  #timer: Disposable | undefined;
  #showing: Promise<void> | undefined;
  /** The server's number; 0: it shows none of ours. */
  #id = 0;
  /** Closed by its user while files came: only the end is told. */
  #isUnwanted = false;
  #capabilities: ReadonlySet<unknown> | undefined;

  constructor(options: TransferNoticeOptions) {
    this.#options = options;
  }

  /** Files are coming, or more of them. */
  update(progress: TransferProgress): void {
    if (this.#done !== undefined) {
      // More come while the last are still on the screen: the same notification goes on.
      this.#done = undefined;
      this.#isUnwanted = false;
      this.#timer?.[Symbol.dispose]();
      this.#timer = undefined;
    }
    const isFirst = this.#progress === undefined;
    this.#progress = progress;
    this.#timer ??= this.#options.clock.after(isFirst ? FIRST_MS : NEWS_MS, () => {
      this.#timer = undefined;
      if (!this.#isUnwanted) this.#show();
    });
  }

  /** All have come, or not. */
  finish(progress: TransferProgress, folder: string): void {
    this.#timer?.[Symbol.dispose]();
    this.#progress = undefined;
    this.#done = { progress, folder };
    this.#timer = this.#options.clock.after(KEPT_MS, () => this.#options.over());
    this.#show();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    await this.#options.bus[Symbol.asyncDispose]();
    await this.#showing;
  }

  /** One call at a time, so that the server's number is known before the next. */
  #show(): void {
    this.#showing ??= this.#showNewest().finally(() => {
      this.#showing = undefined;
    });
  }

  async #showNewest(): Promise<void> {
    let shown: unknown;
    for (;;) {
      const news = this.#done ?? this.#progress;
      if (news === undefined || news === shown || (shown !== undefined && this.#done === undefined)) return;
      shown = news;
      try {
        await this.#notify();
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        this.#options.log.info(`no notification: ${describeError(error)}`);
        return this.#options.over();
      }
    }
  }

  async #notify(): Promise<void> {
    const { bus, clock } = this.#options;
    if (this.#capabilities === undefined) {
      const [capabilities] = await bus.call({ ...SERVER, member: "GetCapabilities" });
      this.#capabilities = new Set(asList(capabilities, "capabilities"));
      // Not before there is a server: what is subscribed to is connected to again and again.
      this.#subscriptions = this.#subscribe(bus);
    }
    const done = this.#done;
    const progress = this.#progress;
    if (done === undefined && progress === undefined) return;
    const text =
      done === undefined
        ? runningText(progress as TransferProgress, clock.nowMs())
        : doneText(done.progress, done.folder);
    const answer = await bus.call({
      ...SERVER,
      member: "Notify",
      signature: "susssasa{sv}i",
      body: [
        "tsvdagent",
        this.#id,
        "folder-download",
        text.title,
        this.#capabilities.has("body-markup") ? escaped(text.body) : text.body,
        this.#actions(done?.progress),
        hints(text, done?.progress),
        done === undefined ? 0 : -1,
      ],
    });
    this.#id = asCount(answer[0], "the notification's number");
  }

  #subscribe(bus: MessageBus): Disposable[] {
    const rule = (member: string): SignalRule => ({
      sender: SERVER.destination,
      path: SERVER.path,
      interface: SERVER.interface,
      member,
    });
    const { cancel, openFolder, over } = this.#options;
    return [
      bus.subscribe(rule("ActionInvoked"), ({ body: [id, action] }) =>
        this.#onceNumbered(() => {
          if (id !== this.#id || this.#id === 0) return;
          if (action === "cancel" && this.#done === undefined) cancel();
          else if (action === "open" && this.#done !== undefined) openFolder();
        }),
      ),
      bus.subscribe(rule("NotificationClosed"), ({ body: [id] }) =>
        this.#onceNumbered(() => {
          if (id !== this.#id || this.#id === 0) return;
          this.#id = 0;
          if (this.#done !== undefined) over();
          else this.#isUnwanted = true;
        }),
      ),
    ];
  }

  /** A signal may come in one piece with the answer that says which number it is about. */
  #onceNumbered(act: () => void): void {
    if (this.#id === 0 && this.#showing !== undefined) void this.#showing.then(act);
    else act();
  }

  #actions(done: TransferProgress | undefined): readonly string[] {
    if (this.#capabilities?.has("actions") !== true) return [];
    if (done === undefined) return ["cancel", "Cancel"];
    return done.saved > 0 ? ["open", "Open folder"] : [];
  }
}

function hints(
  { percent }: TransferText,
  done: TransferProgress | undefined,
): { readonly [name: string]: BusArgument } {
  if (done === undefined) {
    return {
      category: new BusVariant("s", "transfer"),
      urgency: new BusVariant("y", URGENCY_LOW),
      value: new BusVariant("i", percent),
    };
  }
  const isFine = done.failures.size === 0;
  return {
    category: new BusVariant("s", isFine ? "transfer.complete" : "transfer.error"),
    urgency: new BusVariant("y", isFine ? URGENCY_LOW : URGENCY_NORMAL),
  };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
