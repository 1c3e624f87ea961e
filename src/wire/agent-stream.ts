// From the bytes of the port to messages: chunks, then one reassembly for each of the two chunk ports.
// A chunk never holds bytes of two messages, so every chunk is a place to find one's feet again.
import { ChunkPort, PROTOCOL } from "./agent-constants.ts";
import { chunkHeader, messageHeader } from "./agent-frame.ts";
import { ByteReader, DecodeError, joined } from "./bytes.ts";
import { isKnownType, messageName } from "./catalogue.ts";

/** Hosts send at most 2048 bytes a chunk; what is larger than this is no chunk but noise. */
export const MAX_CHUNK_BYTES = 64 * 1024;
/** A message that is handed on whole. The largest real one is GRAPHICS_DEVICE_INFO of very many displays. */
export const MAX_WHOLE_BYTES = 64 * 1024;
/** A message whose data is streamed. Beyond it a size is taken for noise. */
export const MAX_STREAMED_BYTES = 1024 * 1024 * 1024;
/** A message that nobody will read is passed over up to this size; counting off more would deafen the port. */
export const MAX_SKIPPED_BYTES = 1024 * 1024;

export interface AgentStreamSink {
  /** A message in one piece. The memory is the receiver's to keep. */
  message(port: ChunkPort, type: number, body: Uint8Array): void;
  /** A streamed message begins; `dataBytes` bytes of data follow as pieces, then `dataEnd`. */
  dataBegin(port: ChunkPort, type: number, head: Uint8Array, dataBytes: number): void;
  /** The memory is the port's: it is written over after the call. */
  dataPiece(port: ChunkPort, piece: Uint8Array): void;
  dataEnd(port: ChunkPort): void;
  /** The streamed message will not be finished. */
  dataAbort(port: ChunkPort): void;
  /** Bytes were dropped for this reason; the stream goes on. `type`: of a whole message of a known type, and no other. */
  dropped(port: number, error: DecodeError, type?: number): void;
}

export interface AgentStreamOptions {
  /** Head size of a streamed type under the layout in force now; undefined for types handed on whole. */
  readonly headSize: (type: number) => number | undefined;
}

/** Takes the port's bytes in pieces of any size. */
export class AgentStream {
  readonly #sink: AgentStreamSink;
  readonly #assemblers: ReadonlyMap<number, Assembler>;
  readonly #header = new Uint8Array(chunkHeader.size);
  #headerFill = 0;
  #chunkLeft = 0;
  #current: Assembler | undefined;

  constructor(sink: AgentStreamSink, options: AgentStreamOptions) {
    this.#sink = sink;
    this.#assemblers = new Map(
      Object.values(ChunkPort).map((port) => [port, new Assembler(port, sink, options.headSize)]),
    );
  }

  /** A DecodeError thrown from here means that the framing is lost: close the port, open it again, start a new stream. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#current === undefined) at += this.#takeHeader(bytes.subarray(at));
      else at += this.#takeData(this.#current, bytes.subarray(at));
    }
  }

  /** Forgets a half-received message of one port: the rest of it will never come, but for what is left of its chunk. */
  reset(port: ChunkPort): void {
    const assembler = this.#assemblers.get(port);
    assembler?.reset(assembler === this.#current);
  }

  #takeHeader(bytes: Uint8Array): number {
    const taken = Math.min(this.#header.length - this.#headerFill, bytes.length);
    this.#header.set(bytes.subarray(0, taken), this.#headerFill);
    this.#headerFill += taken;
    if (this.#headerFill < this.#header.length) return taken;
    this.#headerFill = 0;
    const { port, size } = chunkHeader.read(new ByteReader(this.#header));
    const assembler = this.#assemblers.get(port);
    if (assembler === undefined) throw new DecodeError("bad-port", `chunk for port ${port}`);
    if (size > MAX_CHUNK_BYTES) throw new DecodeError("chunk-too-large", `chunk of ${size} bytes`);
    if (size === 0) {
      this.#sink.dropped(port, new DecodeError("chunk-empty", "chunk of 0 bytes"));
      return taken;
    }
    this.#chunkLeft = size;
    this.#current = assembler;
    return taken;
  }

  #takeData(assembler: Assembler, bytes: Uint8Array): number {
    const piece = bytes.length > this.#chunkLeft ? bytes.subarray(0, this.#chunkLeft) : bytes;
    this.#chunkLeft -= piece.length;
    if (this.#chunkLeft === 0) this.#current = undefined;
    assembler.push(piece, this.#chunkLeft === 0);
    return piece.length;
  }
}

type AssemblerState =
  | { readonly kind: "header" }
  | { readonly kind: "whole"; readonly type: number; readonly pieces: Uint8Array[]; left: number }
  | { readonly kind: "head"; readonly type: number; readonly head: Uint8Array; readonly dataBytes: number }
  | { readonly kind: "data"; left: number }
  /** Passing over the rest of a message whose size is believed. */
  | { readonly kind: "skip"; left: number }
  /** Passing over the rest of this chunk: its message is complete, or was never one. */
  | { readonly kind: "resync" };

/** Reassembles the messages of one chunk port. */
class Assembler {
  readonly #port: ChunkPort;
  readonly #sink: AgentStreamSink;
  readonly #headSize: (type: number) => number | undefined;
  readonly #header = new Uint8Array(messageHeader.size);
  #fill = 0;
  #state: AssemblerState = { kind: "header" };
  #messageEndedInChunk = false;

  constructor(port: ChunkPort, sink: AgentStreamSink, headSize: (type: number) => number | undefined) {
    this.#port = port;
    this.#sink = sink;
    this.#headSize = headSize;
  }

  reset(amidChunk: boolean): void {
    const wasData = this.#state.kind === "data";
    this.#enter({ kind: amidChunk ? "resync" : "header" });
    if (wasData) this.#sink.dataAbort(this.#port);
  }

  push(piece: Uint8Array, chunkEnds: boolean): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#messageEndedInChunk && this.#state.kind === "header") {
        this.#enter({ kind: "resync" });
        this.#sink.dropped(
          this.#port,
          new DecodeError("chunk-overrun", "bytes after the end of a message in its chunk"),
        );
      }
      at += this.#take(piece.subarray(at));
    }
    if (!chunkEnds) return;
    this.#messageEndedInChunk = false;
    // Half a header is kept, not dropped: a host may cut its messages into chunks of a single byte.
    if (this.#state.kind === "resync") this.#enter({ kind: "header" });
  }

  #take(bytes: Uint8Array): number {
    const state = this.#state;
    switch (state.kind) {
      case "header": {
        const taken = this.#collect(this.#header, bytes);
        if (this.#fill === this.#header.length) this.#begin();
        return taken;
      }
      case "whole": {
        const piece = bytes.length > state.left ? bytes.subarray(0, state.left) : bytes;
        state.pieces.push(new Uint8Array(piece));
        state.left -= piece.length;
        if (state.left === 0) this.#endWhole(state.type, joined(state.pieces));
        return piece.length;
      }
      case "head": {
        const taken = this.#collect(state.head, bytes);
        if (this.#fill === state.head.length) this.#beginData(state.type, state.head, state.dataBytes);
        return taken;
      }
      case "data": {
        const piece = bytes.length > state.left ? bytes.subarray(0, state.left) : bytes;
        state.left -= piece.length;
        // Left first: the sink may reset us, and then this message is over for both.
        if (state.left === 0) this.#ended();
        this.#sink.dataPiece(this.#port, piece);
        if (state.left === 0) this.#sink.dataEnd(this.#port);
        return piece.length;
      }
      case "skip": {
        const taken = Math.min(state.left, bytes.length);
        state.left -= taken;
        if (state.left === 0) this.#ended();
        return taken;
      }
      case "resync":
        return bytes.length;
      default:
        return state satisfies never;
    }
  }

  #collect(into: Uint8Array, bytes: Uint8Array): number {
    const taken = Math.min(into.length - this.#fill, bytes.length);
    into.set(bytes.subarray(0, taken), this.#fill);
    this.#fill += taken;
    return taken;
  }

  #begin(): void {
    const { protocol, type, size } = messageHeader.read(new ByteReader(this.#header));
    if (protocol !== PROTOCOL) {
      this.#enter({ kind: "resync" });
      this.#sink.dropped(this.#port, new DecodeError("bad-protocol", `protocol ${protocol}`));
      return;
    }
    if (!isKnownType(type))
      return this.#skip(size, new DecodeError("unknown-type", `message type ${type}, ${size} bytes`));
    const headBytes = this.#headSize(type);
    if (headBytes === undefined) {
      if (size > MAX_WHOLE_BYTES)
        return this.#skip(size, new DecodeError("too-large", `${messageName(type)} of ${size} bytes`), type);
      if (size === 0) return this.#endWhole(type, new Uint8Array(0));
      return this.#enter({ kind: "whole", type, pieces: [], left: size });
    }
    if (size < headBytes)
      return this.#skip(size, new DecodeError("truncated", `${messageName(type)} of ${size} bytes`), type);
    if (size > MAX_STREAMED_BYTES) throw new DecodeError("too-large", `${messageName(type)} of ${size} bytes`);
    this.#enter({ kind: "head", type, head: new Uint8Array(headBytes), dataBytes: size - headBytes });
  }

  #skip(size: number, error: DecodeError, type?: number): void {
    if (size > MAX_SKIPPED_BYTES) throw error;
    if (size === 0) this.#ended();
    else this.#enter({ kind: "skip", left: size });
    this.#sink.dropped(this.#port, error, type);
  }

  #endWhole(type: number, body: Uint8Array): void {
    this.#ended();
    this.#sink.message(this.#port, type, body);
  }

  #beginData(type: number, head: Uint8Array, dataBytes: number): void {
    if (dataBytes === 0) this.#ended();
    else this.#enter({ kind: "data", left: dataBytes });
    this.#sink.dataBegin(this.#port, type, head, dataBytes);
    if (dataBytes === 0) this.#sink.dataEnd(this.#port);
  }

  #ended(): void {
    this.#messageEndedInChunk = true;
    this.#enter({ kind: "header" });
  }

  #enter(state: AssemblerState): void {
    this.#state = state;
    this.#fill = 0;
  }
}
