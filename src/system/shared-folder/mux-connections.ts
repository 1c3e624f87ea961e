// Connections to the viewer's folder, side by side on one port. The stream has no credit of its own: whoever reads slowly is
// waited for in a backlog of their own, never in the port, which all of them share.
import { BackendError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { joined } from "../../wire/bytes.ts";
import { MAX_MUX_PAYLOAD_BYTES, MUX_HEADER_BYTES, MuxReader, muxHeader } from "../../wire/webdav-mux.ts";
import type { HostLine } from "../ports/host-line.ts";

const COPIED_BYTES = 16 * 1024;
/** At once. */
export const MAX_CONNECTIONS = 256;
/** No connection has this number: whoever closes it asks the other end to open the port anew. */
const BEGIN_ANEW = 0n;
/** Says so to an end that may be in the middle of a frame, whose rest was lost with another time: zeros end any frame. */
export const toBeginAnew = (): Uint8Array => new Uint8Array(MAX_MUX_PAYLOAD_BYTES + MUX_HEADER_BYTES);
/** Of a receiver that keeps nothing. */
export const takesAll = { isFull: false, isBehind: false, isHolding: false } as const;
const PROVOCATION = new TextEncoder().encode("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n");

/** The guest's end of one connection. */
export interface MuxReceiver {
  /** Bytes from the viewer, good until the turn is over, and for as long as `isHolding` says so. */
  data(piece: Uint8Array): void;
  /** The viewer has closed it, or is gone (`isCut`): nothing more comes. */
  closed(isCut: boolean): void;
  /** It holds all that it will while others wait. */
  readonly isFull: boolean;
  /** It cannot put away what comes as fast as it does: all wait. */
  readonly isBehind: boolean;
  /** It still looks at bytes that it was given. */
  readonly isHolding: boolean;
}

export class MuxConnection {
  readonly receiver: MuxReceiver;
  /** Given with the first bytes: an end that has seen a higher one takes it for late. */
  id: bigint | undefined;
  readonly #owner: MuxConnections;

  constructor(receiver: MuxReceiver, owner: MuxConnections) {
    this.receiver = receiver;
    this.#owner = owner;
  }

  /** False: wait for `drained`. What is sent on a connection that is closed goes nowhere. */
  send(bytes: Uint8Array): boolean {
    return this.#owner.send(this, bytes);
  }

  drained(): Promise<void> {
    return this.#owner.drained();
  }

  /** Tells the other end, unless it was the one who closed it. The receiver is told nothing any more. */
  close(): void {
    this.#owner.close(this);
  }
}

type MuxLine = Pick<HostLine, "write" | "taken" | "drained" | "pause" | "resume">;

export class MuxConnections {
  readonly #line: MuxLine;
  readonly #log: Log;
  readonly #open = new Set<MuxConnection>();
  readonly #known = new Map<bigint, MuxConnection>();
  /** Of connections that are closed, with bytes that still wait for who reads them. */
  readonly #lingering = new Set<MuxReceiver>();
  readonly #reader: MuxReader;
  readonly #nextId: () => bigint;
  #isPaused = false;
  #isProvoked = false;
  #pieces = 0;
  #answers = 0;

  /** The other end has asked for it. */
  anew: () => void = () => {};

  /** `nextId` gives each number once, for all the lines there ever are: what is late must not find a new owner. */
  constructor(line: MuxLine, nextId: () => bigint, log: Log) {
    this.#line = line;
    this.#nextId = nextId;
    this.#log = log;
    this.#reader = new MuxReader({
      data: (id, piece) => {
        const receiver = this.#known.get(id)?.receiver;
        if (receiver === undefined) return;
        this.#answers += 1;
        receiver.data(piece);
      },
      closed: (id) => this.#closedByHost(id),
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Counts what has come from the host, and what it has taken: where it stands still, so does the host. */
  get progress(): number {
    return this.#pieces + this.#line.taken;
  }

  /** Counts what has come for connections that are open: where the two ends are out of step, nothing does. */
  get answers(): number {
    return this.#answers;
  }

  /** What was asked for by `provoke` has not come yet. */
  get isProvoked(): boolean {
    return this.#isProvoked;
  }

  /** Bytes that were pushed are still looked at. */
  get isHolding(): boolean {
    this.#forgetDrained();
    if (this.#lingering.size > 0) return true;
    for (const { receiver } of this.#open) if (receiver.isHolding) return true;
    return false;
  }

  /** Throws a BackendError `shared-folder.too-many`. The viewer hears of it with the first bytes that are sent. */
  open(receiver: MuxReceiver): MuxConnection {
    if (this.#open.size >= MAX_CONNECTIONS)
      throw new BackendError("shared-folder.too-many", `${MAX_CONNECTIONS} connections are open already`);
    return this.#opened(receiver);
  }

  /** What came from the host. */
  push(bytes: Uint8Array): void {
    this.#pieces += 1;
    this.#reader.push(bytes);
    this.reconsider();
  }

  send(connection: MuxConnection, bytes: Uint8Array): boolean {
    if (!this.#open.has(connection)) return true;
    const id = connection.id ?? this.#begin(connection);
    let takesMore = true;
    for (let at = 0; at < bytes.length; at += MAX_MUX_PAYLOAD_BYTES) {
      const part = bytes.subarray(at, at + MAX_MUX_PAYLOAD_BYTES);
      const header = muxHeader(id, part.length);
      // What is small goes in one: each write is a message of its own on its way to the viewer.
      if (part.length < COPIED_BYTES) takesMore = this.#line.write(joined([header, part]));
      else {
        this.#line.write(header);
        takesMore = this.#line.write(part);
      }
    }
    return takesMore;
  }

  drained(): Promise<void> {
    return this.#line.drained();
  }

  close(connection: MuxConnection): void {
    if (!this.#open.delete(connection)) return;
    this.#linger(connection.receiver);
    if (connection.id !== undefined) {
      this.#known.delete(connection.id);
      this.#line.write(muxHeader(connection.id, 0));
    }
    this.reconsider();
  }

  /**
   * Asks the viewer's server for anything at all: as long as it is alive, something comes. Once at a time, but `isAnew`:
   * what was asked before may be of another time.
   */
  provoke(isAnew = false): void {
    if (this.#isProvoked && !isAnew) return;
    this.#isProvoked = true;
    const answered = (): void => {
      this.#isProvoked = false;
      connection.close();
    };
    // However many are open: it is they who wait.
    const connection = this.#opened({ data: answered, closed: answered, ...takesAll });
    connection.send(PROVOCATION);
  }

  /** The viewer is gone, and with it every connection. */
  cutAll(): void {
    const all = [...this.#open];
    this.#open.clear();
    this.#known.clear();
    // The line waits no longer for this one's sake.
    this.#isPaused = false;
    for (const { receiver } of all) receiver.closed(true);
  }

  /** The host waits only while everybody who could be kept waiting by it has enough. */
  reconsider(): void {
    const all = [...this.#open].map(({ receiver }) => receiver);
    const isFull = all.some(({ isBehind }) => isBehind) || (all.length > 0 && all.every(({ isFull }) => isFull));
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) this.#line.pause();
    else this.#line.resume();
    this.#log.debug(isFull ? "the host waits: nothing more is taken" : "the host goes on");
  }

  #opened(receiver: MuxReceiver): MuxConnection {
    const connection = new MuxConnection(receiver, this);
    this.#open.add(connection);
    this.reconsider();
    return connection;
  }

  #closedByHost(id: bigint): void {
    if (id === BEGIN_ANEW) return this.anew();
    const connection = this.#known.get(id);
    if (connection === undefined) return;
    this.#answers += 1;
    this.#known.delete(id);
    this.#open.delete(connection);
    this.#linger(connection.receiver);
    connection.receiver.closed(false);
  }

  #linger(receiver: MuxReceiver): void {
    this.#forgetDrained();
    if (receiver.isHolding) this.#lingering.add(receiver);
  }

  #forgetDrained(): void {
    for (const receiver of this.#lingering) if (!receiver.isHolding) this.#lingering.delete(receiver);
  }

  #begin(connection: MuxConnection): bigint {
    const id = this.#nextId();
    connection.id = id;
    this.#known.set(id, connection);
    return id;
  }
}
