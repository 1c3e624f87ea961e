// control.sock, for people: a line of JSON asks, a line of JSON answers, again and again on one connection.
import type { Socket } from "node:net";
import { type Clock, sleep } from "../support/clock.ts";
import { describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";

const MAX_REQUEST_BYTES = 4096;
/** Connections at once, of all users and of one. */
const MAX_CONNECTIONS = 64;
const MAX_CONNECTIONS_OF_USER = 16;
/** Of a connection that asks nothing. */
const IDLE_MS = 60_000;

/** Answers one request of this user; what it throws is told to the one who asked. */
export type AnswerControl = (request: Readonly<Record<string, unknown>>, uid: number) => unknown;

/** A request that makes no sense; its text is the answer. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

export class ControlServer implements Disposable {
  readonly #answer: AnswerControl;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #connections = new Map<Socket, number>();

  constructor(answer: AnswerControl, clock: Clock, log: Log) {
    this.#answer = answer;
    this.#clock = clock;
    this.#log = log;
  }

  connect(socket: Socket, uid: number): void {
    const ofUser = [...this.#connections.values()].filter((other) => other === uid).length;
    if (this.#connections.size >= MAX_CONNECTIONS || ofUser >= MAX_CONNECTIONS_OF_USER) {
      this.#log.about(uid).warn(`connection of user ${uid} refused: there are too many`);
      socket.destroy();
      return;
    }
    this.#connections.set(socket, uid);
    socket.on("error", () => {});
    void this.#serve(socket, uid).finally(() => {
      this.#connections.delete(socket);
      socket.destroy();
    });
  }

  [Symbol.dispose](): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  async #serve(socket: Socket, uid: number): Promise<void> {
    let line = "";
    for await (const text of this.#texts(socket, uid)) {
      line += text;
      for (let end = line.indexOf("\n"); end >= 0; end = line.indexOf("\n")) {
        const request = line.slice(0, end);
        line = line.slice(end + 1);
        // One who asks without reading is not answered into memory.
        if (!socket.write(`${JSON.stringify(this.#answerTo(request, uid))}\n`)) await this.#drained(socket);
      }
      if (line.length > MAX_REQUEST_BYTES) {
        socket.end(`${JSON.stringify({ error: `a request of more than ${MAX_REQUEST_BYTES} characters` })}\n`);
        return;
      }
    }
  }

  /** What comes, until it ends or is lost. */
  async *#texts(socket: Socket, uid: number): AsyncGenerator<string> {
    socket.setEncoding("utf8");
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    try {
      yield* socket as AsyncIterable<string>;
    } catch (error) {
      this.#log.debug(`connection of user ${uid} lost: ${describeError(error)}`);
    }
  }

  #answerTo(line: string, uid: number): unknown {
    try {
      const request: unknown = JSON.parse(line);
      if (typeof request !== "object" || request === null || Array.isArray(request))
        throw new ControlError("an object is expected");
      return this.#answer(request as Record<string, unknown>, uid);
    } catch (error) {
      if (error instanceof SyntaxError) return { error: "no JSON" };
      if (error instanceof ControlError) return { error: error.message };
      throw error;
    }
  }

  async #drained(socket: Socket): Promise<void> {
    const over = new AbortController();
    const done = (): void => over.abort();
    socket.once("drain", done);
    socket.once("close", done);
    await sleep(this.#clock, IDLE_MS, over.signal);
  }
}
