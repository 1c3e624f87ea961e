// The session's files: those the viewer drops are saved under the user's rights, and the desktop is told how far they are.
import { homedir } from "node:os";
import { FileSaver } from "../desktop/downloads/file-saver.ts";
import { saveFolder } from "../desktop/downloads/save-folder.ts";
import { showFolder } from "../desktop/downloads/show-folder.ts";
import type { TransferNotice } from "../desktop/downloads/transfer-notice.ts";
import { CANCELLED, DISABLED, type FileOutcome, failedWith, reasonOf } from "../features/file-outcome.ts";
import { isOver, noProgress, type TransferProgress, withEnd } from "../features/transfer-progress.ts";
import type { MessageBus } from "../support/bus/message-bus.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError } from "../support/errors.ts";
import type { IncomingBody, LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { FileXferStatus, GioError } from "../wire/agent-constants.ts";

/** Our daemon starts far fewer, upstream's half as many. */
const MAX_FILES = 256;
/** Files that come one by one come together if the next is here within this. */
const TOGETHER_MS = 300;

export interface FilesSettings {
  readonly enabled: boolean;
  /** As in `files.save-dir`. */
  readonly saveDir: string;
  /** Open the folder when all have come. */
  readonly openFolder: boolean;
}

export type FileLinkMessage = Extract<LinkControlMessage, { readonly kind: `file-${string}` }>;

interface Incoming {
  readonly fileId: number;
  readonly size: number;
  readonly abort: AbortController;
  bytes: number;
  body: IncomingBody | undefined;
  bodyCame: (() => void) | undefined;
}

export interface SessionFilesOptions {
  readonly settings: FilesSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: there is none. Each is its user's to dispose. */
  readonly openBus: () => Promise<MessageBus | undefined>;
  /** Where files are saved, as soon as it is known. */
  readonly folderKnown: (folder: string) => void;
}

export class SessionFiles implements AsyncDisposable {
  readonly #options: SessionFilesOptions;
  readonly #log: Log;
  readonly #files = new Map<number, Incoming>();
  readonly #saving = new Set<Promise<void>>();
  #link: LinkConnection | undefined;
  /** The daemon's word, for as long as the link lasts. */
  #isDisabled = false;
  #saver: Promise<{ readonly saver: FileSaver; readonly folder: string }> | undefined;
  #waiting = { files: 0, bytes: 0 };
  #progress: TransferProgress | undefined;
  #settling: Disposable | undefined;
  #notice: Promise<TransferNotice | undefined> | undefined;

  constructor(options: SessionFilesOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  attach(link: LinkConnection): void {
    this.#link = link;
    this.#isDisabled = false;
  }

  detach(): void {
    this.#link = undefined;
    this.viewerLeft();
  }

  daemonSaid(message: FileLinkMessage): void {
    switch (message.kind) {
      case "file-start":
        return this.#started(message);
      case "file-body":
        return this.#bodyCame(message.fileId, message.bodyId);
      case "file-cancelled":
        return this.#files.get(message.fileId)?.abort.abort();
      case "file-queue":
        this.#waiting = { files: message.files, bytes: Number(message.bytes) };
        return this.#tell();
      case "file-transfer-disabled":
        this.#isDisabled = true;
        return;
      case "file-result":
        return this.#log.debug("file-result: ours to tell, not to be told");
      default:
        message satisfies never;
    }
  }

  /** All files that are not whole are over. */
  viewerLeft(): void {
    for (const { abort } of this.#files.values()) abort.abort();
    this.#waiting = { files: 0, bytes: 0 };
    this.#tell();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.detach();
    await Promise.all(this.#saving);
    this.#settling?.[Symbol.dispose]();
    await (await this.#notice)?.[Symbol.asyncDispose]();
  }

  #started({ fileId, name, size }: Extract<FileLinkMessage, { kind: "file-start" }>): void {
    const refuse = (outcome: FileOutcome): void => this.#answer(fileId, outcome);
    if (!this.#options.settings.enabled || this.#isDisabled) return refuse(DISABLED);
    if (this.#files.has(fileId)) return refuse(failedWith(GioError.EXISTS));
    if (this.#files.size >= MAX_FILES) return refuse(failedWith(GioError.TOO_MANY_OPEN_FILES));
    const incoming: Incoming = {
      fileId,
      size: Number(size),
      abort: new AbortController(),
      bytes: 0,
      body: undefined,
      bodyCame: undefined,
    };
    incoming.abort.signal.addEventListener("abort", () => {
      incoming.body?.cancel();
      incoming.bodyCame?.();
    });
    this.#files.set(fileId, incoming);
    const saving = this.#save(incoming, name, size);
    this.#saving.add(saving);
    void saving.finally(() => this.#saving.delete(saving));
  }

  /** At once: its end may have come with it. */
  #bodyCame(fileId: number, bodyId: number): void {
    const body = this.#link?.incomingBody(bodyId);
    const incoming = this.#files.get(fileId);
    if (incoming === undefined || incoming.abort.signal.aborted || incoming.body !== undefined) return body?.cancel();
    incoming.body = body;
    incoming.bodyCame?.();
  }

  async #save(incoming: Incoming, name: string, size: bigint): Promise<void> {
    const { fileId, abort } = incoming;
    this.#began(incoming);
    const link = this.#link;
    const { saver } = await this.#ready();
    const end = await saver.save({
      name,
      size,
      signal: abort.signal,
      accept: async () => {
        if (abort.signal.aborted) throw new BackendError("body.failed", "cancelled");
        link?.send({ kind: "file-result", fileId, result: FileXferStatus.CAN_SEND_DATA });
        if (incoming.body === undefined) await new Promise<void>((resolve) => (incoming.bodyCame = resolve));
        if (incoming.body === undefined) throw new BackendError("body.failed", "cancelled");
        return incoming.body;
      },
      progressed: (bytes) => {
        incoming.bytes += bytes;
        this.#moved(bytes);
      },
    });
    incoming.body?.cancel();
    this.#files.delete(fileId);
    const { outcome, detail } = end;
    if (outcome.result !== FileXferStatus.SUCCESS && !abort.signal.aborted)
      this.#log.warn(`a file is not saved: ${reasonOf(outcome)}${detail === undefined ? "" : `: ${detail}`}`);
    // Of one that was cancelled the daemon knows; of one that its user has cancelled here it was told.
    if (!abort.signal.aborted && this.#link === link) this.#answer(fileId, outcome);
    this.#ended(incoming, abort.signal.aborted ? CANCELLED : outcome, end.name);
  }

  #ready(): Promise<{ readonly saver: FileSaver; readonly folder: string }> {
    this.#saver ??= saveFolder(this.#options.settings.saveDir).then((folder) => {
      this.#options.folderKnown(folder);
      return { saver: new FileSaver(folder), folder };
    });
    return this.#saver;
  }

  #answer(fileId: number, { result, gioError, freeBytes }: FileOutcome): void {
    this.#link?.send({ kind: "file-result", fileId, result, gioError, freeBytes });
  }

  /** Its user has had enough: also of what has not been started yet. */
  #cancelAll(): void {
    for (const { fileId, abort } of this.#files.values()) {
      this.#answer(fileId, CANCELLED);
      abort.abort();
    }
    this.#link?.send({ kind: "files-cancel" });
  }

  #began({ size }: Incoming): void {
    const before = this.#progress ?? noProgress(this.#options.clock.nowMs());
    this.#progress = { ...before, underWay: before.underWay + 1, allBytes: before.allBytes + size };
    this.#tell();
  }

  #moved(bytes: number): void {
    if (this.#progress === undefined) return;
    this.#progress = { ...this.#progress, doneBytes: this.#progress.doneBytes + bytes };
    this.#tell();
  }

  #ended({ size, bytes }: Incoming, outcome: FileOutcome, name: string | undefined): void {
    if (this.#progress === undefined) return;
    this.#progress = withEnd(this.#progress, outcome, size, bytes, name);
    this.#tell();
  }

  #tell(): void {
    const own = this.#progress;
    if (own === undefined) return;
    const progress = { ...own, waiting: this.#waiting.files, allBytes: own.allBytes + this.#waiting.bytes };
    this.#settling?.[Symbol.dispose]();
    this.#settling = undefined;
    if (isOver(progress)) {
      this.#settling = this.#options.clock.after(TOGETHER_MS, () => void this.#finish(progress));
      return;
    }
    this.#notice ??= this.#openNotice();
    void this.#notice.then((notice) => notice?.update(progress));
  }

  async #finish(progress: TransferProgress): Promise<void> {
    this.#progress = undefined;
    const { folder } = await this.#ready();
    const home = homedir();
    const notice = await this.#notice;
    if (notice === undefined) this.#notice = undefined;
    notice?.finish(progress, folder.startsWith(`${home}/`) ? folder.slice(home.length + 1) : folder);
    if (this.#options.settings.openFolder && progress.saved > 0) await this.#openFolder();
  }

  async #openFolder(): Promise<void> {
    const { folder } = await this.#ready();
    const bus = await this.#options.openBus();
    try {
      await showFolder(folder, bus, this.#log);
    } finally {
      await bus?.[Symbol.asyncDispose]();
    }
  }

  async #openNotice(): Promise<TransferNotice | undefined> {
    const bus = await this.#options.openBus();
    if (bus === undefined) return undefined;
    const { TransferNotice } = await import("../desktop/downloads/transfer-notice.ts");
    const notice: TransferNotice = new TransferNotice({
      bus,
      clock: this.#options.clock,
      log: this.#log,
      cancel: () => this.#cancelAll(),
      openFolder: () => void this.#openFolder(),
      over: () => {
        // Of files that still come nothing is shown any more; the next ones try anew.
        this.#notice = this.#progress === undefined ? undefined : Promise.resolve(undefined);
        void notice[Symbol.asyncDispose]();
      },
    });
    return notice;
  }
}
