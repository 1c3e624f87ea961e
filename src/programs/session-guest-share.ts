// The guest's folder at the session: its server, and the streams that the daemon hands on from the host.
import { createServer, type Server, type Socket } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { credentialsAt } from "../desktop/guest-share/credentials.ts";
import { ShareServer } from "../desktop/guest-share/share-server.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { IncomingBody, OutgoingBody } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { ConnectionOwners } from "../system/shared-folder/connection-owners.ts";
import { stateFolder } from "./state-folder.ts";

export interface GuestShareSettings {
  /** As in the configuration; empty: off. */
  readonly folders: readonly string[];
  readonly isWritable: boolean;
  /** On the guest's own loopback, too; 0: not there. */
  readonly port: number;
}

interface SessionGuestShareParts {
  readonly settings: GuestShareSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly report: (driver: string, fault: string) => void;
}

export class SessionGuestShare implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #server: ShareServer;
  readonly #owners = new ConnectionOwners();
  #listener: Server | undefined;

  private constructor(server: ShareServer, clock: Clock, log: Log) {
    this.#server = server;
    this.#clock = clock;
    this.#log = log;
  }

  /** Throws a BackendError `guest-share.*`. */
  static async start({ settings, clock, log, report }: SessionGuestShareParts): Promise<SessionGuestShare> {
    const { folders, isWritable, port } = settings;
    const passwordFile = join(stateFolder(), "guest-share-password");
    const notes = join(stateFolder(), "guest-share-passing");
    const credentials = await credentialsAt(passwordFile);
    const paths = folders.map((path) => path.replace(/^~(?=\/|$)/, homedir()));
    const server = new ShareServer({ folders: paths, isWritable, credentials, notes, clock, log });
    const share = new SessionGuestShare(server, clock, log);
    const where = `${folders.join(", ")} ${isWritable ? "read-write" : "read-only"}, name and password in ${passwordFile}`;
    log.info(`shared: ${where}`);
    const fault = port === 0 ? "" : await share.#listen(port);
    if (fault !== "") log.warn(fault);
    report(where, fault);
    return share;
  }

  /** The daemon has a connection of the host's. */
  daemonSaid(requestId: number, incoming: IncomingBody, link: LinkConnection): void {
    const outgoing = link.openBody();
    const stream = new HostStream(incoming, outgoing, this.#clock);
    link.send({ kind: "share-answer", requestId, bodyId: outgoing.id });
    this.#server.connect(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    this.#server[Symbol.dispose]();
    this.#owners[Symbol.dispose]();
  }

  /** A port is everybody's on this machine; the folders are this user's. */
  async #accept(socket: Socket): Promise<void> {
    socket.on("error", () => {});
    socket.setNoDelay(true);
    const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = socket;
    const peer = { address: remoteAddress, port: remotePort };
    const uid = await this.#owners.ownerOf(peer, { address: localAddress, port: localPort });
    if (uid !== 0 && uid !== process.getuid?.()) {
      const who = uid === undefined ? "nobody we know" : `user ${uid}`;
      this.#log.warn(describeError(new BackendError("guest-share.not-allowed", `a connection of ${who} refused`)));
      socket.destroy();
      return;
    }
    this.#server.connect(socket);
    socket.resume();
  }

  /** What keeps it from listening; empty: nothing. */
  #listen(port: number): Promise<string> {
    return new Promise((resolve) => {
      const listener = createServer({ pauseOnConnect: true }, (socket) => void this.#accept(socket));
      listener.on("error", (error) => {
        resolve(describeError(new BackendError("guest-share.not-listening", `127.0.0.1:${port}: ${error.message}`)));
      });
      listener.listen({ host: "127.0.0.1", port }, () => resolve(""));
      this.#listener = listener;
    });
  }
}

/** One connection of the host's, as a stream like a socket's. */
class HostStream extends Duplex {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #incoming: IncomingBody;
  readonly #outgoing: OutgoingBody;
  readonly #clock: Clock;
  #idle: Disposable | undefined;
  #idleMs = 0;
  #lastMs = 0;

  constructor(incoming: IncomingBody, outgoing: OutgoingBody, clock: Clock) {
    super({ allowHalfOpen: true });
    this.#incoming = incoming;
    this.#pieces = incoming[Symbol.asyncIterator]();
    this.#outgoing = outgoing;
    this.#clock = clock;
    outgoing.signal.addEventListener("abort", () => this.destroy());
    this.on("error", () => {});
  }

  /** As a socket's: emits `timeout` when nothing has come or gone for so long. */
  setTimeout(idleMs: number): this {
    this.#idleMs = idleMs;
    this.#idle?.[Symbol.dispose]();
    this.#idle = undefined;
    this.#lastMs = this.#clock.nowMs();
    if (idleMs > 0) this.#look(idleMs);
    return this;
  }

  override _read(): void {
    this.#pieces.next().then(
      ({ value, done }) => {
        this.#lastMs = this.#clock.nowMs();
        this.push(done === true ? null : value);
      },
      () => void this.destroy(),
    );
  }

  override _write(piece: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    // The stream may use the memory again.
    this.#outgoing.write(new Uint8Array(piece)).then(() => {
      this.#lastMs = this.#clock.nowMs();
      done();
    }, done);
  }

  override _final(done: () => void): void {
    this.#outgoing.end(true);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#idle?.[Symbol.dispose]();
    this.#incoming.cancel();
    this.#outgoing.abandon();
    done(error);
  }

  #look(delayMs: number): void {
    this.#idle = this.#clock.after(delayMs, () => {
      const leftMs = this.#idleMs - (this.#clock.nowMs() - this.#lastMs);
      if (leftMs <= 0) this.emit("timeout");
      else this.#look(leftMs);
    });
  }
}
