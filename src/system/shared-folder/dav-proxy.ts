// The viewer's folder on the guest's loopback: each connection is one of the mux. Requests are judged and passed on one by one,
// answers go back as they come.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { judgeRequest } from "../../features/dav-request.ts";
import type { Clock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { DecodeError } from "../../wire/bytes.ts";
import { encodeHead, type RequestHead, RequestReader } from "../../wire/http-request.ts";
import { ConnectionOwners } from "./connection-owners.ts";
import { MuxClient } from "./mux-client.ts";
import type { MuxConnections } from "./mux-connections.ts";

/** For the viewer to say anything while an answer is waited for: by itself, and then when it is asked to. */
const SILENCE_MS = 1500;
const PROVOKED_SILENCE_MS = 1500;
/** For one who is refused to read why. */
const LAST_WORDS_MS = 2000;
/** Of an address that is not to be had, because there is none such here. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  405: "Method Not Allowed",
  502: "Bad Gateway",
  503: "Service Unavailable",
};
/** An answer that begins so, to a request that changes something, means that the viewer shares it read-only. */
const FORBIDDEN = /^HTTP\/1\.[01] 403 /;
const CHANGING: ReadonlySet<string> = new Set(["PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK"]);

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ProxyOptions {
  /** Whether programs of this user may connect. */
  readonly mayConnect: (uid: number) => boolean;
  /** A client has come: what is known of the share may be old. */
  readonly connected: () => void;
  /** The viewer has refused a change. */
  readonly changeRefused: () => void;
  /** Somebody waits for an answer, and from the host nothing comes at all. */
  readonly unanswered: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Holds its addresses while it lives, so that nobody else can stand in for it; between two viewers whoever connects is reset. */
export class DavProxy implements AsyncDisposable {
  #mux: MuxConnections | undefined;
  readonly #options: ProxyOptions;
  readonly #servers: Server[] = [];
  readonly #owners = new ConnectionOwners();
  /** Where it listens. */
  readonly addresses: ListenAddress[] = [];
  /** Whose each is; undefined until that is found out. */
  readonly #sockets = new Map<Socket, number | undefined>();

  private constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /**
   * At all of these that this machine has. Throws a BackendError `shared-folder.not-listening`, also when only one of them is
   * another's: who asks there for the viewer's folder would be given a stranger's.
   */
  static async listen(addresses: readonly ListenAddress[], options: ProxyOptions): Promise<DavProxy> {
    const proxy = new DavProxy(options);
    const failures: string[] = [];
    for (const address of addresses) {
      const server = createServer({ pauseOnConnect: true }, (socket) => void proxy.#accept(socket));
      try {
        server.listen({ ...address, ipv6Only: true });
        await once(server, "listening");
        server.on("error", (error) => options.log.warn(`${address.host}: ${describeError(error)}`));
        proxy.#servers.push(server);
        proxy.addresses.push(address);
      } catch (error) {
        failures.push(describeError(error));
        if (!NO_SUCH_ADDRESS.has((error as NodeJS.ErrnoException).code ?? "")) {
          await proxy[Symbol.asyncDispose]();
          throw new BackendError("shared-folder.not-listening", describeError(error));
        }
        options.log.info(`not at ${address.host}:${address.port}: ${describeError(error)}`);
      }
    }
    if (proxy.#servers.length > 0) return proxy;
    throw new BackendError("shared-folder.not-listening", failures.join("; "));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** From now on whoever connects is connected to this viewer. */
  serve(mux: MuxConnections): void {
    this.#mux = mux;
  }

  /** Nobody is served any more, until `serve`. */
  quiet(): void {
    this.#mux = undefined;
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Whoever may no longer be connected is not. */
  judgeAnew(): void {
    for (const [socket, uid] of this.#sockets)
      if (uid !== undefined && !this.#options.mayConnect(uid)) socket.destroy();
  }

  /** The listeners first, then the connections: whoever comes now is refused at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.quiet();
    this.#owners[Symbol.dispose]();
    await Promise.all(closed);
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on("error", () => {});
    if (this.#mux === undefined) return void socket.resetAndDestroy();
    this.#sockets.set(socket, undefined);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    const uid = await this.#owners.ownerOf(
      { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
      { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    );
    const mux = this.#mux;
    if (socket.destroyed || mux === undefined) return;
    if (uid === undefined || !this.#options.mayConnect(uid)) {
      const { log } = this.#options;
      if (uid === undefined) log.warn("connection of nobody we know refused");
      else log.about(uid).warn(`connection of user ${uid} refused`);
      return this.#refuse(socket, 403, "the folder is not of your session");
    }
    this.#sockets.set(socket, uid);
    this.#options.connected();
    try {
      new ClientConnection(socket, mux, this.#options, (status, why) => this.#refuse(socket, status, why));
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#options.log.warn(describeError(error));
      this.#refuse(socket, 503, "too many connections");
    }
  }

  #refuse(socket: Socket, status: number, why: string): void {
    const text = `${status} ${REASONS[status]}: ${why}\n`;
    socket.end(
      `HTTP/1.1 ${status} ${REASONS[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n` +
        `Connection: close\r\n\r\n${text}`,
    );
    // Closed with bytes unread, the answer would be lost by a reset.
    socket.removeAllListeners("data");
    socket.resume();
    const timer = this.#options.clock.after(LAST_WORDS_MS, () => socket.destroy());
    socket.once("close", () => timer[Symbol.dispose]());
  }
}

/** One client's connection, from its first request on. */
class ClientConnection {
  readonly #socket: Socket;
  readonly #mux: MuxConnections;
  readonly #client: MuxClient;
  readonly #reader: RequestReader;
  readonly #options: ProxyOptions;
  readonly #refuse: (status: number, why: string) => void;
  /** A request that changes something waits for its answer. */
  #isChanging = false;
  #patience: Disposable | undefined;
  #isOver = false;

  /** Throws a BackendError when there are too many. */
  constructor(
    socket: Socket,
    mux: MuxConnections,
    options: ProxyOptions,
    refuse: (status: number, why: string) => void,
  ) {
    this.#socket = socket;
    this.#mux = mux;
    this.#options = options;
    this.#refuse = refuse;
    this.#client = new MuxClient(socket, mux, {
      clock: options.clock,
      answered: (piece) => this.#answered(piece),
      closed: () => this.#ended(),
      failed: (why) => options.log.warn(`a connection is closed: ${why}`),
    });
    this.#reader = new RequestReader({
      head: (head) => this.#request(head),
      body: (bytes) => this.#send(bytes),
    });
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.once("end", () => this.#ended());
    socket.once("close", () => this.#ended());
    // It may be that the viewer will never take more.
    this.#awaitAnswer();
    void this.#client.start().then(() => this.#endPatience());
  }

  #received(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (error instanceof Refused) return this.#over(error.status, error.message);
      if (error instanceof DecodeError) return this.#over(400, error.message);
      throw error;
    }
  }

  #request(head: RequestHead): void {
    const judgement = judgeRequest(head);
    if (judgement.kind === "refuse") throw new Refused(judgement.status, judgement.why);
    // The viewer's server would take the body for empty, and say that all is well.
    if (judgement.expectsContinue) this.#socket.write(CONTINUE);
    this.#isChanging = CHANGING.has(head.method);
    this.#send(encodeHead(head, ["expect"]));
  }

  #send(bytes: Uint8Array): void {
    this.#awaitAnswer();
    this.#client.send(bytes);
  }

  /**
   * Until the first bytes of one. A file may take long to come or to go, so that the viewer is asked for something else
   * before it is taken for frozen; what goes on elsewhere shows that it is alive, too.
   */
  #awaitAnswer(isProvoked = false): void {
    if (this.#patience !== undefined) return;
    const { progress } = this.#mux;
    this.#patience = this.#options.clock.after(isProvoked ? PROVOKED_SILENCE_MS : SILENCE_MS, () => {
      this.#patience = undefined;
      if (this.#isOver) return;
      if (this.#mux.progress !== progress) return this.#awaitAnswer();
      if (isProvoked) return this.#options.unanswered();
      this.#mux.provoke();
      this.#awaitAnswer(true);
    });
  }

  #endPatience(): void {
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
  }

  #answered(piece: Uint8Array): void {
    this.#endPatience();
    if (!this.#isChanging) return;
    this.#isChanging = false;
    const beginning = Buffer.from(piece.buffer, piece.byteOffset, Math.min(piece.length, 16)).toString("latin1");
    if (FORBIDDEN.test(beginning)) this.#options.changeRefused();
  }

  #over(status: number, why: string): void {
    this.#options.log.warn(`a request was refused: ${why}`);
    this.#ended();
    this.#client.close();
    this.#refuse(status, why);
  }

  /** By either end. */
  #ended(): void {
    this.#isOver = true;
    this.#endPatience();
  }
}

class Refused extends Error {
  readonly status: number;

  constructor(status: number, why: string) {
    super(why);
    this.status = status;
  }
}
