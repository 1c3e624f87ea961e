// The two kinds of ends a link test needs: a whole LinkConnection that writes down what it is told, and one played by hand.
import { type Duplex, duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { IncomingBody, LinkControlMessage } from "../../../../src/support/link/dialect.ts";
import { LinkConnection, type LinkOptions } from "../../../../src/support/link/link-connection.ts";
import {
  encodeLinkFrame,
  encodeLinkHeader,
  type LinkFrame,
  LinkFrameStream,
  MAX_STREAMED_DATA_BYTES,
} from "../../../../src/wire/link/frame.ts";
import {
  decodeLinkMessage,
  encodeLinkMessage,
  type LinkMessage,
  LinkType,
} from "../../../../src/wire/link/messages.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { type RecordingLog, recordingLog } from "../../../fakes/recording-log.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** One end of the link, with what it was told. */
export class End {
  readonly messages: LinkControlMessage[] = [];
  /** What was called, in order: "ready", each message's kind, "closed". */
  readonly calls: string[] = [];
  /** By request, the body that came as its answer. */
  readonly bodies = new Map<number, IncomingBody>();
  readonly logged: RecordingLog = recordingLog();
  readonly clock = new ManualClock();
  readonly link: LinkConnection;
  onMessage: (message: LinkControlMessage) => void = () => {};
  onReady: () => void = () => {};
  /** Leaves bodies alone that a message names. */
  takesBodies = true;

  constructor(duplex: Duplex, role: LinkOptions["role"], version = `${role} of test`) {
    this.link = new LinkConnection(
      duplex,
      { role, version, clock: this.clock, log: this.logged.log },
      {
        ready: () => {
          this.calls.push("ready");
          this.onReady();
        },
        message: (message) => {
          this.calls.push(message.kind);
          this.messages.push(message);
          if (this.takesBodies && message.kind === "content-answer" && message.bodyId !== undefined)
            this.bodies.set(message.requestId, this.link.incomingBody(message.bodyId));
          this.onMessage(message);
        },
        closed: () => this.calls.push("closed"),
      },
    );
  }

  get closed(): number {
    return this.calls.filter((call) => call === "closed").length;
  }

  get isReady(): boolean {
    return this.calls.includes("ready");
  }

  /** The body that came as the answer to this request. */
  async body(requestId: number): Promise<IncomingBody> {
    return await got(() => this.bodies.get(requestId));
  }
}

/** What an end played by hand has heard: messages, and content in one frame. */
export type Heard =
  | LinkMessage
  | { readonly kind: "content"; readonly selection: number; readonly type: number; readonly content: Buffer };

/** An end without any logic of its own: what comes is written down frame by frame, what goes out is up to the test. */
export class RawEnd {
  readonly heard: Heard[] = [];
  readonly duplex: Duplex;
  /** Bytes of content heard of a frame that is not complete yet. */
  underWay: number | undefined;
  isClosed = false;

  constructor(duplex: Duplex) {
    this.duplex = duplex;
    let head: LinkMessage | undefined;
    let pieces: Uint8Array[] = [];
    const frames = new LinkFrameStream(
      {
        frame: (frame) => {
          // Bytes of a file: for the tests of files to look at.
          if (frame.type !== LinkType.FILE_XFER_DATA) this.heard.push(decodeLinkMessage(frame));
        },
        dataBegin: (frame) => {
          head = decodeLinkMessage({ ...frame, data: new Uint8Array(0) });
          pieces = [];
          this.underWay = 0;
        },
        dataPiece: (piece) => {
          pieces.push(piece);
          this.underWay = (this.underWay ?? 0) + piece.length;
        },
        dataEnd: () => {
          if (head?.kind !== "clipboard-data") throw new Error("content of no frame");
          const { selection, type } = head;
          this.heard.push({ kind: "content", selection, type, content: Buffer.concat(pieces) });
          this.underWay = undefined;
        },
      },
      new Map([[LinkType.CLIPBOARD_DATA, MAX_STREAMED_DATA_BYTES]]),
    );
    duplex.on("data", (bytes: Uint8Array) => frames.push(bytes));
    duplex.on("error", () => {});
    duplex.on("close", () => {
      this.isClosed = true;
    });
  }

  send(...messages: readonly LinkMessage[]): void {
    for (const message of messages) this.raw(encoded(message));
  }

  frame(frame: LinkFrame): void {
    this.raw(encodeLinkFrame(frame));
  }

  content(selection: number, type: number, content: Uint8Array): void {
    this.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: selection, arg2: type }, content.length));
    if (content.length > 0) this.raw(content);
  }

  /** Any bytes. */
  raw(bytes: Uint8Array): void {
    if (!this.duplex.destroyed) this.duplex.write(bytes);
  }

  /** What it has heard of these kinds, as soon as there are so many. */
  async untilHeard<K extends Heard["kind"]>(kind: K, count = 1): Promise<Extract<Heard, { kind: K }>[]> {
    const found = (): Heard[] => this.heard.filter((heard) => heard.kind === kind);
    await until(() => found().length >= count);
    return found() as Extract<Heard, { kind: K }>[];
  }
}

export async function until(met: () => boolean): Promise<void> {
  // The disk may take its time.
  const untilMs = performance.now() + 4000;
  while (!met()) {
    if (performance.now() > untilMs) throw new Error("it does not come to pass");
    await turn();
  }
}

export async function got<T>(look: () => T | undefined): Promise<T> {
  await until(() => look() !== undefined);
  return look() as T;
}

/** Two ends that go together, as those of a socket do. */
export function connectedPair(highWaterMark = 64 * KIB): [Duplex, Duplex] {
  const [left, right] = duplexPair({ highWaterMark });
  left.on("close", () => right.destroy());
  right.on("close", () => left.destroy());
  return [left, right];
}

/** The same with a line between them on which bytes pass `bytes` at a time, but for the first `lost` of the right end. */
export function slicedPair(bytes: number, lost = 0): [Duplex, Duplex] {
  const [left, leftLine] = connectedPair(bytes);
  const [right, rightLine] = connectedPair(bytes);
  for (const [from, to, skipped] of [
    [leftLine, rightLine, 0],
    [rightLine, leftLine, lost],
  ] as const) {
    let toSkip = skipped;
    from.on("data", (all: Uint8Array) => {
      const whole = all.subarray(toSkip);
      toSkip -= Math.min(toSkip, all.length);
      for (let at = 0; at < whole.length && !to.destroyed; at += bytes) to.write(whole.subarray(at, at + bytes));
    });
    from.on("error", () => {});
    from.on("close", () => to.destroy());
  }
  return [left, right];
}

/** Long enough for everything that is under way in memory to arrive. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await turn();
}

export async function bytesOf(body: IncomingBody): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The code of what it failed with. */
export function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no failure",
    (error: unknown) => (error as { readonly code?: unknown }).code,
  );
}

export function answer(requestId: number, bodyId: number | undefined): LinkControlMessage {
  return { kind: "content-answer", requestId, type: 1, bodyId, bytes: undefined };
}

export function encoded(message: LinkMessage): Uint8Array {
  return encodeLinkFrame(encodeLinkMessage(message));
}

/** Bytes in which every place looks different from its neighbourhood, so that nothing can swap places unseen. */
export function scattered(bytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4)).map((_, index) => Math.imul(index + bytes, 2654435761));
  return new Uint8Array(words.buffer, 0, bytes);
}

export function numbered(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => index % 251);
}
