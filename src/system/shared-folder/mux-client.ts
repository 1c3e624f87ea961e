// A client on this machine and its connection of the mux: neither end is read faster than the other takes it, and what the
// client leaves lying waits for it alone.
import type { Socket } from "node:net";
import type { Clock } from "../../support/clock.ts";
import { Backlog } from "./backlog.ts";
import type { MuxConnection, MuxConnections } from "./mux-connections.ts";

/** For a client to take the last of an answer, before it is hung up. */
const LAST_WORDS_MS = 2000;

export interface MuxClientOptions {
  readonly clock: Clock;
  /** Bytes from the other end, before the client has them. */
  readonly answered: (piece: Uint8Array) => void;
  /** By the other end: nothing more comes. */
  readonly closed: () => void;
  /** It is cut off, as it takes too little. */
  readonly failed: (why: string) => void;
}

export class MuxClient {
  readonly #socket: Socket;
  readonly #mux: MuxConnections;
  readonly #connection: MuxConnection;
  #isPaused = false;
  #isAnswerDue = false;

  /** The socket is paused, and the listener for what it says the caller's. Throws a BackendError when there are too many. */
  constructor(socket: Socket, mux: MuxConnections, { clock, answered, closed, failed }: MuxClientOptions) {
    this.#socket = socket;
    this.#mux = mux;
    const backlog = new Backlog(
      socket,
      clock,
      () => mux.reconsider(),
      (why) => {
        failed(why);
        socket.destroy();
      },
    );
    this.#connection = mux.open({
      data: (piece) => {
        this.#isAnswerDue = false;
        answered(piece);
        backlog.write(piece);
      },
      closed: (isCut) => {
        closed();
        // What has come is passed on to the end; what is cut off is to be seen as such.
        if (isCut) return void socket.destroy();
        backlog.end();
        // A client that is still speaking is not heard by anybody.
        socket.once("finish", () => {
          const timer = clock.after(LAST_WORDS_MS, () => socket.destroy());
          socket.once("close", () => timer[Symbol.dispose]());
        });
      },
      get isFull() {
        return backlog.isFull;
      },
      get isBehind() {
        return backlog.isBehind;
      },
      get isHolding() {
        return backlog.isHolding;
      },
    });
    socket.once("end", () => this.close());
    socket.once("close", () => this.close());
  }

  /** It has said something since it was said anything. */
  get isAnswerDue(): boolean {
    return this.#isAnswerDue;
  }

  /** Hears the client from when there is room: nothing is gathered for an end that takes nothing, however many come and go. */
  async start(): Promise<void> {
    await this.#mux.drained();
    this.#socket.resume();
  }

  /** The client is heard no further until this has gone. */
  send(bytes: Uint8Array): void {
    this.#isAnswerDue = true;
    if (this.#connection.send(bytes) || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
    void this.#connection.drained().then(() => {
      this.#isPaused = false;
      this.#socket.resume();
    });
  }

  close(): void {
    this.#connection.close();
  }
}
