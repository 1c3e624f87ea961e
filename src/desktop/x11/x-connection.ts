// One connection to an X server: promises instead of callbacks, typed events, and an end that nothing survives waiting for.
import { connect, type OnReadOpts, type Socket } from "node:net";
import x11 from "x11";
import { BackendError } from "../../support/errors.ts";
import { type AnswerSink, PacketStream } from "./packet-stream.ts";
import { ReadBlocks } from "./read-blocks.ts";

/** Core event masks. */
export const EventMask = { NONE: 0, STRUCTURE_NOTIFY: 1 << 17, PROPERTY_CHANGE: 1 << 22 } as const;

/** XFIXES: owner set, owner's window destroyed, owner's client gone. */
const SELECTION_MASK = 7;
/** RandR: screen, CRTC and output changes. */
const RANDR_MASK = 7;

/** Core event numbers. */
const DESTROY_NOTIFY = 17;
const PROPERTY_NOTIFY = 28;
const SELECTION_REQUEST = 30;
const SELECTION_NOTIFY = 31;
/** Of the kinds that XFIXES' SelectionNotify has. */
const SELECTION_CLIENT_CLOSE = 2;

/** TCP port of display 0. */
const FIRST_TCP_PORT = 6000;

/** RandR's RRNotify carries CRTC, output and property changes; the library knows the screen change only. */
const RR_NOTIFY_OFFSET = 1;

/** Failures of requests that nobody checks, kept in case somebody does. */
const MAX_KEPT_FAILURES = 1000;

export interface SelectionRequestEvent {
  readonly kind: "selection-request";
  readonly time: number;
  readonly requestor: number;
  readonly selection: number;
  readonly target: number;
  readonly property: number;
}

export type XEvent =
  | SelectionRequestEvent
  /** The answer to our ConvertSelection; property 0: refused. */
  | {
      readonly kind: "selection-notify";
      readonly selection: number;
      readonly target: number;
      readonly property: number;
    }
  | { readonly kind: "property-notify"; readonly window: number; readonly property: number; readonly deleted: boolean }
  /** XFIXES: owner 0 is nobody; `ended`: because the owner's program has, and will answer nobody. Times are the server's. */
  | {
      readonly kind: "selection-owner";
      readonly selection: number;
      readonly owner: number;
      readonly ended: boolean;
      readonly selectionTime: number;
    }
  | { readonly kind: "window-destroyed"; readonly window: number }
  | { readonly kind: "screen-changed" }
  /** The connection is gone; nothing comes after it. */
  | { readonly kind: "closed" };

export type XClient = x11.Client;

export class XConnection implements AsyncDisposable {
  /** For extensions and raw requests; answers are awaited through `ask` and `check`. */
  readonly client: XClient;
  readonly root: number;
  readonly fixes: x11.Fixes;
  readonly randr: x11.Randr | undefined;
  /** An unmapped window of ours: owns selections, receives properties. */
  readonly window: number;
  /** Largest property that one ChangeProperty of the library can carry, bytes. */
  readonly maxPropertyBytes = 262_080;
  readonly #blocks: ReadBlocks;
  readonly #packets: PacketStream;
  readonly #listeners = new Set<(event: XEvent) => void>();
  readonly #pending = new Set<(error: Error) => void>();
  readonly #resourceMask: number;
  readonly #failures = new Map<number, x11.RequestFailure>();
  readonly #atoms = new Map<string, Promise<number>>();
  readonly #knownAtoms = new Map<string, number>();
  readonly #names = new Map<number, Promise<string>>();
  readonly #closed: Promise<void>;
  #isClosed = false;

  private constructor(wire: Wire, display: x11.Display, fixes: x11.Fixes, randr: x11.Randr | undefined) {
    const screen = display.screen[0];
    if (screen === undefined) throw new BackendError("display.unreachable", "the X server has no screen");
    this.#blocks = wire.blocks;
    this.#packets = wire.packets;
    this.client = display.client;
    this.#resourceMask = display.resource_mask;
    this.root = screen.root;
    this.fixes = fixes;
    this.randr = randr;
    this.window = this.client.AllocID();
    this.#closed = new Promise((resolve) => {
      this.client.stream.on("close", () => {
        this.#isClosed = true;
        this.#packets.end();
        for (const reject of this.#pending) reject(this.#lost());
        this.#pending.clear();
        for (const listener of this.#listeners) listener({ kind: "closed" });
        resolve();
      });
    });
    // Errors of requests without a callback arrive here; `check` looks for its own.
    this.client.on("error", (error) => {
      if (this.#failures.size >= MAX_KEPT_FAILURES) this.#failures.clear();
      if (error.seq !== undefined) this.#failures.set(error.seq, error);
    });
    this.client.on("event", (raw) => {
      const event = this.#typed(raw);
      if (event !== undefined) for (const listener of this.#listeners) listener(event);
    });
    this.client.CreateWindow(this.window, this.root, -10, -10, 1, 1, 0, 0, 0, 0, {
      eventMask: EventMask.PROPERTY_CHANGE,
    });
    if (randr !== undefined) {
      this.client.eventParsers[randr.firstEvent + RR_NOTIFY_OFFSET] = (type) => ({ type });
      randr.SelectInput(this.root, RANDR_MASK);
    }
  }

  /**
   * `display` as in $DISPLAY. Aborting the signal calls the opening off; it has no say in an open connection.
   * Throws a BackendError `display.unreachable`.
   */
  static async open(display: string, signal: AbortSignal): Promise<XConnection> {
    const wire = wireTo(display);
    const { socket } = wire;
    // A server that accepts and says nothing must not keep us from stopping.
    const hangUp = (): void => void socket.destroy();
    signal.addEventListener("abort", hangUp);
    if (signal.aborted) hangUp();
    try {
      return await XConnection.#over(wire, display);
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
  }

  static async #over(wire: Wire, display: string): Promise<XConnection> {
    const client = await connected(wire.socket, display);
    try {
      const { stream } = client.client;
      const fixes = await required<x11.Fixes>(stream, (callback) => client.client.require("fixes", callback));
      const randr = await required<x11.Randr>(stream, (callback) => client.client.require("randr", callback)).catch(
        () => undefined,
      );
      // Closed meanwhile: a server without RandR is something else, and nobody would hear of this end again.
      if (stream.destroyed) throw new Error("the connection was closed");
      return new XConnection(wire, client, fixes, randr);
    } catch (error) {
      client.client.stream.destroy();
      throw new BackendError("display.unreachable", `${display}: its extensions cannot be had`, { cause: error });
    }
  }

  /** The number of the connection whose window this is. */
  connectionOf(window: number): number {
    return (window & ~this.#resourceMask) >>> 0;
  }

  /** Resolves when the server or the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  onEvent(listener: (event: XEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  watchSelection(selection: number): void {
    this.fixes.SelectSelectionInput(this.window, selection, SELECTION_MASK);
  }

  /** A request with a reply, or with a callback. Throws `display.request-failed` or `display.lost`. */
  ask<T>(request: (callback: x11.Callback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(this.#lost());
      this.#pending.add(reject);
      request((error, result) => {
        this.#pending.delete(reject);
        if (error) reject(requestFailed(error));
        else resolve(result);
        return true;
      });
    });
  }

  /** A request whose answer is the sink's. */
  askInPieces(request: Buffer, sink: AnswerSink): void {
    if (this.#isClosed) return sink.failed("closed");
    const { client } = this;
    client.seq_num += 1;
    this.#packets.await(client.seq_num, sink);
    client.pack_stream.put(request);
    client.pack_stream.submit();
  }

  /** Nobody looks any more at this piece of an answer: its memory is written over. */
  giveBack(piece: Uint8Array): void {
    this.#blocks.giveBack(piece);
  }

  /** What is asked in this turn goes out in one write: each of its own costs an emulated CPU a millisecond and more. */
  gather(): void {
    const { stream } = this.client;
    stream.cork();
    setImmediate(() => stream.uncork());
  }

  /** An extension's request without a reply: waits until the server has done it, or has refused. */
  async check(request: () => void): Promise<void> {
    request();
    const { seq_num } = this.client;
    await this.sync();
    const failure = this.#failures.get(seq_num);
    this.#failures.delete(seq_num);
    if (failure !== undefined) throw requestFailed(failure);
  }

  sync(): Promise<void> {
    return this.ask<void>((callback) => void this.client.sync().then(() => callback(null, undefined), callback));
  }

  atom(name: string): Promise<number> {
    let atom = this.#atoms.get(name);
    if (atom === undefined) {
      atom = this.ask<number>((callback) => this.client.InternAtom(false, name, callback));
      this.#atoms.set(name, atom);
      atom.then(
        (known) => this.#knownAtoms.set(name, known),
        () => {},
      );
    }
    return atom;
  }

  /** The same, if the server has told it before. */
  knownAtom(name: string): number | undefined {
    return this.#knownAtoms.get(name);
  }

  atomName(atom: number): Promise<string> {
    let name = this.#names.get(atom);
    if (name === undefined) {
      name = this.ask<string>((callback) => this.client.GetAtomName(atom, callback));
      this.#names.set(atom, name);
      // A number that is no atom may become one, and those who invent numbers are not to fill our memory.
      name.catch(() => this.#names.delete(atom));
    }
    return name;
  }

  /** The whole desktop, pixels. */
  async rootSize(): Promise<{ readonly width: number; readonly height: number }> {
    const { width, height } = await this.ask<{ readonly width: number; readonly height: number }>((callback) =>
      this.client.GetGeometry(this.root, callback),
    );
    return { width, height };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.stream.destroy();
    await this.#closed;
  }

  #lost(): BackendError {
    return new BackendError("display.lost", "the X server is gone");
  }

  #typed(raw: x11.RawEvent): XEvent | undefined {
    const field = (name: string): number => Number(raw[name]);
    switch (raw.type) {
      case SELECTION_REQUEST:
        return {
          kind: "selection-request",
          time: field("time"),
          requestor: field("requestor"),
          selection: field("selection"),
          target: field("target"),
          property: field("property"),
        };
      case SELECTION_NOTIFY: {
        const [selection, target, property] = [field("selection"), field("target"), field("property")];
        return { kind: "selection-notify", selection, target, property };
      }
      case PROPERTY_NOTIFY:
        return {
          kind: "property-notify",
          window: field("wid"),
          property: field("atom"),
          deleted: field("state") === 1,
        };
      case DESTROY_NOTIFY:
        return { kind: "window-destroyed", window: field("wid") };
      case this.fixes.firstEvent:
        return {
          kind: "selection-owner",
          selection: field("selection"),
          owner: field("owner"),
          ended: field("subtype") === SELECTION_CLIENT_CLOSE,
          selectionTime: field("selectionTimestamp"),
        };
      default: {
        const first = this.randr?.firstEvent;
        const isRandr = first !== undefined && (raw.type === first || raw.type === first + RR_NOTIFY_OFFSET);
        return isRandr ? { kind: "screen-changed" } : undefined;
      }
    }
  }
}

async function connected(stream: Socket, display: string): Promise<x11.Display> {
  try {
    const connection = await required<x11.Display>(stream, (callback) => {
      // `auth` undefined: the cookie is looked up in the Xauthority file, as without a stream of our own.
      const client = x11.createClient({ display, stream, auth: undefined, shm: false }, callback);
      // Before the connection stands errors come by the callback and, again, as events.
      client.on("error", () => {});
    });
    // The library keeps the atoms of all connections in one object, where those of a server that has died live on.
    connection.client.atoms = Object.create(connection.client.atoms);
    return connection;
  } catch (error) {
    stream.destroy();
    const { code, message } = error as NodeJS.ErrnoException;
    // Whoever is let in by the socket and not by the server is hung up on, without a word of why.
    const isRefused = code === undefined || code === "EPIPE" || code === "ECONNRESET";
    const detail = isRefused ? `the X server hung up: is XAUTHORITY right? (${message})` : message;
    throw new BackendError("display.unreachable", `${display}: ${detail}`, { cause: error });
  }
}

/** A socket to a server, with what is read from it. */
interface Wire {
  readonly socket: Socket;
  readonly blocks: ReadBlocks;
  readonly packets: PacketStream;
}

function wireTo(display: string): Wire {
  const blocks = new ReadBlocks();
  const packets = new PacketStream(blocks, (bytes) => void socket.emit("data", bytes));
  const socket = socketTo(display, {
    buffer: () => blocks.room(),
    callback: (count, buffer) => {
      packets.push(Buffer.from(buffer.buffer, buffer.byteOffset, count));
      return true;
    },
  });
  return { socket, blocks, packets };
}

/** Left to itself the library would try TCP instead of a local socket that is not there, which nobody asked for. */
function socketTo(display: string, onread: OnReadOpts): Socket {
  let parsed: ReturnType<typeof x11.parseDisplay>;
  try {
    parsed = x11.parseDisplay(display);
  } catch {
    throw new BackendError("display.unreachable", `${JSON.stringify(display)} names no display: :N or HOST:N does`);
  }
  const { host, protocol, displayNum } = parsed;
  if (host === "" || host === "unix" || protocol === "unix")
    return connect({ path: `/tmp/.X11-unix/X${displayNum}`, onread });
  return connect({ port: FIRST_TCP_PORT + Number(displayNum), host, onread });
}

/** The library forgets its callbacks when the connection is closed. */
function required<T>(stream: Socket, call: (callback: x11.Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error("the connection was closed"));
    if (stream.destroyed) closed();
    stream.once("close", closed);
    call((error, result) => {
      if (error) reject(error);
      else resolve(result);
      return true;
    });
  });
}

function requestFailed(error: Error): BackendError {
  const { error: number, majorOpcode, minorOpcode } = error as x11.RequestFailure;
  const what = error.message || `error ${number}`;
  return new BackendError("display.request-failed", `request ${majorOpcode}.${minorOpcode}: ${what}`, { cause: error });
}
