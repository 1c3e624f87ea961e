// What the two ways of speaking on the link have in common: messages, and content that goes as bodies beside them.
import type { LinkFrame } from "../../wire/link/frame.ts";
import type { GreetingMessage, LinkMessage, PlainContentMessage } from "../../wire/link/messages.ts";

type BodyMessage = Extract<LinkMessage, { readonly kind: `body-${string}` }>;

/** What the halves say to each other, whatever it looks like on the wire. */
export type LinkControlMessage = Exclude<LinkMessage, BodyMessage | GreetingMessage | PlainContentMessage>;

/** Which half we are. */
export type LinkRole = "daemon" | "session";

/** A body of ours: name it in a message, then write it. */
export interface OutgoingBody {
  readonly id: number;
  /** Aborted when the other side no longer wants it, or is gone. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the next may be written. The piece's memory is the body's from here on, until `onRead` is called, which
   * happens only where the other half is another process. Throws `link.closed` when nobody wants it any more.
   */
  write(piece: Uint8Array, onRead?: () => void): Promise<void>;
  /** That was all; `complete` false: the rest could not be had. */
  end(complete: boolean): void;
  /** Stops at once, also a write that waits for leave to go on. */
  abandon(): void;
}

/**
 * A body of theirs: iterate it, or pour it out, once. Throws `body.failed` when the sender could not finish it, or `cancel`
 * was called.
 */
export interface IncomingBody extends AsyncIterable<Uint8Array> {
  readonly id: number;
  /**
   * Hands on what has come and what comes, in the turn in which it comes. What `take` returns is waited for before the other
   * half may send more than is under way already; what it throws, or rejects with, is thrown, and the rest not wanted.
   */
  pour(take: TakePiece): Promise<void>;
  /** No more of it is wanted. */
  cancel(): void;
}

/** `isKept`: the memory may be kept. Otherwise it is written over after the call. */
export type TakePiece = (piece: Uint8Array, isKept: boolean) => Promise<void> | undefined;

/** The link's way out. */
export interface FrameWriter {
  /** Content of a body that one frame may carry. */
  readonly pieceBytes: number;
  /** `onRead`: the data is out of this process. Never called where it is not to leave it. */
  put(frame: LinkFrame, onRead?: () => void): void;
  /** Pieces of bodies, of which there may be many at once, wait until it is not. */
  readonly isFull: boolean;
  /** Resolves when more can be put, or the link is closed. */
  drained(): Promise<void>;
  /** The header of a frame whose `bytes` of data follow by `putData`, with nothing put in between. */
  putHead(frame: Omit<LinkFrame, "data">, bytes: number): void;
  /** Resolves when the next piece may be put, or the link is closed. */
  putData(piece: Uint8Array): Promise<void>;
  /** What is put in this turn goes out together. */
  gather(): void;
  /** The link is of no more use. */
  fail(reason: string): void;
}

export interface LinkDialect {
  readonly name: "extended" | "plain";
  send(message: LinkControlMessage): void;
  openBody(): OutgoingBody;
  /** A body for the bytes of a file whose start was sent; the other side is told of it. */
  openFileBody(fileId: number): OutgoingBody;
  /** The body that a message has just named. */
  incomingBody(bodyId: number): IncomingBody;
  /** Throws a DecodeError for what has no place in this dialect. */
  receive(message: LinkMessage): void;
  /** A CLIPBOARD_DATA, FILE_XFER_DATA or BODY_PIECE frame begins. Throws a DecodeError like `receive`. */
  dataBegin(frame: Omit<LinkFrame, "data">, bytes: number): void;
  /** `isKept`: the memory is the dialect's from here on. Otherwise it is written over after the call. */
  dataPiece(piece: Uint8Array, isKept: boolean): void;
  dataEnd(): void;
  /** Every body that is open fails. */
  close(): void;
}
