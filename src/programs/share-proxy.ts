// `tsvdagent share-proxy`: on the host, makes the guest's folder reachable: connections on loopback become connections on the
// guest's port. Whatever comes from the guest is bytes for the one who is connected, and bounded.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { isLoopbackName } from "../features/dav-request.ts";
import { aborted } from "../support/aborted.ts";
import { systemClock } from "../support/clock.ts";
import { BackendError, ConfigError, describeError, RunError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { HostLine } from "../system/ports/host-line.ts";
import type { ListenAddress } from "../system/shared-folder/dav-proxy.ts";
import { MuxClient } from "../system/shared-folder/mux-client.ts";
import { MAX_CONNECTIONS, MuxConnections } from "../system/shared-folder/mux-connections.ts";
import { SharePort } from "../system/shared-folder/share-port.ts";
import type { CommandLine } from "./command-line.ts";
import type { ProgramContext } from "./context.ts";
import { listenAddress } from "./settings.ts";

export type ShareProxyOptions = Extract<CommandLine, { command: "share-proxy" }>["options"];

const DEFAULT_LISTEN = "127.0.0.1:9844";
/** A connection on which nothing comes or goes. */
const IDLE_MS = 10 * 60_000;

/** Resolves when the signal is aborted. Throws a ConfigError, or a RunError when it cannot listen. */
export async function shareProxy(options: ShareProxyOptions, { log, stop }: ProgramContext): Promise<void> {
  const { port, "any-address": anyAddress } = options;
  if (port === undefined) throw new ConfigError("--port: the path of the port's socket is expected");
  const address = listenAddress(options.listen ?? DEFAULT_LISTEN);
  if (!isLoopbackName(address.host) && anyAddress !== true)
    throw new ConfigError(
      `--listen ${options.listen}: others can reach that address, and read name and password on the way: ` +
        "only a loopback address is taken without --any-address",
    );
  if (!isLoopbackName(address.host)) log.warn("others than this machine may connect: nothing is encrypted");
  const proxy = new ShareProxy(log.of("share"));
  await using held = new SharePort(port, proxy, systemClock, log.of("share"));
  proxy.anew = () => held.beginAnew();
  await using _listening = await listen(address, (socket) => proxy.accept(socket));
  log.info(`share: the guest's folder is at http://${options.listen ?? DEFAULT_LISTEN}/`);
  await aborted(stop);
  proxy.hostLeft();
}

export class ShareProxy {
  readonly #log: Log;
  #mux: MuxConnections | undefined;
  /** Never used twice: what the guest says late must not reach another. */
  #lastId = 0n;
  /** Opens the port anew. */
  anew: () => void = () => {};

  constructor(log: Log) {
    this.#log = log;
  }

  /** The port's other end is there. */
  hostCame(line: HostLine): void {
    this.#mux = new MuxConnections(line, () => ++this.#lastId, this.#log);
    this.#mux.anew = () => {
      // In this turn: nobody is to be given the zeros that have ended their frame.
      this.hostLeft();
      this.anew();
    };
    this.#log.info("the guest's port is open");
  }

  data(bytes: Uint8Array): void {
    this.#mux?.push(bytes);
  }

  isHeld(): boolean {
    return this.#mux?.isHolding === true;
  }

  hostLeft(): void {
    const mux = this.#mux;
    this.#mux = undefined;
    mux?.cutAll();
  }

  accept(socket: Socket): void {
    socket.on("error", () => {});
    // Closed at once: the client says so, where it would wait for an answer.
    const mux = this.#mux;
    if (mux === undefined) return void socket.destroy();
    socket.setNoDelay(true);
    try {
      const client = new MuxClient(socket, mux, {
        clock: systemClock,
        answered: () => {},
        closed: () => {},
        failed: (why) => this.#log.warn(`a connection is closed: ${why}`),
      });
      // What the guest works on may take its time: a large folder, a slow disk.
      const idle = (): void => void (client.isAnswerDue ? socket.setTimeout(IDLE_MS) : socket.destroy());
      socket.setTimeout(IDLE_MS).on("timeout", idle);
      socket.on("data", (bytes: Uint8Array) => client.send(bytes));
      void client.start();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      socket.destroy();
    }
  }
}

async function listen({ host, port }: ListenAddress, connected: (socket: Socket) => void): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    connected(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (error) {
    throw new RunError(`cannot listen at ${host}:${port}: ${describeError(error)}`);
  }
  // Out of descriptors: the one who knocked is turned away, the others stay.
  server.on("error", () => {});
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
