// The session's clipboard: between the desktop's selections and the link, with the user's own policy, and pictures made PNG.
import type { ImageConverter } from "../desktop/clipboard/images/image-converter.ts";
import { type ClipboardPolicy, type Refusal, refusalOf } from "../features/clipboard-policy.ts";
import {
  isForPng,
  pngSource,
  targetsOfTypes,
  typeOfTarget,
  typesOfTargets,
  withPng,
} from "../features/clipboard-targets.ts";
import type {
  Content,
  Copied,
  DesktopClipboard,
  DesktopClipboardEvents,
  Paste,
  PasteAnswer,
} from "../features/desktop-clipboard.ts";
import { fileListTargets, fileListText } from "../features/file-list-texts.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import { DecodeError, joined } from "../wire/bytes.ts";
import { decodeFileList, MAX_FILE_LIST_BYTES } from "../wire/file-list.ts";
import { ViewersContent } from "./viewers-content.ts";

type ContentRequest = Extract<LinkControlMessage, { kind: "content-request" }>;
type SessionClipboardMessage = Extract<
  LinkControlMessage,
  {
    readonly kind: "clipboard-grab" | "clipboard-release" | "content-request" | "content-cancel" | "content-answer";
  }
>;

/** Clipboard managers notice within this that a selection has lost its owner. */
const RESTORE_MS = 2000;
/** For an answer to a paste. Our daemon gives one sooner; upstream's waits for the viewer for ever, and for all of the content. */
const ANSWER_MS = 60_000;

export interface SessionClipboardOptions {
  /** The user's: the daemon has the system's. */
  readonly policy: ClipboardPolicy;
  /** What comes from the viewer is marked secret. */
  readonly markReceived: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class SessionClipboard implements DesktopClipboardEvents {
  readonly #options: SessionClipboardOptions;
  readonly #log: Log;
  #link: LinkConnection | undefined;
  #desktop: DesktopClipboard | undefined;
  /** What the viewer offers, for a desktop that comes later. */
  readonly #viewerOffers = new Map<ClipboardSelection, readonly number[]>();
  /** The daemon's number of the last of them. */
  readonly #seenOffers = new Map<ClipboardSelection, number>();
  /** What applications offer: the target behind each type. */
  readonly #copied = new Map<ClipboardSelection, ReadonlyMap<number, string>>();
  readonly #viewersContent = new ViewersContent(async (png, signal) =>
    (await this.#imageConverter()).pixels(png, signal),
  );
  /** Until when what the viewer has withdrawn may come back. */
  readonly #restoring = new Map<ClipboardSelection, Disposable>();
  /** Looking whether what an application offers is the viewer's own; called off when something else comes. */
  readonly #looking = new Map<ClipboardSelection, AbortController>();
  readonly #pastes = new Map<number, (answer: PasteAnswer | undefined) => void>();
  #nextRequestId = 1;
  /** The daemon's requests under way. */
  readonly #asked = new Map<number, AbortController>();
  #converter: Promise<ImageConverter> | undefined;
  /** Where files of the viewer's are to be had; undefined: nowhere, so none are offered. */
  #folder: string | undefined;

  constructor(options: SessionClipboardOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** A daemon is on the other end, which knows nothing of what was told before. */
  attach(link: LinkConnection): void {
    this.#link = link;
    for (const selection of this.#copied.keys()) this.#grab(selection);
  }

  /** The daemon is gone, and the viewer with it. */
  detach(): void {
    this.#link = undefined;
    for (const settle of this.#pastes.values()) settle(undefined);
    this.#pastes.clear();
    for (const abort of this.#asked.values()) abort.abort();
    for (const selection of this.#viewerOffers.keys()) {
      this.#desktop?.withdraw(selection);
      this.#forgetSoon(selection);
    }
    this.#viewerOffers.clear();
    this.#seenOffers.clear();
  }

  desktopConnected(desktop: DesktopClipboard | undefined): void {
    this.#desktop = desktop;
    for (const selection of this.#viewerOffers.keys()) this.#offer(selection);
  }

  desktopLost(): void {
    this.#desktop = undefined;
    for (const abort of this.#asked.values()) abort.abort();
    for (const selection of [...this.#copied.keys()]) this.cleared(selection);
  }

  daemonSaid(message: SessionClipboardMessage): void {
    switch (message.kind) {
      case "clipboard-grab": {
        const { selection, types, offer } = message;
        this.#newOwner(selection);
        this.#forget(selection);
        this.#seenOffers.set(selection, offer);
        this.#copied.delete(selection);
        this.#viewerOffers.set(selection, this.#allowed("host-to-guest", selection, types));
        return this.#offer(selection);
      }
      case "clipboard-release":
        if (this.#viewerOffers.delete(message.selection)) this.#forgetSoon(message.selection);
        this.#desktop?.withdraw(message.selection);
        return;
      case "content-request":
        void this.#answer(message);
        return;
      case "content-cancel":
        this.#asked.get(message.requestId)?.abort();
        return;
      case "content-answer": {
        const { requestId, bodyId, bytes } = message;
        const content = bodyId === undefined ? undefined : this.#link?.incomingBody(bodyId);
        const settle = this.#pastes.get(requestId);
        this.#pastes.delete(requestId);
        const tooLarge = bytes !== undefined && bytes > this.#options.policy.maxToGuestBytes;
        if (tooLarge) this.#refused("host-to-guest", "size");
        if (settle === undefined || tooLarge) content?.cancel();
        settle?.(content === undefined || tooLarge ? undefined : { content, bytes });
        return;
      }
      default:
        message satisfies never;
    }
  }

  /** The viewer's folder is there now, or is gone (undefined). */
  folderMoved(path: string | undefined): void {
    this.#folder = path;
    for (const [selection, types] of this.#viewerOffers)
      if (types.includes(ClipboardType.FILE_LIST)) this.#offer(selection);
  }

  // What the desktop tells

  copied(selection: ClipboardSelection, { targets, isSecret, hasPasted }: Copied): void {
    const signal = this.#newOwner(selection);
    if (isSecret) {
      this.#viewerOffers.delete(selection);
      this.#forget(selection);
      this.#copied.delete(selection);
      this.#log.info("guest to host: what an application marked as secret stays here");
      this.#link?.send({ kind: "clipboard-secret", selection });
      return;
    }
    const found = typesOfTargets(targets);
    if (found.size === 0) {
      this.#viewerOffers.delete(selection);
      this.#forget(selection);
      return this.cleared(selection);
    }
    this.#copied.set(selection, found);
    if (hasPasted && this.#viewersContent.wasGiven(selection)) void this.#lookAt(selection, found, signal);
    else this.#grabOwn(selection);
  }

  cleared(selection: ClipboardSelection): void {
    this.#newOwner(selection);
    this.#copied.delete(selection);
    this.#link?.send({ kind: "clipboard-release", selection });
  }

  /** An application wants what the viewer has. */
  async paste(paste: Paste): Promise<PasteAnswer | undefined> {
    const answer = await this.#answerOfViewer(paste);
    const type = typeOfTarget(paste.target);
    if (answer === undefined || type === undefined) return answer;
    return { ...answer, content: this.#viewersContent.noted(paste.selection, type, answer.content) };
  }

  async #answerOfViewer({ selection, target, signal }: Paste): Promise<PasteAnswer | undefined> {
    const type = typeOfTarget(target);
    const offered = this.#viewerOffers.get(selection) ?? [];
    if (this.#fileTargets(offered).some((name) => name.toLowerCase() === target.toLowerCase()))
      return this.#pasteFiles(selection, target, signal);
    if (type === undefined || signal.aborted || this.#link === undefined) return undefined;
    if (type !== ClipboardType.IMAGE_PNG || offered.includes(type)) return this.#ask(selection, type, signal);
    const source = pngSource(offered);
    const answer = source === undefined ? undefined : await this.#ask(selection, source, signal);
    if (answer === undefined) return undefined;
    const converter = await this.#imageConverter();
    // Not before it is known to be a picture: until then the application can still be refused.
    return this.#begun(converter.toPng(answer.content, signal));
  }

  async #pasteFiles(
    selection: ClipboardSelection,
    target: string,
    signal: AbortSignal,
  ): Promise<PasteAnswer | undefined> {
    const answer = await this.#ask(selection, ClipboardType.FILE_LIST, signal);
    const folder = this.#folder;
    if (answer === undefined || folder === undefined) return undefined;
    try {
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for await (const piece of answer.content) {
        bytes += piece.length;
        if (bytes > MAX_FILE_LIST_BYTES) throw new DecodeError("too-large", `more than ${MAX_FILE_LIST_BYTES} bytes`);
        pieces.push(piece);
      }
      const text = fileListText(decodeFileList(joined(pieces)), folder, target);
      if (text === undefined) return undefined;
      const content = new TextEncoder().encode(text);
      return {
        bytes: content.length,
        content: (async function* () {
          yield content;
        })(),
      };
    } catch (error) {
      if (!(error instanceof BackendError || error instanceof DecodeError)) throw error;
      this.#log.warn(`the viewer's files are not pasted: ${describeError(error)}`);
      return undefined;
    }
  }

  /** What file managers may ask for; text of the viewer's own goes before the one that looks like text. */
  #fileTargets(types: readonly number[]): readonly string[] {
    if (this.#folder === undefined || !types.includes(ClipboardType.FILE_LIST)) return [];
    return fileListTargets.filter((target) => {
      const type = typeOfTarget(target);
      return type === undefined || !types.includes(type);
    });
  }

  async #begun(content: AsyncGenerator<Uint8Array>): Promise<PasteAnswer | undefined> {
    try {
      const first = await content.next();
      return {
        bytes: undefined,
        content: (async function* () {
          if (first.done !== true) yield first.value;
          yield* content;
        })(),
      };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(`a picture of the viewer's is not pasted: ${describeError(error)}`);
      return undefined;
    }
  }

  async #ask(selection: ClipboardSelection, type: number, signal: AbortSignal): Promise<PasteAnswer | undefined> {
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffffffff) + 1;
    const answered = new Promise<PasteAnswer | undefined>((resolve) => this.#pastes.set(requestId, resolve));
    const giveUp = (): void => {
      this.#link?.send({ kind: "content-cancel", requestId });
      this.#pastes.get(requestId)?.(undefined);
      this.#pastes.delete(requestId);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#link?.send({ kind: "content-request", requestId, selection, type });
    const patience = this.#options.clock.after(ANSWER_MS, giveUp);
    const answer = await answered;
    patience[Symbol.dispose]();
    signal.removeEventListener("abort", giveUp);
    return answer;
  }

  /** The viewer wants what an application has. */
  async #answer({ requestId, selection, type }: ContentRequest): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    const refuse = (): void => link.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
    const abort = new AbortController();
    const content = this.#contentOf(selection, type, abort.signal);
    if (content === undefined) return refuse();
    this.#asked.set(requestId, abort);
    const pieces = content[Symbol.asyncIterator]();
    // At once: all else can be got ready while the application is.
    const first = pieces.next();
    let isAnswered = false;
    try {
      const body = link.openBody();
      body.signal.addEventListener("abort", () => abort.abort());
      const answer = (): void => link.send({ kind: "content-answer", requestId, type, bodyId: body.id });
      try {
        let bytes = 0;
        for (let next = await first; next.done !== true; next = await pieces.next()) {
          const piece = next.value;
          bytes += piece.length;
          if (bytes > this.#options.policy.maxToHostBytes) {
            this.#refused("guest-to-host", "size");
            throw new BackendError("clipboard.too-large", "more than the user's limit");
          }
          // Not before the first piece: until then it can still be refused.
          if (!isAnswered) answer();
          isAnswered = true;
          await body.write(piece, () => this.#desktop?.giveBack(piece));
        }
        if (!isAnswered) answer();
        isAnswered = true;
        body.end(true);
      } finally {
        body.end(false);
        await pieces.return?.();
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!abort.signal.aborted) this.#log.warn(`an application could not give its content: ${describeError(error)}`);
      if (!isAnswered) refuse();
    } finally {
      this.#asked.delete(requestId);
    }
  }

  #contentOf(selection: ClipboardSelection, type: number, signal: AbortSignal): Content | undefined {
    const copied = this.#copied.get(selection);
    const desktop = this.#desktop;
    if (copied === undefined || desktop === undefined) return undefined;
    if (!this.#allowed("guest-to-host", selection, [type]).includes(type)) return undefined;
    const target = copied.get(type);
    if (target !== undefined && !isForPng(target)) return desktop.read(selection, target, signal);
    if (target !== undefined) return this.#converted(desktop.read(selection, target, signal), signal);
    const source = type === ClipboardType.IMAGE_PNG ? copied.get(pngSource([...copied.keys()]) ?? 0) : undefined;
    return source === undefined ? undefined : this.#converted(desktop.read(selection, source, signal), signal);
  }

  async *#converted(content: Content, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* (await this.#imageConverter()).toPng(content, signal);
  }

  /** Its code is loaded for the first picture that needs it. */
  #imageConverter(): Promise<ImageConverter> {
    this.#converter ??= import("../desktop/clipboard/images/image-converter.ts").then(
      ({ ImageConverter }) => new ImageConverter(this.#options.clock),
    );
    return this.#converter;
  }

  /** Managers restore at once what is withdrawn. Whoever copies the same later wants the viewer to have it. */
  #forgetSoon(selection: ClipboardSelection): void {
    this.#restoring.get(selection)?.[Symbol.dispose]();
    const timer = this.#options.clock.after(RESTORE_MS, () => this.#forget(selection));
    this.#restoring.set(selection, timer);
  }

  #forget(selection: ClipboardSelection): void {
    this.#restoring.get(selection)?.[Symbol.dispose]();
    this.#restoring.delete(selection);
    this.#viewersContent.replaced(selection);
  }

  /** With something of its own, or, as clipboard managers do, with what the viewer has. */
  async #lookAt(
    selection: ClipboardSelection,
    copied: ReadonlyMap<number, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const isViewers = await this.#isViewers(selection, copied, signal);
    if (signal.aborted) return;
    if (isViewers) this.#grab(selection, "clipboard-kept");
    else this.#grabOwn(selection);
  }

  /** An application that copies ends what the viewer offered, also when a new desktop comes. */
  #grabOwn(selection: ClipboardSelection): void {
    this.#viewerOffers.delete(selection);
    this.#forget(selection);
    this.#grab(selection);
  }

  async #isViewers(
    selection: ClipboardSelection,
    copied: ReadonlyMap<number, string>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const desktop = this.#desktop;
    if (desktop === undefined) return false;
    try {
      const read = (type: number): Content => desktop.read(selection, copied.get(type) ?? "", signal);
      return await this.#viewersContent.isOffered(selection, [...copied.keys()], read, signal);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return false;
    }
  }

  /** What is still being looked at is out of date. */
  #newOwner(selection: ClipboardSelection): AbortSignal {
    this.#looking.get(selection)?.abort();
    const looking = new AbortController();
    this.#looking.set(selection, looking);
    return looking.signal;
  }

  #grab(selection: ClipboardSelection, kind: "clipboard-grab" | "clipboard-kept" = "clipboard-grab"): void {
    const copied = withPng([...(this.#copied.get(selection)?.keys() ?? [])]);
    const types = this.#allowed("guest-to-host", selection, copied);
    const offer = this.#seenOffers.get(selection) ?? 0;
    if (types.length > 0) this.#link?.send({ kind, selection, types, offer });
    else this.#link?.send({ kind: "clipboard-release", selection });
  }

  #offer(selection: ClipboardSelection): void {
    const types = this.#viewerOffers.get(selection) ?? [];
    const targets = [...this.#fileTargets(types), ...targetsOfTypes(withPng(types))];
    if (targets.length === 0) this.#desktop?.withdraw(selection);
    else this.#desktop?.offer(selection, targets, this.#options.markReceived);
  }

  /** What of it the user lets pass; where that is nothing, it is counted. */
  #allowed(
    direction: Refusal["direction"],
    selection: ClipboardSelection,
    types: readonly number[],
  ): readonly number[] {
    const { policy } = this.#options;
    const reason = refusalOf(policy, selection, direction === "host-to-guest" ? policy.toGuest : policy.toHost);
    const allowed = reason === undefined ? types.filter((type) => policy.types.includes(type)) : [];
    if (allowed.length === 0 && types.length > 0) this.#refused(direction, reason ?? "type");
    return allowed;
  }

  #refused(direction: Refusal["direction"], reason: "direction" | "selection" | "type" | "size"): void {
    this.#log.info(`${direction.replaceAll("-", " ")}: refused by the user's configuration: ${reason}`);
    this.#link?.send({ kind: "clipboard-refused", direction, reason });
  }
}
