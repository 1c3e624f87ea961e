// The guest's folder at the daemon: connections from the port of the host, each handed to the session on the screen as a stream
// both ways. What is in them is between the host's program and the session's server.
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { IncomingBody, LinkControlMessage, OutgoingBody } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { SLOW_DISK_BYTES, Spool } from "../support/spool.ts";
import type { HostLine } from "../system/ports/host-line.ts";
import { toBeginAnew } from "../system/shared-folder/mux-connections.ts";
import { SharePort } from "../system/shared-folder/share-port.ts";
import { MAX_MUX_PAYLOAD_BYTES, MuxReader, muxHeader } from "../wire/webdav-mux.ts";
import type { GuestShareReport } from "./status-report.ts";

/** At once. */
const MAX_CONNECTIONS = 256;
/** What waits for a session that does not take it: from here on the host may be kept waiting, and here it is given up. */
const FULL_BYTES = 4 * 1024 * 1024;
const MAX_BYTES = 256 * 1024 * 1024;
/** Of all connections. */
const MAX_TOTAL_BYTES = 1024 * 1024 * 1024;
/** Closes that the host has not taken yet: from here on it is heard no further. */
const MAX_UNTOLD = 1000;

type ShareAnswer = Extract<LinkControlMessage, { kind: "share-answer" }>;

interface Connection {
  readonly spool: Spool;
  readonly outgoing: OutgoingBody;
  incoming: IncomingBody | undefined;
  waitingBytes: number;
}

export interface GuestShareOptions {
  readonly device: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class DaemonGuestShare implements AsyncDisposable {
  readonly #log: Log;
  readonly #port: SharePort;
  readonly #connections = new Map<bigint, Connection>();
  #session: { readonly link: LinkConnection; isShut: boolean } | undefined;
  #line: HostLine | undefined;
  #reader: MuxReader | undefined;
  /** Of this host: what comes for a number that is not new is late, and for nobody. */
  #lastId = 0n;
  #nextRequestId = 1;
  readonly #asked = new Map<number, bigint>();
  #isPaused = false;
  #untold = 0;
  #totalBytes = 0;

  constructor({ device, clock, log }: GuestShareOptions) {
    this.#log = log.of("guest share");
    const handlers = {
      hostCame: (line: HostLine) => this.#hostCame(line),
      data: (bytes: Uint8Array) => this.#hostSaid(bytes),
      // Whatever is kept is copied.
      isHeld: () => false,
      hostLeft: () => this.#hostLeft(),
    };
    this.#port = new SharePort(device, handlers, clock, this.#log);
  }

  /** Resolves when the port is held for the first time, or cannot be yet. */
  get tried(): Promise<void> {
    return this.#port.tried;
  }

  get report(): GuestShareReport {
    const { path, isHeld, fault } = this.#port;
    return {
      port: { path, state: isHeld ? "held" : "waiting", fault: fault === undefined ? null : describeError(fault) },
      host: this.#line !== undefined,
      connections: this.#connections.size,
    };
  }

  /** After a sleep, or in a snapshot that was loaded. Only the host can hang up: it is asked to. */
  beginAnew(): void {
    this.#closeAll();
    this.#line?.write(toBeginAnew());
  }

  attach(link: LinkConnection, isShut: boolean): void {
    this.#session = { link, isShut };
  }

  detach(): void {
    this.#session = undefined;
    this.#closeAll();
  }

  /** Its user has gone from the screen, or is back. */
  shut(isShut: boolean): void {
    if (this.#session === undefined) return;
    this.#session.isShut = isShut;
    if (isShut) this.#closeAll();
  }

  sessionSaid({ requestId, bodyId }: ShareAnswer): void {
    const id = this.#asked.get(requestId);
    this.#asked.delete(requestId);
    const connection = id === undefined ? undefined : this.#connections.get(id);
    const incoming = bodyId === undefined ? undefined : this.#session?.link.incomingBody(bodyId);
    if (id === undefined || connection === undefined) return incoming?.cancel();
    if (incoming === undefined) return this.#close(id);
    connection.incoming = incoming;
    void this.#toHost(id, incoming);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closeAll();
    await this.#port[Symbol.asyncDispose]();
  }

  #hostCame(line: HostLine): void {
    this.#line = line;
    this.#lastId = 0n;
    this.#isPaused = false;
    this.#untold = 0;
    this.#reader = new MuxReader({
      data: (id, piece) => this.#arrived(id, piece),
      closed: (id) => this.#connections.get(id)?.spool.end(),
    });
    this.#log.info("the host has the port open");
  }

  #hostSaid(bytes: Uint8Array): void {
    this.#reader?.push(bytes);
    this.#reconsider();
  }

  #hostLeft(): void {
    if (this.#line === undefined) return;
    this.#line = undefined;
    this.#reader = undefined;
    this.#log.info("the host is gone");
    this.#closeAll();
  }

  #arrived(id: bigint, piece: Uint8Array): void {
    const connection = this.#connections.get(id) ?? (id > this.#lastId ? this.#open(id) : undefined);
    if (connection === undefined) return;
    this.#count(connection, piece.length);
    connection.spool.writeCopy(piece);
    if (connection.spool.unflushedBytes > SLOW_DISK_BYTES)
      // What it fails with, whoever reads is told.
      connection.spool.flushed().then(
        () => this.#reconsider(),
        () => {},
      );
    if (connection.waitingBytes <= MAX_BYTES && this.#totalBytes <= MAX_TOTAL_BYTES) return;
    this.#log.warn("a connection is closed: the session is too slow for it");
    this.#close(id);
  }

  #open(id: bigint): Connection | undefined {
    this.#lastId = id;
    const session = this.#session;
    if (session === undefined || session.isShut || session.link.dialect !== "extended") {
      this.#refuse(id, "no open session of a user is on the screen");
      return undefined;
    }
    if (this.#connections.size >= MAX_CONNECTIONS) {
      this.#refuse(id, "too many are open");
      return undefined;
    }
    const outgoing = session.link.openBody();
    const connection: Connection = {
      spool: new Spool({ eager: true }),
      outgoing,
      incoming: undefined,
      waitingBytes: 0,
    };
    this.#connections.set(id, connection);
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffff_ffff) + 1;
    this.#asked.set(requestId, id);
    session.link.send({ kind: "share-request", requestId, bodyId: outgoing.id });
    void this.#toSession(id, connection);
    return connection;
  }

  #refuse(id: bigint, why: string): void {
    this.#log.info(`a connection is refused: ${why}`);
    this.#tellClosed(id);
  }

  #tellClosed(id: bigint): void {
    const line = this.#line;
    if (line === undefined || line.write(muxHeader(id, 0))) return;
    this.#untold += 1;
    if (this.#untold > 1) return;
    void line.drained().then(() => {
      if (line !== this.#line) return;
      this.#untold = 0;
      this.#reconsider();
    });
  }

  async #toSession(id: bigint, connection: Connection): Promise<void> {
    const { spool, outgoing } = connection;
    try {
      for await (const piece of spool) {
        await outgoing.write(piece);
        // What waited for one that is closed is counted no more.
        if (!this.#connections.has(id)) return outgoing.abandon();
        this.#count(connection, -piece.length);
        this.#reconsider();
      }
      outgoing.end(true);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      outgoing.abandon();
      // It may be that the session has read enough and is still answering.
      if (error.code !== "link.closed") this.#close(id);
      else this.#count(connection, -connection.waitingBytes);
    } finally {
      await spool[Symbol.asyncDispose]();
    }
  }

  async #toHost(id: bigint, incoming: IncomingBody): Promise<void> {
    try {
      for await (const piece of incoming) {
        const line = this.#line;
        if (line === undefined || !this.#connections.has(id)) return;
        for (let at = 0; at < piece.length; at += MAX_MUX_PAYLOAD_BYTES) {
          const part = piece.subarray(at, at + MAX_MUX_PAYLOAD_BYTES);
          line.write(muxHeader(id, part.length));
          if (!line.write(part)) await line.drained();
        }
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
    } finally {
      this.#close(id);
    }
  }

  #close(id: bigint): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#count(connection, -connection.waitingBytes);
    this.#connections.delete(id);
    connection.outgoing.abandon();
    connection.incoming?.cancel();
    void connection.spool[Symbol.asyncDispose]();
    this.#tellClosed(id);
    this.#reconsider();
  }

  #count(connection: Connection, bytes: number): void {
    connection.waitingBytes += bytes;
    this.#totalBytes += bytes;
  }

  #closeAll(): void {
    for (const id of [...this.#connections.keys()]) this.#close(id);
    this.#asked.clear();
  }

  /** The port has no credit for each: the host waits only while all who could be kept waiting have enough, or memory is short. */
  #reconsider(): void {
    const all = [...this.#connections.values()];
    const isFull =
      this.#untold > MAX_UNTOLD ||
      all.some(({ spool }) => spool.unflushedBytes > SLOW_DISK_BYTES) ||
      (all.length > 0 && all.every(({ waitingBytes }) => waitingBytes > FULL_BYTES));
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) this.#line?.pause();
    else this.#line?.resume();
  }
}
