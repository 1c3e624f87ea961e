// How upstream's halves speak: content in one frame of its own, however large, and requests without numbers.
// Here it looks like the extension: requests are numbered and content is a body.
import { type ClipboardSelection, ClipboardType, FileXferStatus } from "../../wire/agent-constants.ts";
import { DecodeError } from "../../wire/bytes.ts";
import type { LinkFrame } from "../../wire/link/frame.ts";
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage, LinkType } from "../../wire/link/messages.ts";
import { BackendError, describeError } from "../errors.ts";
import { SLOW_DISK_BYTES, Spool } from "../spool.ts";
import type { FrameWriter, IncomingBody, LinkControlMessage, LinkDialect, LinkRole, OutgoingBody } from "./dialect.ts";
import { PlainFileBody, PlainFiles } from "./plain-files.ts";
import { SpooledBody } from "./spooled-body.ts";

/** Requests open at once, either way. */
const MAX_REQUESTS = 1024;
/** Frames that wait for the end of another. */
const MAX_WAITING = 16 * 1024;

interface Content {
  readonly selection: ClipboardSelection;
  readonly type: number;
}

/** One frame of a file's bytes. */
interface FileData {
  readonly data: Uint8Array;
  readonly sent: () => void;
}

/** Content that is all there. */
interface WholeContent {
  readonly content: Content;
  readonly spool: Spool;
}

interface Question extends Content {
  readonly requestId: number;
  isCancelled: boolean;
}

export class PlainDialect implements LinkDialect {
  readonly name = "plain";
  readonly #role: LinkRole;
  readonly #wire: FrameWriter;
  readonly #onMessage: (message: LinkControlMessage) => void;
  /** What we asked for: answers come in the order of the questions. */
  readonly #asked: Question[] = [];
  readonly #theirs = new Map<number, Content>();
  readonly #outgoing = new Map<number, WholeBody>();
  readonly #incoming = new Map<number, SpooledBody>();
  readonly #offers = new Map<ClipboardSelection, number>();
  readonly #files: PlainFiles;
  readonly #outgoingFiles = new Map<number, PlainFileBody>();
  /** Where the data of the frame under way goes. */
  #receiving: Pick<SpooledBody, "write" | "end" | "fail"> | undefined;
  /** What waits, in its order, for the end of the content that is under way. */
  #waiting: (LinkFrame | WholeContent | FileData)[] = [];
  #isSending = false;
  #nextId = 1;
  #closed = false;

  constructor(wire: FrameWriter, onMessage: (message: LinkControlMessage) => void, role: LinkRole) {
    this.#role = role;
    this.#wire = wire;
    this.#onMessage = onMessage;
    this.#files = new PlainFiles((fileId) => {
      const body = new SpooledBody(this.#takeId());
      this.#incoming.set(body.id, body);
      this.#onMessage({ kind: "file-body", fileId, bodyId: body.id });
      // Nobody took it.
      if (this.#incoming.delete(body.id)) body.fail();
      return body;
    });
  }

  send(message: LinkControlMessage): void {
    switch (message.kind) {
      case "clipboard-grab":
        this.#offers.set(message.selection, message.offer);
        return this.#put({ ...message, offer: 0 });
      case "monitors-config": {
        const monitors = message.config.monitors.map(({ physical: _, ...monitor }) => monitor);
        return this.#put({ kind: "monitors-config", config: { ...message.config, monitors } });
      }
      case "desktop-geometry": {
        const displays = message.geometry.displays.map(({ turned: _, ...display }) => display);
        return this.#put({ kind: "desktop-geometry", geometry: { ...message.geometry, displays } });
      }
      case "content-request": {
        const { requestId, selection, type } = message;
        if (this.#asked.length >= MAX_REQUESTS) return this.#wire.fail("questions are not answered");
        this.#asked.push({ requestId, selection, type, isCancelled: false });
        return this.#put({ kind: "clipboard-request", selection, type });
      }
      case "content-cancel": {
        // It is answered all the same, and its answer must not be taken for another's.
        const question = this.#asked.find(({ requestId }) => requestId === message.requestId);
        if (question !== undefined) question.isCancelled = true;
        return;
      }
      case "content-answer": {
        const content = this.#theirs.get(message.requestId);
        this.#theirs.delete(message.requestId);
        if (content === undefined) return;
        const body = this.#outgoing.get(message.bodyId ?? 0);
        if (body === undefined) this.#refuse(content);
        else body.answer(content);
        return;
      }
      case "file-cancelled":
        this.#outgoingFiles.get(message.fileId)?.cancelled();
        return this.#put(message);
      case "file-result": {
        const { gioError: _, ...plain } = message;
        if (message.result !== FileXferStatus.CAN_SEND_DATA) this.#files.over(message.fileId);
        return this.#put(plain);
      }
      case "session-report":
      case "clipboard-kept":
      case "clipboard-refused":
      case "file-body":
      case "file-queue":
      case "files-cancel":
      case "shared-folder":
      case "mount-shared-folder":
      case "shared-folder-mounted":
      case "share-request":
      case "share-answer":
        return;
      case "clipboard-secret":
        return this.#put({ kind: "clipboard-release", selection: message.selection });
      default:
        this.#put(message);
    }
  }

  openBody(): OutgoingBody {
    const id = this.#takeId();
    const body = new WholeBody(id, (content, spool) => {
      this.#outgoing.delete(id);
      if (content === undefined) return;
      if (spool === undefined) this.#refuse(content);
      else this.#sendContent(content, spool);
    });
    if (this.#closed) body.cancelled();
    else this.#outgoing.set(id, body);
    return body;
  }

  openFileBody(fileId: number): OutgoingBody {
    const body = new PlainFileBody(fileId, this.#takeId(), {
      send: (data) => this.#sendFileData(data),
      over: () => this.#outgoingFiles.delete(fileId),
    });
    if (this.#closed) body.cancelled();
    else this.#outgoingFiles.set(fileId, body);
    return body;
  }

  incomingBody(bodyId: number): IncomingBody {
    const body = this.#incoming.get(bodyId) ?? new SpooledBody(bodyId);
    if (!this.#incoming.delete(bodyId)) body.fail();
    return body;
  }

  receive(message: LinkMessage): void {
    switch (message.kind) {
      case "clipboard-request": {
        const { selection, type } = message;
        if (this.#theirs.size >= MAX_REQUESTS) return this.#refuse(message);
        const requestId = this.#takeId();
        this.#theirs.set(requestId, { selection, type });
        return this.#onMessage({ kind: "content-request", requestId, selection, type });
      }
      case "clipboard-grab":
        // Upstream's halves do not say which offer they have seen: it is taken for the last.
        return this.#onMessage({ ...message, offer: this.#offers.get(message.selection) ?? 0 });
      case "file-start":
        // Upstream's daemon says it. Of a session it would be kept for nothing.
        if (this.#role === "daemon") throw new DecodeError("bad-value", "file-start from a session");
        this.#files.started(message.fileId, message.size);
        return this.#onMessage(message);
      case "file-cancelled":
        this.#files.over(message.fileId);
        return this.#onMessage(message);
      case "viewer-left":
        this.#files.allOver();
        return this.#onMessage(message);
      case "file-result":
      case "desktop-geometry":
      case "monitors-config":
      case "clipboard-release":
      case "audio-volume":
      case "file-transfer-disabled":
      case "graphics-device-info":
        return this.#onMessage(message);
      default:
        throw new DecodeError("bad-value", `${message.kind} without the extension`);
    }
  }

  dataBegin(frame: Omit<LinkFrame, "data">, bytes: number): void {
    if (frame.type === LinkType.FILE_XFER_DATA) {
      this.#receiving = this.#files.dataBegin();
      return;
    }
    const message = decodeLinkMessage({ ...frame, data: new Uint8Array(0) });
    if (message.kind !== "clipboard-data") throw new DecodeError("bad-value", `${message.kind} without the extension`);
    const { selection, type } = message;
    const isNone = type === ClipboardType.NONE;
    const index = this.#asked.findIndex((open) => open.selection === selection && (isNone || open.type === type));
    const question = this.#asked[index];
    if (question === undefined) throw new DecodeError("bad-value", `content of type ${type} that nobody asked for`);
    this.#asked.splice(index, 1);
    const { requestId, isCancelled } = question;
    if (isCancelled) return;
    if (isNone) return this.#onMessage({ kind: "content-answer", requestId, type });
    const body = new SpooledBody(this.#takeId());
    this.#incoming.set(body.id, body);
    this.#receiving = body;
    this.#onMessage({ kind: "content-answer", requestId, type, bodyId: body.id, bytes });
    // Nobody took it.
    if (this.#incoming.delete(body.id)) body.fail();
  }

  dataPiece(piece: Uint8Array, isKept: boolean): void {
    this.#receiving?.write(piece, isKept);
  }

  dataEnd(): void {
    this.#receiving?.end();
    this.#receiving = undefined;
  }

  close(): void {
    this.#closed = true;
    for (const body of this.#outgoing.values()) body.cancelled();
    this.#receiving?.fail();
    for (const body of [...this.#outgoingFiles.values()]) body.cancelled();
    this.#files.allOver();
    this.#outgoing.clear();
    this.#theirs.clear();
    this.#asked.length = 0;
    for (const item of this.#waiting.splice(0)) {
      if ("spool" in item) void item.spool[Symbol.asyncDispose]();
      else if ("sent" in item) item.sent();
    }
  }

  #refuse({ selection }: Content): void {
    this.#put({ kind: "clipboard-data", selection, type: ClipboardType.NONE });
  }

  #put(message: LinkMessage): void {
    if (this.#closed) return;
    const frame = encodeLinkMessage(message);
    if (!this.#isSending) this.#wire.put(frame);
    else this.#wait(frame);
  }

  #sendContent(content: Content, spool: Spool): void {
    this.#wait({ content, spool });
    if (!this.#isSending) void this.#sendWaiting();
  }

  /** Resolves when the next may be sent. */
  #sendFileData(data: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((sent) => {
      this.#wait({ data, sent });
      if (!this.#isSending) void this.#sendWaiting();
    });
  }

  #wait(item: LinkFrame | WholeContent | FileData): void {
    if (this.#waiting.length >= MAX_WAITING) this.#wire.fail("the other half does not read");
    else this.#waiting.push(item);
  }

  async #sendWaiting(): Promise<void> {
    this.#isSending = true;
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift()) {
      if ("spool" in item) await this.#sendWhole(item);
      else if ("sent" in item) {
        this.#wire.putHead({ type: LinkType.FILE_XFER_DATA, arg1: 0, arg2: 0 }, item.data.length);
        await this.#wire.putData(item.data);
        item.sent();
      } else this.#wire.put(item);
    }
    this.#isSending = false;
  }

  async #sendWhole({ content, spool: body }: WholeContent): Promise<void> {
    await using spool = body;
    this.#wire.putHead(encodeLinkMessage({ kind: "clipboard-data", ...content }), spool.writtenBytes);
    try {
      for await (const piece of spool) {
        if (this.#closed) return;
        await this.#wire.putData(piece);
      }
    } catch (error) {
      // What the header has promised cannot be taken back.
      this.#wire.fail(`content could not be sent: ${describeError(error)}`);
    }
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = (id % 0xffffffff) + 1;
    return id;
  }
}

/** A body that can only be sent when all of it is there, for the frame's header says how much it is. */
class WholeBody implements OutgoingBody {
  readonly id: number;
  readonly #done: (content: Content | undefined, spool: Spool | undefined) => void;
  readonly #spool = new Spool();
  readonly #cancel = new AbortController();
  #content: Content | undefined;
  #outcome: "open" | "complete" | "failed" = "open";

  /** `done` is called once, with the spool if all of it is in it, and what it answers if that is known. */
  constructor(id: number, done: (content: Content | undefined, spool: Spool | undefined) => void) {
    this.id = id;
    this.#done = done;
  }

  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.signal.aborted || this.#outcome !== "open") throw new BackendError("link.closed", "no longer wanted");
    this.#spool.write(piece);
    while (this.#spool.unflushedBytes > SLOW_DISK_BYTES) await this.#spool.flushed();
  }

  answer(content: Content): void {
    this.#content = content;
    this.#settle();
  }

  end(complete: boolean): void {
    if (this.#outcome !== "open" || this.signal.aborted) return;
    this.#outcome = complete ? "complete" : "failed";
    if (complete) this.#spool.end();
    this.#settle();
  }

  abandon(): void {
    if (this.#outcome !== "open") return;
    this.end(false);
    this.cancelled();
  }

  cancelled(): void {
    this.#cancel.abort();
    void this.#spool[Symbol.asyncDispose]();
  }

  #settle(): void {
    if (this.#outcome === "failed") {
      void this.#spool[Symbol.asyncDispose]();
      this.#done(this.#content, undefined);
    } else if (this.#outcome === "complete" && this.#content !== undefined) {
      this.#done(this.#content, this.#spool);
    }
  }
}
