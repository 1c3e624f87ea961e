// How two of our own halves speak: content travels in pieces under credit, so that a stalled body holds back nothing else.
import { DecodeError } from "../../wire/bytes.ts";
import type { LinkFrame } from "../../wire/link/frame.ts";
import { encodeLinkMessage, type LinkMessage, LinkType } from "../../wire/link/messages.ts";
import { BackendError } from "../errors.ts";
import type { FrameWriter, IncomingBody, LinkControlMessage, LinkDialect, OutgoingBody, TakePiece } from "./dialect.ts";

/** Bytes of one body that may be under way before the receiver has taken any. */
const BODY_WINDOW_BYTES = 512 * 1024;
/** Taken bytes for which leave to go on is given at once: for each piece it would wake both halves for each. */
const CREDIT_STEP_BYTES = BODY_WINDOW_BYTES / 4;
/** Bodies open at once from the other side; more is a fault of its own. */
const MAX_INCOMING_BODIES = 1024;

type BodyMessage = Extract<LinkMessage, { readonly kind: `body-${string}` }>;

export class ExtendedDialect implements LinkDialect {
  readonly name = "extended";
  readonly #wire: FrameWriter;
  readonly #onMessage: (message: LinkControlMessage) => void;
  readonly #outgoing = new Map<number, CreditedOutgoingBody>();
  readonly #incoming = new Map<number, CreditedIncomingBody>();
  /** Of the frame under way. */
  #receiving: CreditedIncomingBody | undefined;
  #nextBodyId = 1;
  #closed = false;

  constructor(wire: FrameWriter, onMessage: (message: LinkControlMessage) => void) {
    this.#wire = wire;
    this.#onMessage = onMessage;
  }

  send(message: LinkControlMessage): void {
    this.#put(message);
  }

  openBody(): OutgoingBody {
    const id = this.#nextBodyId;
    this.#nextBodyId = (id % 0xffffffff) + 1;
    const send = (message: BodyMessage, onRead?: () => void): void => {
      if (message.kind === "body-end") this.#outgoing.delete(id);
      this.#put(message, onRead);
    };
    const body = new CreditedOutgoingBody(id, send, this.#wire);
    if (this.#closed) body.cancelled();
    else this.#outgoing.set(id, body);
    return body;
  }

  openFileBody(fileId: number): OutgoingBody {
    const body = this.openBody();
    this.#put({ kind: "file-body", fileId, bodyId: body.id });
    return body;
  }

  incomingBody(bodyId: number): IncomingBody {
    const body = new CreditedIncomingBody(bodyId, (message) => {
      if (message.kind === "body-cancel") this.#incoming.delete(bodyId);
      this.#put(message);
    });
    if (this.#closed || this.#incoming.has(bodyId) || this.#incoming.size >= MAX_INCOMING_BODIES) body.ended(false);
    else this.#incoming.set(bodyId, body);
    return body;
  }

  receive(message: LinkMessage): void {
    switch (message.kind) {
      case "body-end":
        this.#incoming.get(message.bodyId)?.ended(message.complete);
        this.#incoming.delete(message.bodyId);
        return;
      case "body-credit":
        this.#outgoing.get(message.bodyId)?.credited(message.bytes);
        return;
      case "body-cancel":
        this.#outgoing.get(message.bodyId)?.cancelled();
        this.#outgoing.delete(message.bodyId);
        return;
      case "version":
      case "hello":
      case "body-piece":
      case "clipboard-request":
      case "clipboard-data":
        throw new DecodeError("bad-value", `${message.kind} has no place here`);
      default:
        this.#onMessage(message);
    }
  }

  dataBegin({ type, arg1: bodyId }: Omit<LinkFrame, "data">, bytes: number): void {
    if (type !== LinkType.BODY_PIECE) throw new DecodeError("bad-value", "content outside of a body");
    this.#receiving = this.#incoming.get(bodyId);
    this.#receiving?.frameBegins(bytes);
  }

  dataPiece(piece: Uint8Array, isKept: boolean): void {
    this.#receiving?.arrived(piece, isKept);
  }

  dataEnd(): void {
    this.#receiving = undefined;
  }

  close(): void {
    this.#closed = true;
    for (const body of this.#outgoing.values()) body.cancelled();
    for (const body of this.#incoming.values()) body.ended(false);
    this.#outgoing.clear();
    this.#incoming.clear();
  }

  #put(message: LinkMessage, onRead?: () => void): void {
    if (!this.#closed) this.#wire.put(encodeLinkMessage(message), onRead);
  }
}

/** A body we send, as far as the other side gives credit. */
class CreditedOutgoingBody implements OutgoingBody {
  readonly id: number;
  readonly #send: (message: BodyMessage, onRead?: () => void) => void;
  readonly #wire: Pick<FrameWriter, "isFull" | "drained" | "gather" | "pieceBytes">;
  readonly #cancel = new AbortController();
  #credit = BODY_WINDOW_BYTES;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(
    id: number,
    send: (message: BodyMessage, onRead?: () => void) => void,
    wire: Pick<FrameWriter, "isFull" | "drained" | "gather" | "pieceBytes">,
  ) {
    this.id = id;
    this.#send = send;
    this.#wire = wire;
  }

  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  async write(piece: Uint8Array, onRead?: () => void): Promise<void> {
    if (piece.length > this.#wire.pieceBytes) this.#wire.gather();
    for (let rest = piece; rest.length > 0; ) {
      const part = rest.subarray(0, this.#wire.pieceBytes);
      while (!this.signal.aborted && (this.#credit < part.length || this.#wire.isFull)) {
        if (this.#wire.isFull) void this.#wire.drained().then(() => this.#wakeUp());
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.signal.aborted) throw new BackendError("link.closed", "the body is no longer wanted");
      this.#credit -= part.length;
      rest = rest.subarray(part.length);
      this.#send({ kind: "body-piece", bodyId: this.id, piece: part }, rest.length === 0 ? onRead : undefined);
    }
  }

  end(complete: boolean): void {
    if (this.#ended || this.signal.aborted) return;
    this.#ended = true;
    this.#send({ kind: "body-end", bodyId: this.id, complete });
  }

  abandon(): void {
    if (this.#ended || this.signal.aborted) return;
    this.end(false);
    this.cancelled();
  }

  credited(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, BODY_WINDOW_BYTES);
    this.#wakeUp();
  }

  cancelled(): void {
    this.#cancel.abort();
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Who has the body poured out. */
interface Pouring {
  readonly take: TakePiece;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A body we receive. What is taken of it gives the sender leave to send as much again. */
class CreditedIncomingBody implements IncomingBody {
  readonly id: number;
  readonly #send: (message: BodyMessage) => void;
  readonly #pieces: Uint8Array[] = [];
  #frameBytes = 0;
  /** What has come of the frame under way, gathered for whoever iterates. */
  #frame: Buffer | undefined;
  #frameFill = 0;
  /** Arrived, and not covered by credit again. */
  #owed = 0;
  /** The part of it that has been taken. */
  #taken = 0;
  #outcome: "open" | "complete" | "failed" = "open";
  #pouring: Pouring | undefined;
  #wake: (() => void) | undefined;

  constructor(id: number, send: (message: BodyMessage) => void) {
    this.id = id;
    this.#send = send;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#took(piece.length);
          yield piece;
        } else if (this.#outcome === "open") {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        } else if (this.#outcome === "failed") {
          throw unfinished();
        } else {
          return;
        }
      }
    } finally {
      // Whoever stops iterating early does not want the rest.
      this.cancel();
    }
  }

  pour(take: TakePiece): Promise<void> {
    return new Promise((resolve, reject) => {
      const pouring = { take, resolve, reject };
      this.#pouring = pouring;
      this.#frameEnds();
      for (const piece of this.#pieces.splice(0)) this.#pour(pouring, piece, true);
      this.#settle();
    });
  }

  cancel(): void {
    if (this.#outcome !== "open") return;
    this.ended(false);
    this.#send({ kind: "body-cancel", bodyId: this.id });
  }

  frameBegins(bytes: number): void {
    this.#frameBytes = bytes;
  }

  arrived(piece: Uint8Array, isKept: boolean): void {
    if (this.#outcome !== "open") return;
    this.#owed += piece.length;
    // The sender went beyond its credit: it is broken, and we are not to pay for it.
    if (this.#owed > BODY_WINDOW_BYTES) return this.cancel();
    if (this.#pouring !== undefined) return this.#pour(this.#pouring, piece, isKept);
    if (isKept) this.#keep(piece);
    else this.#gather(piece);
  }

  ended(complete: boolean): void {
    if (this.#outcome !== "open") return;
    this.#outcome = complete ? "complete" : "failed";
    if (!complete) this.#pieces.length = 0;
    this.#wakeUp();
    this.#settle();
  }

  #pour({ take, reject }: Pouring, piece: Uint8Array, isKept: boolean): void {
    if (this.#outcome === "failed") return;
    const failed = (error: unknown): void => {
      reject(error);
      this.cancel();
    };
    try {
      const { length } = piece;
      const ready = take(piece, isKept);
      if (ready === undefined) this.#took(length);
      else ready.then(() => this.#took(length), failed);
    } catch (error) {
      failed(error);
    }
  }

  #took(bytes: number): void {
    this.#taken += bytes;
    if (this.#outcome !== "open" || this.#taken < CREDIT_STEP_BYTES) return;
    this.#send({ kind: "body-credit", bodyId: this.id, bytes: this.#taken });
    this.#owed -= this.#taken;
    this.#taken = 0;
  }

  #gather(piece: Uint8Array): void {
    this.#frame ??= Buffer.allocUnsafeSlow(this.#frameBytes);
    this.#frame.set(piece, this.#frameFill);
    this.#frameFill += piece.length;
    if (this.#frameFill === this.#frameBytes) this.#frameEnds();
  }

  #frameEnds(): void {
    if (this.#frame !== undefined) this.#keep(this.#frame.subarray(0, this.#frameFill));
    this.#frame = undefined;
    this.#frameFill = 0;
  }

  #keep(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wakeUp();
  }

  /** Whoever pours hears of the end. */
  #settle(): void {
    if (this.#outcome === "complete") this.#pouring?.resolve();
    if (this.#outcome === "failed") this.#pouring?.reject(unfinished());
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function unfinished(): BackendError {
  return new BackendError("body.failed", "the sender could not finish it");
}
