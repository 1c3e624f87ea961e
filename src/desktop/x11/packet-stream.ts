// What an X server sends, cut into its packets: the data of answers that somebody waits for is handed on as it comes, instead
// of being gathered; everything else is for the library.
import type { ReadBlocks } from "./read-blocks.ts";

/** Of an error, of an event, and of an answer before its data. */
const HEAD_BYTES = 32;
/** Of the server's first words. */
const SETUP_HEAD_BYTES = 8;
const ERROR = 0;
const REPLY = 1;
/** The only event that may be longer; the highest bit says that a client has sent it. */
const GENERIC_EVENT = 35;

/** Takes one answer. */
export interface AnswerSink {
  /** Its first 32 bytes, to be looked at in this call; `bytes` follow. */
  begins(head: Buffer, bytes: number): void;
  /** The memory is the sink's, and to be given back. */
  piece(piece: Buffer): void;
  ended(): void;
  /** There is none, or no more of it, but an X error of this number, or the end of the connection. */
  failed(error: number | "closed"): void;
}

export class PacketStream {
  readonly #blocks: ReadBlocks;
  readonly #library: (bytes: Buffer) => void;
  readonly #awaited: { readonly sequence: number; readonly sink: AnswerSink }[] = [];
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = SETUP_HEAD_BYTES;
  #headFill = 0;
  /** Bytes of the packet under way, and whose they are. */
  #left = 0;
  #sink: AnswerSink | undefined;

  /** `library`: takes whole packets or parts of them; the memory is its own. */
  constructor(blocks: ReadBlocks, library: (bytes: Buffer) => void) {
    this.#blocks = blocks;
    this.#library = library;
  }

  /** The answer to the request with this number is the sink's. In the order of the requests. */
  await(sequence: number, sink: AnswerSink): void {
    this.#awaited.push({ sequence: sequence & 0xffff, sink });
  }

  /** Bytes in the room of the blocks. */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) at += this.#takeHead(bytes, at);
      else {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#take(piece);
      }
    }
  }

  /** The connection is over. */
  end(): void {
    this.#sink?.failed("closed");
    this.#sink = undefined;
    for (const { sink } of this.#awaited.splice(0)) sink.failed("closed");
  }

  #takeHead(bytes: Buffer, from: number): number {
    const taken = bytes.copy(this.#head, this.#headFill, from, from + this.#headBytes - this.#headFill);
    this.#headFill += taken;
    if (this.#headFill === this.#headBytes) {
      this.#headFill = 0;
      if (this.#headBytes === HEAD_BYTES) this.#begins();
      else this.#setupBegins();
    }
    return taken;
  }

  #setupBegins(): void {
    this.#left = this.#head.readUInt16LE(6) * 4;
    const head = Buffer.from(this.#head.subarray(0, SETUP_HEAD_BYTES));
    this.#headBytes = HEAD_BYTES;
    this.#library(head);
  }

  #begins(): void {
    const type = this.#head.readUInt8(0);
    const isLonger = type === REPLY || (type & 0x7f) === GENERIC_EVENT;
    this.#left = isLonger ? this.#head.readUInt32LE(4) * 4 : 0;
    const [next] = this.#awaited;
    const isAwaited = type === REPLY || type === ERROR;
    if (next === undefined || !isAwaited || this.#head.readUInt16LE(2) !== next.sequence)
      return this.#library(Buffer.from(this.#head));
    this.#awaited.shift();
    if (type === ERROR) return next.sink.failed(this.#head.readUInt8(1));
    next.sink.begins(this.#head, this.#left);
    if (this.#left === 0) next.sink.ended();
    else this.#sink = next.sink;
  }

  #take(piece: Buffer): void {
    this.#left -= piece.length;
    const sink = this.#sink;
    if (sink === undefined) return this.#library(Buffer.from(piece));
    if (this.#left === 0) this.#sink = undefined;
    this.#blocks.handOut(piece);
    sink.piece(piece);
    if (this.#left === 0) sink.ended();
  }
}
