/** A unix socket with one JSON object a line in each direction. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { until } from "../integration/peers/until.ts";

export class LineSocket implements Disposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects as soon as somebody listens. */
  static async connect(path: string, timeoutMs = 10_000): Promise<LineSocket> {
    const attempt = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect(path);
        socket.once("connect", () => resolve(socket)).once("error", reject);
      });
    return new LineSocket(await until(`somebody to listen at ${path}`, attempt, timeoutMs));
  }

  /** To be called once, before anything is awaited. */
  listen(received: (message: unknown) => void, closed: () => void): void {
    const lines = createInterface({ input: this.#socket });
    lines.on("line", (line) => received(JSON.parse(line)));
    // QEMU may go with answers unread; the end of the socket says all there is to say. readline repeats the error.
    for (const emitter of [this.#socket, lines]) emitter.on("error", () => {});
    this.#socket.once("close", closed);
  }

  send(message: object): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
