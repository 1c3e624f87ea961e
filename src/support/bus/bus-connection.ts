// One life of a connection to a message bus: dbus-next's marshaller and handshake, and nothing else of it. Its proxies,
// its introspection and its exporting of objects are not used; its pending calls never settle when the bus goes.
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Message, MessageBus, Variant } from "dbus-next";
import { BackendError } from "../errors.ts";
import { unixAddress } from "./bus-address.ts";
import { type BusArgument, type BusValue, BusVariant } from "./bus-values.ts";

/** A method call. Without a signature it has no arguments. */
export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly BusArgument[];
}

export interface BusSignal {
  /** The unique name of who sent it, put there by the bus. */
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly BusValue[];
}

export type BusReply =
  | { readonly kind: "return"; readonly body: readonly BusValue[] }
  | { readonly kind: "error"; readonly errorName: string; readonly text: string };

export interface BusConnectionHandlers {
  /** Neither may throw. `serial` is what `send` has returned; answers to calls nobody waits for come too. */
  reply(serial: number, reply: BusReply): void;
  signal(signal: BusSignal): void;
  /** Once, and nothing after it. */
  closed(): void;
}

export interface BusConnection extends Disposable {
  /** Returns the serial of the call. Throws a BackendError `bus.lost`, and a TypeError for arguments unlike the signature. */
  send(call: BusCall): number;
}

/** Rejects with a BackendError `bus.unreachable`, after which no handler is called, or with the reason of the signal. */
export type ConnectToBus = (
  address: string,
  handlers: BusConnectionHandlers,
  signal: AbortSignal,
) => Promise<BusConnection>;

/** What we need of dbus-next's inside, of the one version package.json names: nothing public says that a connection has closed. */
interface LibraryConnection {
  readonly stream?: Duplex;
  once(event: "connect", listener: () => void): void;
}

type Library = typeof import("dbus-next");

/** Loads dbus-next at the first call: a process that never gets here does not pay for it. */
export const connectToBus: ConnectToBus = async (address, handlers, signal) => {
  const busAddress = unixAddress(address);
  const library = await import("dbus-next");
  signal.throwIfAborted();
  // EXTERNAL is who we are by the socket. The other methods read files and throw.
  const bus = library.sessionBus({ busAddress, authMethods: ["EXTERNAL"] });
  const inner = (bus as unknown as { readonly _connection: LibraryConnection })._connection;
  // In the same turn as the library begins to listen, so before the first message.
  inner.once("connect", () => queueMicrotask(() => inner.stream !== undefined && guardReader(inner.stream)));
  try {
    await opened(bus, inner, signal);
  } catch (error) {
    inner.stream?.destroy();
    signal.throwIfAborted();
    const detail = error instanceof Error ? error.message : String(error);
    throw new BackendError("bus.unreachable", `${busAddress}: ${detail}`, { cause: error });
  }
  const { stream } = inner;
  if (stream === undefined || stream.destroyed) throw new BackendError("bus.unreachable", `${busAddress}: hung up`);
  return new LibraryBus(library, bus, stream, handlers);
};

class LibraryBus implements BusConnection {
  readonly #library: Library;
  readonly #bus: MessageBus;
  readonly #stream: Duplex;
  #isClosed = false;

  constructor(library: Library, bus: MessageBus, stream: Duplex, handlers: BusConnectionHandlers) {
    this.#library = library;
    this.#bus = bus;
    this.#stream = stream;
    const { ERROR, METHOD_RETURN, SIGNAL } = library.MessageType;
    bus.on("message", (message) => {
      if (this.#isClosed) return;
      const { type, replySerial } = message;
      if (type === SIGNAL) handlers.signal(this.#signal(message));
      else if (replySerial === undefined) return;
      else if (type === METHOD_RETURN) handlers.reply(replySerial, { kind: "return", body: this.#plain(message.body) });
      else if (type === ERROR) handlers.reply(replySerial, refusal(message));
    });
    // We offer nothing. The library would introspect itself for whoever asks.
    bus.addMethodHandler((message) => {
      if ((message.flags & library.MessageFlag.NO_REPLY_EXPECTED) === 0 && this.#stream.writable) {
        bus.send(library.Message.newError(message, "org.freedesktop.DBus.Error.UnknownMethod", "nothing to call here"));
      }
      return true;
    });
    stream.once("close", () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      handlers.closed();
    });
    // The other end has closed; the library leaves its own open.
    stream.once("end", () => stream.destroy());
  }

  send({ destination, path, interface: iface, member, signature = "", body = [] }: BusCall): number {
    if (this.#isClosed || !this.#stream.writable) throw new BackendError("bus.lost", "the message bus is gone");
    const message = new this.#library.Message({
      destination,
      path,
      interface: iface,
      member,
      signature,
      body: body.map((argument) => this.#marshallable(argument)),
    });
    try {
      this.#bus.send(message);
    } catch (error) {
      throw new TypeError(`${iface}.${member} cannot be called with these arguments`, { cause: error });
    }
    if (message.serial === null) throw new TypeError("dbus-next has given the message no serial");
    return message.serial;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#stream.destroy();
  }

  #signal({ sender, path, interface: iface, member, body }: Message): BusSignal {
    return { sender: sender ?? "", path, interface: iface, member, body: this.#plain(body) };
  }

  #plain(body: readonly unknown[]): readonly BusValue[] {
    return body.map((value) => plain(value, this.#library.Variant));
  }

  #marshallable(argument: BusArgument): unknown {
    if (argument instanceof BusVariant) {
      return new this.#library.Variant(argument.signature, this.#marshallable(argument.value));
    }
    if (argument instanceof Uint8Array) return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
    if (Array.isArray(argument)) return argument.map((element) => this.#marshallable(element));
    if (typeof argument !== "object") return argument;
    return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, this.#marshallable(value)]));
  }
}

function plain(value: unknown, VariantClass: typeof Variant): BusValue {
  if (value instanceof VariantClass) return plain(value.value, VariantClass);
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((element) => plain(element, VariantClass));
  if (typeof value !== "object" || value === null) return value as boolean | number | bigint | string;
  const dictionary: Record<string, BusValue> = Object.create(null);
  for (const [key, element] of Object.entries(value)) dictionary[key] = plain(element, VariantClass);
  return dictionary;
}

function refusal({ errorName, body }: Message): BusReply {
  const [text] = body;
  return { kind: "error", errorName, text: typeof text === "string" ? text : "" };
}

/** Resolves when the bus has said Hello. Errors of later come to the same listener, which lets them be. */
async function opened(bus: MessageBus, inner: LibraryConnection, signal: AbortSignal): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    // Errors of the stream are followed by its close, and a message that cannot be read concerns nobody.
    (bus as NodeJS.EventEmitter).on("error", reject);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    // The library has its stream one turn later.
    setImmediate(() => {
      if (signal.aborted || inner.stream === undefined) inner.stream?.destroy();
      const hungUp = (): void => reject(new Error("the bus hung up"));
      inner.stream?.once("end", hungUp).once("close", hungUp);
    });
  });
  await Promise.race([once(bus, "connect"), failed]);
}

/**
 * The library throws out of its 'readable' listener at a message that it cannot read, such as one with a descriptor
 * that did not come along. Anybody on the bus may send us one, and it would be the end of this process. The message is
 * taken off the stream before, so the next one can be read.
 */
function guardReader(stream: Duplex): void {
  for (const listener of stream.listeners("readable")) {
    const read = (): void => {
      for (;;) {
        const before = stream.readableLength;
        try {
          listener.call(stream);
          return;
        } catch (error) {
          if (stream.readableLength < before) continue;
          stream.destroy(error instanceof Error ? error : undefined);
          return;
        }
      }
    };
    stream.on("readable", read);
    stream.off("readable", listener as () => void);
  }
}
