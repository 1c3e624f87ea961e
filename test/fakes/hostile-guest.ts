// The guest's end of its folder's port in the hands of somebody who means ill, and in good ones again when that is asked for.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { MAX_MUX_PAYLOAD_BYTES, MuxReader, muxHeader } from "../../src/wire/webdav-mux.ts";
import { SeededRandom } from "./hostile-bytes.ts";

const hostileWays = [
  "bytes for a connection",
  "an end of a connection",
  "bytes for one that never was",
  "an end of one that never was",
  "the largest frame",
  "nothing but a header",
  "noise",
] as const;

/** Frames before somebody else has a turn. */
const BURST = 200;
/** Of the ways that leave the other side waiting for bytes that are frames of ours, one in so many is taken. */
const BREAKERS_KEPT = 1000;

export class HostileGuest implements AsyncDisposable {
  readonly #server: Server;
  readonly #random: SeededRandom;
  readonly #ids: bigint[] = [];
  #port: Socket | undefined;
  #answer: string | undefined;
  #openings = 0;

  private constructor(server: Server, seed: number) {
    this.#server = server;
    this.#random = new SeededRandom(seed);
    server.on("connection", (socket) => this.#opened(socket));
  }

  static async listen(path: string, seed: number): Promise<HostileGuest> {
    const server = createServer().listen(path);
    await once(server, "listening");
    return new HostileGuest(server, seed);
  }

  /** Connections that have come since the port was opened last. */
  get connections(): number {
    return this.#ids.length;
  }

  get isOpen(): boolean {
    return this.#port !== undefined;
  }

  /** From the next opening on, every connection gets this answer and is closed. Undefined: none is answered. */
  answerWith(answer: string | undefined): void {
    this.#answer = answer;
    this.#port?.destroy();
    this.#port = undefined;
  }

  /** Takes nothing from the port any more, until it is opened anew. */
  stopReading(): void {
    this.#port?.pause();
  }

  async sendHostileFrames(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += BURST) {
      const port = this.#port;
      if (port === undefined) throw new Error(`the port was closed after ${sent} of what was to be sent`);
      for (let n = 0; n < BURST; n++) for (const piece of this.#hostileFrame()) port.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
      if (port.writableNeedDrain) await roomOf(port);
    }
  }

  /** As after a sleep of the guest. */
  askToBeginAnew(): void {
    this.#port?.write(muxHeader(0n, 0));
  }

  get openings(): number {
    return this.#openings;
  }

  /** Bytes for one connection, as fast as they are taken. */
  async flood(id: bigint, bytes: number): Promise<void> {
    const payload = Buffer.alloc(MAX_MUX_PAYLOAD_BYTES, 0x61);
    for (let sent = 0; sent < bytes; sent += payload.length) {
      const port = this.#port;
      if (port === undefined) throw new Error(`the port was closed after ${sent} of what was to be sent`);
      port.write(muxHeader(id, payload.length));
      if (!port.write(payload)) await roomOf(port);
    }
  }

  /** The connection that came last. */
  get lastId(): bigint {
    return this.#ids.at(-1) ?? 0n;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#port?.destroy();
  }

  #opened(socket: Socket): void {
    this.#port?.destroy();
    this.#port = socket;
    this.#openings += 1;
    this.#ids.length = 0;
    const reader = new MuxReader({
      data: (id) => {
        if (this.#ids.includes(id)) return;
        this.#ids.push(id);
        if (this.#answer === undefined) return;
        socket.write(muxHeader(id, this.#answer.length));
        socket.write(this.#answer);
        socket.write(muxHeader(id, 0));
      },
      closed: () => {},
    });
    socket.on("data", (bytes: Uint8Array) => reader.push(bytes));
    socket.on("error", () => {});
    socket.once("close", () => {
      if (this.#port === socket) this.#port = undefined;
    });
  }

  #hostileFrame(): readonly Uint8Array[] {
    const random = this.#random;
    const known = (): bigint => (this.#ids.length === 0 ? 1n : random.pick(this.#ids));
    const unknown = (): bigint => (BigInt(random.u32()) << 32n) | BigInt(random.u32());
    const frame = (id: bigint, bytes: number): Uint8Array[] => [muxHeader(id, bytes), Buffer.alloc(bytes, 0x61)];
    const way = random.pick(hostileWays);
    const isBreaker = way === "nothing but a header" || way === "noise";
    if (isBreaker && random.below(BREAKERS_KEPT) !== 0) return [];
    switch (way) {
      case "bytes for a connection":
        return frame(known(), 1 + random.below(300));
      case "an end of a connection":
        return frame(known(), 0);
      case "bytes for one that never was":
        return frame(unknown(), 1 + random.below(300));
      case "an end of one that never was":
        return frame(unknown(), 0);
      case "the largest frame":
        return frame(random.below(2) === 0 ? known() : unknown(), MAX_MUX_PAYLOAD_BYTES);
      case "nothing but a header":
        return [muxHeader(known(), 1 + random.below(MAX_MUX_PAYLOAD_BYTES))];
      case "noise":
        return [random.bytes(1 + random.below(2000))];
      default:
        return way satisfies never;
    }
  }
}

/** Resolves when the port takes more, or is closed: whether it takes more. */
export function roomOf(port: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (): void => {
      port.off("drain", done);
      port.off("close", done);
      resolve(!port.destroyed);
    };
    port.on("drain", done);
    port.on("close", done);
  });
}
