// `tsvdagent share-proxy`: on the host, makes the guest's folder reachable: connections on loopback become connections on the
// guest's port. Whatever comes from the guest is bytes for the one who is connected, and bounded.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { isLoopbackName } from "../features/dav-request.ts";
import { aborted } from "../support/aborted.ts";
import { type Clock, systemClock } from "../support/clock.ts";
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
/** For the guest to answer whoever waits, before it is asked for something that takes no time; and for it to answer that. */
const SILENCE_MS = 3000;
const PROVOKED_SILENCE_MS = 7000;

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
  const proxy = new ShareProxy(log.of("share"), systemClock);
  await using held = new SharePort(port, proxy, systemClock, log.of("share"));
  proxy.anew = () => held.beginAnew();
  await using _listening = await listen(address, (socket) => proxy.accept(socket));
  log.info(`share: the guest's folder is at http://${options.listen ?? DEFAULT_LISTEN}/`);
  await aborted(stop);
  proxy.hostLeft();
}

export class ShareProxy {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #clients = new Set<MuxClient>();
  #mux: MuxConnections | undefined;
  #patience: Disposable | undefined;
  /** Never used twice: what the guest says late must not reach another. */
  #lastId = 0n;
  /** Opens the port anew. */
  anew: () => void = () => {};

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
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
    this.#endPatience();
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
        clock: this.#clock,
        answered: () => {},
        closed: () => {},
        failed: (why) => this.#log.warn(`a connection is closed: ${why}`),
      });
      // What the guest works on may take its time: a large folder, a slow disk.
      const idle = (): void => void (client.isAnswerDue ? socket.setTimeout(IDLE_MS) : socket.destroy());
      socket.setTimeout(IDLE_MS).on("timeout", idle);
      this.#clients.add(client);
      socket.once("close", () => this.#clients.delete(client));
      socket.on("data", (bytes: Uint8Array) => {
        client.send(bytes);
        this.#awaitAnswer(mux);
      });
      void client.start();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      socket.destroy();
    }
  }

  /**
   * A guest that was taken back to a snapshot does not know it, and may be anywhere in a frame, as we are in one of its: what
   * either says then is for nobody. An answer may take long, but not one to a question that any guest in step answers at once.
   */
  #awaitAnswer(mux: MuxConnections): void {
    this.#patience ??= this.#clock.after(SILENCE_MS, () => {
      this.#patience = undefined;
      if (![...this.#clients].some(({ isAnswerDue }) => isAnswerDue)) return;
      mux.provoke();
      this.#patience = this.#clock.after(PROVOKED_SILENCE_MS, () => {
        this.#patience = undefined;
        if (!mux.isProvoked) return this.#awaitAnswer(mux);
        this.#log.warn("the guest answers nothing: its port is opened anew");
        mux.anew();
      });
    });
  }

  #endPatience(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
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
