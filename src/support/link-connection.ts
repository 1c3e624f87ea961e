// The link between daemon and session over any duplex: a socket, or in `run` a pair in memory.
// Messages go out in order; bodies go in pieces under credit, so that a stalled body holds back nothing else.
import type { Duplex } from "node:stream";
import { DecodeError } from "../wire/bytes.ts";
import { encodeLinkFrame, encodeLinkHeader, LinkFrameStream, MAX_FRAME_DATA_BYTES } from "../wire/link/frame.ts";
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from "../wire/link/messages.ts";
import { BackendError, describeError } from "./errors.ts";
import type { Log } from "./log.ts";

/** Bytes of one body that may be under way before the receiver has taken any. */
const BODY_WINDOW_BYTES = 512 * 1024;
/** Data of a frame that is joined to its header; more is cheaper to send after it than to copy. */
const COPIED_DATA_BYTES = 4096;
/** Bodies open at once from the other side; more is a fault of its own. */
const MAX_INCOMING_BODIES = 1024;

type BodyMessage = Extract<LinkMessage, { readonly kind: `body-${string}` }>;
export type LinkControlMessage = Exclude<LinkMessage, BodyMessage>;

export interface LinkHandlers {
  /** A body named by the message is there already: take it with `incomingBody`. */
  message(message: LinkControlMessage): void;
  /** Once, whatever the reason. */
  closed(): void;
}

export class LinkConnection implements AsyncDisposable {
  readonly #duplex: Duplex;
  readonly #handlers: LinkHandlers;
  readonly #log: Log;
  readonly #outgoing = new Map<number, OutgoingBody>();
  readonly #incoming = new Map<number, IncomingBody>();
  #nextBodyId = 1;
  #closed = false;

  constructor(duplex: Duplex, handlers: LinkHandlers, log: Log) {
    this.#duplex = duplex;
    this.#handlers = handlers;
    this.#log = log;
    const frames = new LinkFrameStream((frame) => {
      try {
        this.#receive(decodeLinkMessage(frame));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#log.warn(`message ignored: ${describeError(error)}`);
      }
    });
    duplex.on("data", (bytes: Uint8Array) => {
      try {
        frames.push(bytes);
      } catch (error) {
        // Anything else is a fault of ours, and to be seen.
        if (!(error instanceof DecodeError)) throw error;
        this.#log.error(`closing: ${describeError(error)}`);
        this.#close();
      }
    });
    duplex.on("error", (error) => this.#log.warn(`lost: ${describeError(error)}`));
    duplex.on("end", () => this.#close());
    duplex.on("close", () => this.#close());
  }

  send(message: LinkMessage): void {
    if (this.#closed) return;
    const frame = encodeLinkMessage(message);
    if (frame.data.length < COPIED_DATA_BYTES) {
      this.#duplex.write(encodeLinkFrame(frame));
      return;
    }
    this.#duplex.cork();
    this.#duplex.write(encodeLinkHeader(frame));
    this.#duplex.write(frame.data);
    this.#duplex.uncork();
  }

  /** A body of ours: name it in a message, then write it. */
  openBody(): OutgoingBody {
    const id = this.#nextBodyId;
    this.#nextBodyId = (this.#nextBodyId % 0xffffffff) + 1;
    const body = new OutgoingBody(id, (message) => {
      if (message.kind === "body-end") this.#outgoing.delete(id);
      this.send(message);
    });
    if (this.#closed) body.cancelled();
    else this.#outgoing.set(id, body);
    return body;
  }

  /** The body that a message has just named. */
  incomingBody(bodyId: number): IncomingBody {
    const body = new IncomingBody(bodyId, (message) => {
      if (message.kind === "body-cancel") this.#incoming.delete(bodyId);
      this.send(message);
    });
    if (this.#closed || this.#incoming.has(bodyId) || this.#incoming.size >= MAX_INCOMING_BODIES) body.ended(false);
    else this.#incoming.set(bodyId, body);
    return body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #receive(message: LinkMessage): void {
    // A message may close us; those that came with it are for nobody then.
    if (this.#closed) return;
    switch (message.kind) {
      case "body-piece":
        this.#incoming.get(message.bodyId)?.arrived(message.piece);
        return;
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
      default:
        this.#handlers.message(message);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const body of this.#outgoing.values()) body.cancelled();
    for (const body of this.#incoming.values()) body.ended(false);
    this.#outgoing.clear();
    this.#incoming.clear();
    this.#duplex.destroy();
    this.#handlers.closed();
  }
}

/** A body we send. */
export class OutgoingBody {
  readonly id: number;
  readonly #send: (message: BodyMessage) => void;
  readonly #cancel = new AbortController();
  #credit = BODY_WINDOW_BYTES;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(id: number, send: (message: BodyMessage) => void) {
    this.id = id;
    this.#send = send;
  }

  /** Aborted when the other side no longer wants it, or is gone. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Resolves when the piece is on its way. Throws `link.closed` when nobody wants it any more. */
  async write(piece: Uint8Array): Promise<void> {
    for (let rest = piece; rest.length > 0; ) {
      while (this.#credit <= 0 && !this.signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.signal.aborted) throw new BackendError("link.closed", "the body is no longer wanted");
      const part = rest.subarray(0, Math.min(this.#credit, MAX_FRAME_DATA_BYTES));
      this.#credit -= part.length;
      rest = rest.subarray(part.length);
      this.#send({ kind: "body-piece", bodyId: this.id, piece: part });
    }
  }

  /** That was all; `complete` false: the rest could not be had. */
  end(complete: boolean): void {
    if (this.#ended || this.signal.aborted) return;
    this.#ended = true;
    this.#send({ kind: "body-end", bodyId: this.id, complete });
  }

  /** Stops at once, also a write that waits for leave to go on. */
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

/** A body we receive: iterate it once. Taking a piece gives the sender leave to send as much again. */
export class IncomingBody {
  readonly id: number;
  readonly #send: (message: BodyMessage) => void;
  readonly #pieces: Uint8Array[] = [];
  #buffered = 0;
  #outcome: "open" | "complete" | "failed" = "open";
  #wake: (() => void) | undefined;

  constructor(id: number, send: (message: BodyMessage) => void) {
    this.id = id;
    this.#send = send;
  }

  /** Throws `body.failed` when the sender could not finish it, or `cancel` was called. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#buffered -= piece.length;
          if (this.#outcome === "open") this.#send({ kind: "body-credit", bodyId: this.id, bytes: piece.length });
          yield piece;
        } else if (this.#outcome === "open") {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        } else if (this.#outcome === "failed") {
          throw new BackendError("body.failed", "the sender could not finish it");
        } else {
          return;
        }
      }
    } finally {
      // Whoever stops iterating early does not want the rest.
      this.cancel();
    }
  }

  /** No more of it is wanted. */
  cancel(): void {
    if (this.#outcome !== "open") return;
    this.ended(false);
    this.#send({ kind: "body-cancel", bodyId: this.id });
  }

  arrived(piece: Uint8Array): void {
    // An empty piece costs no credit, so keeping it would be keeping any number of them.
    if (this.#outcome !== "open" || piece.length === 0) return;
    this.#buffered += piece.length;
    // The sender went beyond its credit: it is broken, and we are not to pay for it.
    if (this.#buffered > BODY_WINDOW_BYTES) return this.cancel();
    this.#pieces.push(piece);
    this.#wakeUp();
  }

  ended(complete: boolean): void {
    if (this.#outcome !== "open") return;
    this.#outcome = complete ? "complete" : "failed";
    if (!complete) this.#pieces.length = 0;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
