// Messages over the port: bytes in are decoded and handed on, messages out are framed and queued.
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError, PortError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { Spool } from "../support/spool.ts";
import { ChunkPort } from "../wire/agent-constants.ts";
import { encodeFrame } from "../wire/agent-frame.ts";
import { AgentStream, type AgentStreamSink } from "../wire/agent-stream.ts";
import { DecodeError } from "../wire/bytes.ts";
import { type AgentMessage, decodeMessage, messageName, streamedHeadSize } from "../wire/catalogue.ts";
import type { Layout } from "../wire/codec.ts";
import type { PortOpener } from "./ports/port.ts";
import { ReopeningPort } from "./ports/reopening-port.ts";

/** Control messages that wait for a host that does not read; more, and the port is given up. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Bodies that wait for it; real viewers ask for a handful. */
const MAX_WAITING_BODIES = 32;
/** How long the host is made to wait when a body arrives faster than it can be put away. */
const HOLD_MS = 20;

/** A message that has a body of its own after its head. */
export type StreamedMessage = AgentMessage<"CLIPBOARD" | "FILE_XFER_DATA">;

/** Takes one streamed body. */
export interface BodySink {
  /** False: more than can be put away at once. */
  piece(piece: Uint8Array): boolean;
  end(): void;
  /** The rest will never come. */
  abort(): void;
}

export interface AgentChannelHandlers {
  opened(): void;
  closed(): void;
  message(message: AgentMessage): void;
  /** A body begins; undefined: nobody wants it, it is read over. */
  body(head: StreamedMessage, bytes: number): BodySink | undefined;
  /** A message of a known type was nonsense; `body` is what there is of it, or of its head: nothing of what was passed over. */
  undecodable(type: number, body: Uint8Array): void;
  /** The layout in force. */
  layout(): Layout;
}

interface Outgoing {
  readonly frame: Uint8Array;
  readonly body?: Spool;
}

export class AgentChannel implements AsyncDisposable {
  readonly #handlers: AgentChannelHandlers;
  readonly #log: Log;
  readonly #port: ReopeningPort;
  #stream: AgentStream | undefined;
  #queue: Outgoing[] = [];
  #queuedBytes = 0;
  #queuedBodies = 0;
  #isSending = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(open: PortOpener, handlers: AgentChannelHandlers, clock: Clock, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
    this.#port = new ReopeningPort(
      open,
      {
        opened: () => {
          this.#stream = this.#newStream();
          this.#handlers.opened();
        },
        data: (bytes) => this.#received(bytes),
        closed: () => this.#closed(),
      },
      clock,
      log,
    );
  }

  start(): void {
    this.#port.start();
  }

  /** Until the next start; what waits is forgotten. */
  stop(): void {
    this.#port.stop();
  }

  get isOpen(): boolean {
    return this.#port.isOpen;
  }

  get fault(): PortError | undefined {
    return this.#port.fault;
  }

  /** Closes the port and opens it anew. */
  reopen(why: string): void {
    this.#port.reset(new PortError("port.reopened", why));
  }

  /** The host speaks the protocol. */
  confirm(): void {
    this.#port.confirm();
  }

  /** A half-received message of the viewer is over. */
  forgetViewerMessage(): void {
    this.#stream?.reset(ChunkPort.CLIENT);
  }

  /** What waits was for a viewer that has gone; the next one would take it for its own. */
  forgetQueued(): void {
    for (const { body } of this.#queue) void body?.[Symbol.asyncDispose]();
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#queuedBodies = 0;
  }

  send(message: AgentMessage): void {
    this.#enqueue({ frame: encodeFrame(ChunkPort.CLIENT, message, this.#handlers.layout()) });
  }

  /** The whole body must be in the spool: the header carries its size, and nothing else can go out in between. */
  sendWithBody(head: StreamedMessage, body: Spool): void {
    const frame = encodeFrame(ChunkPort.CLIENT, head, this.#handlers.layout(), body.writtenBytes);
    this.#enqueue({ frame, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#port[Symbol.asyncDispose]();
    await this.#sending;
  }

  #received(bytes: Uint8Array): void {
    try {
      this.#stream?.push(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new PortError("port.protocol", `framing lost: ${describeError(error)}`);
    }
  }

  #closed(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    for (const port of Object.values(ChunkPort)) stream?.reset(port);
    this.forgetQueued();
    this.#handlers.closed();
  }

  #newStream(): AgentStream {
    const sinks = new Map<ChunkPort, BodySink>();
    const dropped = (port: number, error: DecodeError, type?: number): void => {
      this.#log.warn(`message dropped: port ${port}: ${describeError(error)}`);
      if (type !== undefined) this.#handlers.undecodable(type, new Uint8Array(0));
    };
    const decoded = (port: ChunkPort, type: number, body: Uint8Array): AgentMessage | undefined => {
      try {
        return decodeMessage(type, body, this.#handlers.layout());
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#log.warn(`message dropped: port ${port}: ${messageName(type)}: ${describeError(error)}`);
        this.#handlers.undecodable(type, body);
        return undefined;
      }
    };
    const sink: AgentStreamSink = {
      message: (port, type, body) => {
        const message = decoded(port, type, body);
        if (message !== undefined) this.#handlers.message(message);
      },
      dataBegin: (port, type, head, bytes) => {
        const message = decoded(port, type, head);
        if (message === undefined) return;
        const taker = this.#handlers.body(message as StreamedMessage, bytes);
        if (taker !== undefined) sinks.set(port, taker);
      },
      dataPiece: (port, piece) => {
        if (sinks.get(port)?.piece(piece) === false) this.#port.hold(HOLD_MS);
      },
      dataEnd: (port) => {
        sinks.get(port)?.end();
        sinks.delete(port);
      },
      dataAbort: (port) => {
        sinks.get(port)?.abort();
        sinks.delete(port);
      },
      dropped,
    };
    return new AgentStream(sink, { headSize: (type) => streamedHeadSize(type, this.#handlers.layout()) });
  }

  #enqueue(item: Outgoing): void {
    // Without an open port nothing may wait: it would reach the next viewer, who knows nothing of it.
    if (!this.#port.isOpen) {
      void item.body?.[Symbol.asyncDispose]();
      return;
    }
    this.#queue.push(item);
    this.#queuedBytes += item.frame.length;
    if (item.body !== undefined) this.#queuedBodies += 1;
    if (this.#queuedBytes > MAX_WAITING_BYTES || this.#queuedBodies > MAX_WAITING_BODIES) {
      this.#port.reset(new PortError("port.failed", "the host does not read what it asks for"));
      return;
    }
    if (!this.#isSending) this.#sending = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      this.#queuedBytes -= item.frame.length;
      if (item.body !== undefined) this.#queuedBodies -= 1;
      const opening = this.#stream;
      if (!this.#port.write([item.frame, ...(item.body?.takeWaiting() ?? [])])) await this.#port.drained();
      if (item.body !== undefined) await this.#sendBody(item.body, opening);
    }
    this.#isSending = false;
  }

  async #sendBody(body: Spool, opening: AgentStream | undefined): Promise<void> {
    await using spool = body;
    try {
      const readNext = (): Promise<Uint8Array | undefined> => {
        const next = spool.read();
        // It is awaited, and its failure seen, only when the host has taken the piece before.
        next.catch(() => {});
        return next;
      };
      let reading = readNext();
      for (let piece = await reading; piece !== undefined; piece = await reading) {
        // The port was opened anew meanwhile: the rest belongs to no message there.
        if (this.#stream !== opening) return;
        const sent = piece;
        const hasRoom = this.#port.write([piece], () => spool.giveBack(sent));
        // The next piece comes from the disk while the host takes this one.
        reading = readNext();
        if (!hasRoom) await this.#port.drained();
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      // A started message cannot be taken back; only a new opening gets host and guest in step again.
      this.#port.reset(new PortError("port.failed", `a body could not be sent: ${describeError(error)}`));
    }
  }
}
