// A message bus for as long as somebody wants it: connected, lost, connected again; no call without an end.
import { aborted } from "../aborted.ts";
import { type Clock, sleep } from "../clock.ts";
import { BackendError, describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  type BusCall,
  type BusConnection,
  type BusReply,
  type BusSignal,
  type ConnectToBus,
  connectToBus,
} from "./bus-connection.ts";
import { asDictionary, type BusValue } from "./bus-values.ts";
import { NameOwners } from "./name-owners.ts";
import { BusRefusal, PendingCall, type PendingCallOptions } from "./pending-call.ts";
import { hasOwner, isWanted, ruleText, type SignalRule } from "./signal-rule.ts";

/** For an answer, and for the bus to let us in. */
const ANSWER_MS = 5000;
/** Pauses between tries to reach the bus, doubling. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2000;

const THE_BUS = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};
const PROPERTIES = "org.freedesktop.DBus.Properties";
const NO_OWNER = "org.freedesktop.DBus.Error.NameHasNoOwner";
const ANY_OWNER: SignalRule = {
  sender: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "NameOwnerChanged",
};

export interface MessageBusOptions {
  /** `unix:path=…`, see bus-address.ts. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: dbus-next. */
  readonly connect?: ConnectToBus;
}

export interface CallOptions {
  /** Aborting rejects the call with the signal's reason; the service is not told. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, 5000 unless told. The time to reach the bus counts. */
  readonly timeoutMs?: number;
}

export interface BusObject {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
}

interface Subscription {
  readonly rule: SignalRule;
  readonly listener: (signal: BusSignal) => void;
}

/**
 * Connects at the first call or subscription; reconnects while there is a subscription or the owner of a name is watched.
 * Listeners may throw a BackendError, which is logged.
 */
export class MessageBus implements AsyncDisposable {
  readonly #options: MessageBusOptions;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #subscriptions = new Set<Subscription>();
  readonly #owners = new NameOwners();
  /** Until there is a connection. */
  readonly #unsent = new Set<PendingCall>();
  readonly #sent = new Map<number, PendingCall>();
  #connection: BusConnection | undefined;
  #hangUp: ((why: BackendError) => void) | undefined;
  /** Why there is no connection, while the next try is some time away. */
  #failure: BackendError | undefined;
  #running: Promise<void> | undefined;

  constructor(options: MessageBusOptions) {
    this.#options = options;
    this.#log = options.log.of("bus");
  }

  /**
   * Calls a method; the bus starts the service if it knows how. Resolves with the arguments of the answer. Rejects with a
   * BackendError `bus.unreachable` (at once, if the bus was tried a moment ago), `bus.lost`, `bus.timeout`, a BusRefusal
   * (`bus.refused`), or the signal's reason; with a TypeError if the arguments are not what the signature says.
   */
  call(call: BusCall, { signal, timeoutMs = ANSWER_MS }: CallOptions = {}): Promise<readonly BusValue[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#stop.signal.aborted) throw lost();
      if (this.#failure !== undefined) throw this.#failure;
      this.#put(call, { signal, timeoutMs, resolve, reject });
    });
  }

  /** Rejects as `call` does. */
  async property(object: BusObject, name: string, options?: CallOptions): Promise<BusValue> {
    const { destination, path } = object;
    const body = [object.interface, name];
    const get: BusCall = { destination, path, interface: PROPERTIES, member: "Get", signature: "ss", body };
    const [value] = await this.call(get, options);
    if (value === undefined) throw new BackendError("bus.bad-answer", `Get ${name} is empty`);
    return value;
  }

  /** All properties of the interface. Rejects as `call` does, and with `bus.bad-answer`. */
  async properties(object: BusObject, options?: CallOptions): Promise<Readonly<Record<string, BusValue>>> {
    const { destination, path } = object;
    const body = [object.interface];
    const getAll: BusCall = { destination, path, interface: PROPERTIES, member: "GetAll", signature: "s", body };
    const [values] = await this.call(getAll, options);
    return asDictionary(values, "GetAll");
  }

  /** Signals by this rule from whoever owns the rule's sender, whenever there is a connection. */
  subscribe(rule: SignalRule, listener: (signal: BusSignal) => void): Disposable {
    const subscription = { rule, listener };
    this.#subscriptions.add(subscription);
    // Before the rule: the first signal that it lets through must find its sender known.
    const owner = hasOwner(rule.sender) ? this.#trackOwner(rule.sender) : undefined;
    this.#ask("AddMatch", ruleText(rule));
    this.#run();
    return {
      [Symbol.dispose]: () => {
        if (!this.#subscriptions.delete(subscription)) return;
        this.#ask("RemoveMatch", ruleText(rule));
        owner?.[Symbol.dispose]();
      },
    };
  }

  /** Is told when the owner of a well-known name changes; it begins without one, as it is without a bus. */
  watchName(name: string, listener: (owner: string | undefined) => void): Disposable {
    let isOver = false;
    const told = (owner: string | undefined): void => {
      if (!isOver) this.#tell(() => listener(owner));
    };
    const tracking = this.#trackOwner(name, told);
    const owner = this.#owners.ownerOf(name);
    if (owner !== undefined) queueMicrotask(() => told(this.#owners.ownerOf(name)));
    this.#run();
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        tracking[Symbol.dispose]();
      },
    };
  }

  /** Pending calls fail; nobody is told anything any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#failAll(lost());
    await this.#running;
  }

  get #isWanted(): boolean {
    return this.#subscriptions.size + this.#owners.names.length > 0;
  }

  #run(): void {
    if (this.#isWanted || this.#unsent.size > 0) this.#running ??= this.#keepConnected();
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#options;
    let pauseMs = RETRY_MIN_MS;
    try {
      while (!signal.aborted && (this.#isWanted || this.#unsent.size > 0)) {
        const sinceMs = clock.nowMs();
        const error = await this.#live(signal);
        this.#failAll(error);
        if (signal.aborted || !this.#isWanted) return;
        this.#log.warn(`${describeError(error)}: trying again`);
        // One that takes us in and throws us out again is not tried faster than one that is not there.
        if (clock.nowMs() - sinceMs > 2 * RETRY_MAX_MS) pauseMs = RETRY_MIN_MS;
        this.#failure = error;
        await sleep(clock, pauseMs, signal);
        this.#failure = undefined;
        pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
      }
    } finally {
      // In the turn in which it ends: who calls in the next one begins anew.
      this.#running = undefined;
    }
  }

  /** One connection, from the asking to the end. Resolves with why it has none any more. */
  async #live(stop: AbortSignal): Promise<BackendError> {
    const ending = new AbortController();
    const end = (why: BackendError): void => ending.abort(why);
    const stopped = (): void => end(lost());
    stop.addEventListener("abort", stopped);
    this.#hangUp = end;
    try {
      using connection = await this.#connect(ending);
      this.#connection = connection;
      this.#log.debug("connected");
      this.#connected(connection);
      await aborted(ending.signal);
      this.#connection = undefined;
      this.#failAll(ending.signal.reason);
      if (stop.aborted) return ending.signal.reason;
      this.#owners.clear();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      end(error);
    } finally {
      stop.removeEventListener("abort", stopped);
      this.#hangUp = undefined;
    }
    return ending.signal.reason;
  }

  async #connect(ending: AbortController): Promise<BusConnection> {
    const { address, clock, connect = connectToBus } = this.#options;
    const late = (): void => this.#hangUp?.(new BackendError("bus.timeout", `${address}: says nothing`));
    using _timer = clock.after(ANSWER_MS, late);
    const handlers = {
      reply: (serial: number, reply: BusReply) => this.#sent.get(serial)?.answer(reply),
      signal: (signal: BusSignal) => this.#received(signal),
      closed: () => ending.abort(lost()),
    };
    return await connect(address, handlers, ending.signal);
  }

  #connected(connection: BusConnection): void {
    for (const name of this.#owners.names) this.#askOwner(name);
    for (const { rule } of this.#subscriptions) this.#ask("AddMatch", ruleText(rule));
    for (const pending of [...this.#unsent]) this.#send(connection, pending);
  }

  #put(call: BusCall, options: Pick<PendingCallOptions, "signal" | "timeoutMs" | "resolve" | "reject">): void {
    const over = (): void => {
      this.#unsent.delete(pending);
      if (pending.serial !== undefined) this.#sent.delete(pending.serial);
    };
    const pending = new PendingCall(call, { ...options, clock: this.#options.clock, over });
    if (this.#connection !== undefined) return this.#send(this.#connection, pending);
    this.#unsent.add(pending);
    this.#run();
  }

  #send(connection: BusConnection, pending: PendingCall): void {
    this.#unsent.delete(pending);
    try {
      pending.serial = connection.send(pending.call);
      this.#sent.set(pending.serial, pending);
    } catch (error) {
      pending.fail(error);
    }
  }

  #failAll(reason: BackendError): void {
    for (const pending of [...this.#unsent, ...this.#sent.values()]) pending.fail(reason);
  }

  #trackOwner(name: string, listener?: (owner: string | undefined) => void): Disposable {
    if (this.#owners.add(name, listener)) this.#askOwner(name);
    return {
      [Symbol.dispose]: () => {
        if (this.#owners.remove(name, listener)) this.#ask("RemoveMatch", ruleText(ownerRule(name)));
      },
    };
  }

  #askOwner(name: string): void {
    this.#ask("AddMatch", ruleText(ownerRule(name)));
    this.#ask("GetNameOwner", name, ([owner]) => {
      if (typeof owner === "string") this.#owners.set(name, owner);
    });
  }

  /** Asks the bus itself, if there is one; what is in force without a connection is asked when there is. */
  #ask(member: string, argument: string, answered: (body: readonly BusValue[]) => void = () => {}): void {
    if (this.#connection === undefined) return;
    const reject = (error: unknown): void => {
      if (!(error instanceof BackendError)) throw error;
      if (error.code === "bus.timeout") this.#hangUp?.(error);
      else if (error instanceof BusRefusal && error.dbusName !== NO_OWNER) this.#log.warn(describeError(error));
    };
    const call: BusCall = { ...THE_BUS, member, signature: "s", body: [argument] };
    this.#put(call, { signal: undefined, timeoutMs: ANSWER_MS, resolve: answered, reject });
  }

  #received(signal: BusSignal): void {
    if (isWanted(ANY_OWNER, signal) && signal.sender === ANY_OWNER.sender) {
      const [name, , owner] = signal.body;
      if (typeof name === "string" && typeof owner === "string") this.#owners.set(name, owner || undefined);
    }
    for (const { rule, listener } of [...this.#subscriptions]) {
      const sender = hasOwner(rule.sender) ? this.#owners.ownerOf(rule.sender) : rule.sender;
      if (signal.sender === sender && isWanted(rule, signal)) this.#tell(() => listener(signal));
    }
  }

  /** We are in the middle of the library here, which answers the sender with what is thrown at it. */
  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      if (error instanceof BackendError) this.#log.warn(describeError(error));
      else
        queueMicrotask(() => {
          throw error;
        });
    }
  }
}

function ownerRule(name: string): SignalRule {
  return { ...ANY_OWNER, arg0: name };
}

function lost(): BackendError {
  return new BackendError("bus.lost", "the message bus is gone");
}
