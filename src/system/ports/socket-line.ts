// A listening unix socket in the place of a virtio port: the host is there as long as the connection is.
import { PortError } from "../../support/errors.ts";
import { nextDrain } from "../../support/next-drain.ts";
import type { HostLine, HostLineHandlers } from "./host-line.ts";
import type { OpenPort } from "./port.ts";
import { connectUnixSocket } from "./unix-socket.ts";

/** Throws a PortError, as `openPort`. */
export async function openSocketLine(path: string, signal: AbortSignal): Promise<HostLine> {
  return new SocketLine(await connectUnixSocket(path, signal));
}

class SocketLine implements HostLine {
  readonly #port: OpenPort;
  #taken = 0;

  constructor(port: OpenPort) {
    this.#port = port;
  }

  start(handlers: HostLineHandlers): void {
    const { stream } = this.#port;
    stream.on("data", (bytes: Uint8Array) => handlers.data(new Uint8Array(bytes)));
    stream.on("drain", () => {
      this.#taken += 1;
    });
    stream.once("close", () => {
      handlers.hostLeft();
      handlers.lost(new PortError("port.hung-up", "the host closed the port"));
    });
    handlers.hostCame();
    stream.resume();
  }

  write(bytes: Uint8Array): boolean {
    const { stream } = this.#port;
    return stream.destroyed || stream.write(bytes);
  }

  get taken(): number {
    return this.#taken;
  }

  drained(): Promise<void> {
    const { stream } = this.#port;
    if (stream.destroyed || !stream.writableNeedDrain) return Promise.resolve();
    return nextDrain(stream);
  }

  pause(): void {
    this.#port.stream.pause();
  }

  resume(): void {
    this.#port.stream.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#port[Symbol.asyncDispose]();
  }
}
