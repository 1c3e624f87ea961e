// The session's half: what the user's desktop does for the viewer, told over the link by the daemon's half.
import type { Duplex } from "node:stream";
import { type Desktop, X11Desktop } from "../desktop/x11/x11-desktop.ts";
import { targetsOfTypes, typeOfTarget, typesOfTargets } from "../features/clipboard-targets.ts";
import type { Paste, PasteAnswer } from "../features/desktop-clipboard.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import { LinkConnection, type LinkControlMessage } from "../support/link-connection.ts";
import type { Log } from "../support/log.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";

export interface SessionSettings {
  /** As in $DISPLAY; undefined: no desktop. */
  readonly display: string | undefined;
  readonly selections: readonly ClipboardSelection[];
  readonly resize: boolean;
}

type ContentRequest = Extract<LinkControlMessage, { kind: "content-request" }>;

export class SessionHalf implements AsyncDisposable {
  readonly #log: Log;
  readonly #link: LinkConnection;
  readonly #x11: X11Desktop | undefined;
  #desktop: Desktop | undefined;
  /** What the viewer offers, for a desktop that comes later. */
  readonly #viewerOffers = new Map<ClipboardSelection, readonly number[]>();
  /** The daemon's number of the last of them. */
  readonly #seenOffers = new Map<ClipboardSelection, number>();
  /** What applications offer: the target behind each type. */
  readonly #copied = new Map<ClipboardSelection, ReadonlyMap<number, string>>();
  #lastConfig: MonitorsConfig | undefined;
  readonly #pastes = new Map<number, (answer: PasteAnswer | undefined) => void>();
  #nextRequestId = 1;
  /** The daemon's requests under way. */
  readonly #asked = new Map<number, AbortController>();

  constructor(duplex: Duplex, settings: SessionSettings, clock: Clock, log: Log) {
    this.#log = log;
    this.#link = new LinkConnection(
      duplex,
      { message: (message) => this.#received(message), closed: () => this.#linkClosed() },
      log.of("session link"),
    );
    const { display, selections, resize } = settings;
    if (display === undefined) log.warn("display: no display given: no clipboard, no resizing");
    else {
      this.#x11 = new X11Desktop(
        { display, selections, resize, clock, log },
        {
          clipboard: {
            copied: (selection, targets) => this.#applicationCopied(selection, targets),
            cleared: (selection) => this.#nothingCopied(selection),
            paste: (paste) => this.#paste(paste),
          },
          geometry: (geometry) => this.#link.send({ kind: "desktop-geometry", geometry }),
          connected: (desktop) => this.#connected(desktop),
          lost: () => this.#lost(),
        },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#x11?.[Symbol.asyncDispose]();
    await this.#link[Symbol.asyncDispose]();
  }

  #received(message: LinkControlMessage): void {
    switch (message.kind) {
      case "monitors-config":
        this.#lastConfig = message.config;
        this.#desktop?.display?.request(message.config);
        return;
      case "clipboard-grab":
        this.#viewerOffers.set(message.selection, message.types);
        this.#seenOffers.set(message.selection, message.offer);
        this.#copied.delete(message.selection);
        this.#desktop?.clipboard?.offer(message.selection, targetsOfTypes(message.types));
        return;
      case "clipboard-release":
        this.#viewerOffers.delete(message.selection);
        this.#desktop?.clipboard?.withdraw(message.selection);
        return;
      case "content-request":
        void this.#answer(message);
        return;
      case "content-cancel":
        this.#asked.get(message.requestId)?.abort();
        return;
      case "content-answer": {
        const { requestId, bodyId, bytes } = message;
        const content = bodyId === undefined ? undefined : this.#link.incomingBody(bodyId);
        const settle = this.#pastes.get(requestId);
        this.#pastes.delete(requestId);
        if (settle === undefined) content?.cancel();
        else settle(content === undefined ? undefined : { content, bytes });
        return;
      }
      case "viewer-left":
        this.#lastConfig = undefined;
        return;
      case "desktop-geometry":
        this.#log.debug("session link: geometry is ours to tell, not to be told");
        return;
      default:
        message satisfies never;
    }
  }

  #connected(desktop: Desktop): void {
    this.#desktop = desktop;
    for (const [selection, types] of this.#viewerOffers) desktop.clipboard?.offer(selection, targetsOfTypes(types));
    if (this.#lastConfig !== undefined) desktop.display?.request(this.#lastConfig);
  }

  #lost(): void {
    this.#desktop = undefined;
    for (const abort of this.#asked.values()) abort.abort();
    for (const selection of [...this.#copied.keys()]) this.#nothingCopied(selection);
  }

  #linkClosed(): void {
    for (const settle of this.#pastes.values()) settle(undefined);
    this.#pastes.clear();
    for (const abort of this.#asked.values()) abort.abort();
  }

  #applicationCopied(selection: ClipboardSelection, targets: readonly string[]): void {
    // An application that copies ends what the viewer offered, also when a new desktop comes.
    this.#viewerOffers.delete(selection);
    const types = typesOfTargets(targets);
    if (types.size === 0) return this.#nothingCopied(selection);
    this.#copied.set(selection, types);
    const offer = this.#seenOffers.get(selection) ?? 0;
    this.#link.send({ kind: "clipboard-grab", selection, types: [...types.keys()], offer });
  }

  #nothingCopied(selection: ClipboardSelection): void {
    this.#copied.delete(selection);
    this.#link.send({ kind: "clipboard-release", selection });
  }

  /** An application wants what the viewer has. */
  async #paste({ selection, target, signal }: Paste): Promise<PasteAnswer | undefined> {
    const type = typeOfTarget(target);
    if (type === undefined || signal.aborted) return undefined;
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffffffff) + 1;
    const answered = new Promise<PasteAnswer | undefined>((resolve) => this.#pastes.set(requestId, resolve));
    const giveUp = (): void => {
      this.#link.send({ kind: "content-cancel", requestId });
      this.#pastes.get(requestId)?.(undefined);
      this.#pastes.delete(requestId);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#link.send({ kind: "content-request", requestId, selection, type });
    const answer = await answered;
    signal.removeEventListener("abort", giveUp);
    return answer;
  }

  /** The viewer wants what an application has. */
  async #answer({ requestId, selection, type }: ContentRequest): Promise<void> {
    const target = this.#copied.get(selection)?.get(type);
    const clipboard = this.#desktop?.clipboard;
    const refuse = (): void => this.#link.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
    if (target === undefined || clipboard === undefined) return refuse();
    const abort = new AbortController();
    this.#asked.set(requestId, abort);
    let isAnswered = false;
    try {
      const body = this.#link.openBody();
      body.signal.addEventListener("abort", () => abort.abort());
      const answer = (): void => this.#link.send({ kind: "content-answer", requestId, type, bodyId: body.id });
      try {
        for await (const piece of clipboard.read(selection, target, abort.signal)) {
          // Not before the first piece: until then it can still be refused.
          if (!isAnswered) answer();
          isAnswered = true;
          await body.write(piece);
        }
        if (!isAnswered) answer();
        isAnswered = true;
        body.end(true);
      } finally {
        body.end(false);
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!abort.signal.aborted)
        this.#log.warn(`clipboard: an application could not give its content: ${describeError(error)}`);
      if (!isAnswered) refuse();
    } finally {
      this.#asked.delete(requestId);
    }
  }
}
