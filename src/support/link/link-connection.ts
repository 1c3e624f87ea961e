// The link between daemon and session over any duplex: a socket, or in `run` a pair in memory.
// The first frames settle how it is spoken: our extension where both sides know it, else as upstream's halves do.
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DecodeError } from "../../wire/bytes.ts";
import {
  encodeLinkFrame,
  encodeLinkHeader,
  LinkFrameStream,
  MAX_FRAME_DATA_BYTES,
  MAX_STREAMED_DATA_BYTES,
} from "../../wire/link/frame.ts";
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage, LinkType } from "../../wire/link/messages.ts";
import type { Clock } from "../clock.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import { nextDrain } from "../next-drain.ts";
import type { FrameWriter, IncomingBody, LinkControlMessage, LinkDialect, LinkRole, OutgoingBody } from "./dialect.ts";
import { ExtendedDialect } from "./extended-dialect.ts";
import { PlainDialect } from "./plain-dialect.ts";

/** The extension's number: another means another set of frames. */
const EXTENSION = 1;
/** A daemon that has said its version and then nothing for this long does not know the extension. */
const HELLO_TIMEOUT_MS = 1000;
/** Content of a body in one frame in memory, where nothing waits for its bytes to pass. */
const MAX_PIECE_BYTES_IN_MEMORY = 256 * 1024;
/** Data of a frame that is joined to its header; more is cheaper to send after it than to copy. */
const COPIED_DATA_BYTES = 4096;
/** What waits for a half that does not read: from here on content waits, too, of which many bodies may have some. */
const FULL_BYTES = 1024 * 1024;
/** More, and it is given up: content alone never comes to that. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
const MAX_UNREAD_FRAMES = 16 * 1024;

export interface LinkOptions {
  readonly role: LinkRole;
  /** What we call ourselves. Upstream's session stays only with a daemon of its own version. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LinkHandlers {
  /** Once: both sides know how they speak, and `send` may be called. */
  ready(): void;
  /** A body named by the message is there already: take it with `incomingBody`. */
  message(message: LinkControlMessage): void;
  /** Once, whatever the reason. */
  closed(): void;
}

export class LinkConnection implements AsyncDisposable {
  readonly #duplex: Duplex;
  readonly #options: LinkOptions;
  readonly #handlers: LinkHandlers;
  #dialect: LinkDialect | undefined;
  #peerVersion: string | undefined;
  #helloTimer: Disposable | undefined;
  #hasGuessed = false;
  #unreadFrames = 0;
  #closed = false;

  constructor(duplex: Duplex, options: LinkOptions, handlers: LinkHandlers) {
    this.#duplex = duplex;
    this.#options = options;
    this.#handlers = handlers;
    const isKept = !isOtherProcess(duplex);
    const streamedTypes = new Map<number, number>([
      [LinkType.CLIPBOARD_DATA, MAX_STREAMED_DATA_BYTES],
      [LinkType.FILE_XFER_DATA, MAX_STREAMED_DATA_BYTES],
      [LinkType.BODY_PIECE, maxPieceBytes(duplex)],
    ]);
    const frames = new LinkFrameStream(
      {
        frame: (frame) => this.#tolerant(() => this.#received(decodeLinkMessage(frame))),
        dataBegin: (frame, bytes) => this.#tolerant(() => this.#settled().dataBegin(frame, bytes)),
        dataPiece: (piece) => this.#dialect?.dataPiece(piece, isKept),
        dataEnd: () => this.#dialect?.dataEnd(),
      },
      streamedTypes,
    );
    duplex.on("data", (bytes: Uint8Array) => {
      // A stream hands on what it has buffered even after it was destroyed.
      if (this.#closed) return;
      try {
        frames.push(bytes);
      } catch (error) {
        // Anything else is a fault of ours, and to be seen.
        if (!(error instanceof DecodeError)) throw error;
        this.#fail(describeError(error));
      }
    });
    duplex.on("error", (error) => options.log.warn(`lost: ${describeError(error)}`));
    duplex.on("end", () => this.#close());
    duplex.on("close", () => this.#close());
    const { role, version } = options;
    if (role === "daemon") this.#put({ kind: "version", version });
    else this.#put({ kind: "hello", extension: EXTENSION, version });
  }

  /** How it is spoken; undefined until the other side's first words. */
  get dialect(): LinkDialect["name"] | undefined {
    return this.#dialect?.name;
  }

  /** What the other side calls itself, if it has said so. */
  get peerVersion(): string | undefined {
    return this.#peerVersion;
  }

  /** Not before `ready`. */
  send(message: LinkControlMessage): void {
    if (!this.#closed) this.#settled().send(message);
  }

  openBody(): OutgoingBody {
    return this.#settled().openBody();
  }

  /** A body for the bytes of a file whose start was sent. */
  openFileBody(fileId: number): OutgoingBody {
    return this.#settled().openFileBody(fileId);
  }

  /** The body that a message has just named. */
  incomingBody(bodyId: number): IncomingBody {
    return this.#settled().incomingBody(bodyId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #received(message: LinkMessage): void {
    // A message may close us; those that came with it are for nobody then.
    if (this.#closed) return;
    if (this.#dialect !== undefined) {
      // Its answer came after we had guessed, and it takes us to speak as it does.
      if (message.kind === "hello" && this.#hasGuessed) return this.#fail("its hello came too late");
      return this.#dialect.receive(message);
    }
    const { role, version, clock, log } = this.#options;
    if (message.kind === "version" && role === "session") {
      this.#peerVersion = message.version;
      this.#helloTimer ??= clock.after(HELLO_TIMEOUT_MS, () => {
        this.#hasGuessed = true;
        this.#settled();
      });
      return;
    }
    if (message.kind === "hello") {
      this.#peerVersion = message.version;
      if (message.extension !== EXTENSION)
        log.warn(`${message.version} speaks extension ${message.extension}: not ours`);
      if (role === "daemon") this.#put({ kind: "hello", extension: EXTENSION, version });
      return this.#settle(message.extension === EXTENSION ? ExtendedDialect : PlainDialect);
    }
    this.#settled().receive(message);
  }

  /** Whoever says anything but hello first does not know the extension. */
  #settled(): LinkDialect {
    if (this.#dialect === undefined) this.#settle(PlainDialect);
    return this.#dialect as unknown as LinkDialect;
  }

  #settle(dialect: typeof ExtendedDialect | typeof PlainDialect): void {
    this.#helloTimer?.[Symbol.dispose]();
    this.#dialect = new dialect(this.#writer(), (message) => this.#handlers.message(message), this.#options.role);
    this.#handlers.ready();
  }

  #tolerant(take: () => void): void {
    try {
      take();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#options.log.warn(`message ignored: ${describeError(error)}`);
    }
  }

  #put(message: LinkMessage): void {
    this.#duplex.write(encodeLinkFrame(encodeLinkMessage(message)));
  }

  #writer(): FrameWriter {
    const duplex = this.#duplex;
    const { log } = this.#options;
    const isKept = !isOtherProcess(duplex);
    const pieceBytes = maxPieceBytes(duplex);
    return {
      pieceBytes,
      get isFull() {
        return duplex.writableLength > FULL_BYTES;
      },
      put: (frame, onRead) => {
        if (this.#closed) return;
        const written = (): void => {
          this.#unreadFrames -= 1;
          if (!isKept) onRead?.();
        };
        const { length } = frame.data;
        if (length > (frame.type === LinkType.BODY_PIECE ? pieceBytes : MAX_FRAME_DATA_BYTES))
          return log.warn(`message of type ${frame.type} dropped: ${length} bytes`);
        if (duplex.writableLength > MAX_UNREAD_BYTES || this.#unreadFrames > MAX_UNREAD_FRAMES)
          return this.#fail("the other half does not read");
        this.#unreadFrames += 1;
        if (length < COPIED_DATA_BYTES) {
          duplex.write(encodeLinkFrame(frame), written);
          return;
        }
        duplex.cork();
        duplex.write(encodeLinkHeader(frame, length));
        duplex.write(frame.data, written);
        duplex.uncork();
      },
      putHead: (frame, bytes) => {
        if (!this.#closed) duplex.write(encodeLinkHeader(frame, bytes));
      },
      putData: async (piece) => {
        if (!this.#closed && !duplex.write(piece)) await nextDrain(duplex);
      },
      gather: () => {
        duplex.cork();
        queueMicrotask(() => duplex.uncork());
      },
      drained: () => (this.#closed ? Promise.resolve() : nextDrain(duplex)),
      fail: (reason) => this.#fail(reason),
    };
  }

  #fail(reason: string): void {
    this.#options.log.error(`closing: ${reason}`);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#helloTimer?.[Symbol.dispose]();
    this.#dialect?.close();
    this.#duplex.destroy();
    this.#handlers.closed();
  }
}

/** In memory the other half has the very same bytes, for as long as it likes. */
function isOtherProcess(duplex: Duplex): boolean {
  return duplex instanceof Socket;
}

function maxPieceBytes(duplex: Duplex): number {
  return isOtherProcess(duplex) ? MAX_FRAME_DATA_BYTES : MAX_PIECE_BYTES_IN_MEMORY;
}
