// The folder's name for file managers that look around by mDNS, through Avahi where it runs (org.freedesktop.Avahi, avahi 0.8).
import { asCount, asText, type BusArgument } from "../../support/bus/bus-values.ts";
import type { MessageBus } from "../../support/bus/message-bus.ts";
import { BusRefusal } from "../../support/bus/pending-call.ts";
import type { Clock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { ListenAddress } from "./dav-proxy.ts";

const AVAHI = "org.freedesktop.Avahi";
const SERVER = { destination: AVAHI, path: "/", interface: "org.freedesktop.Avahi.Server" };
const GROUP = "org.freedesktop.Avahi.EntryGroup";
const COLLIDES = "org.freedesktop.Avahi.CollisionError";
/** AvahiEntryGroupState. */
const State = { ESTABLISHED: 2, COLLISION: 3, FAILURE: 4 } as const;

/** As file managers know it from spice-webdavd. */
const NAME = "Spice client folder";
const TYPE = "_webdav._tcp";
/** `lo`, in every network namespace: nobody else can reach what is served there. */
const LOOPBACK = 1;
/** AvahiProtocol. */
const Protocol = { ANY: -1, IPV4: 0, IPV6: 1 } as const;
/** What the loopback's name leads to: nothing else can be announced. */
const ADDRESSES: Readonly<Record<string, number>> = { "127.0.0.1": Protocol.IPV4, "::1": Protocol.IPV6 };
const TXT = ["path=/", "u=", "p="].map((text) => Buffer.from(text));
/** Of the same name that are tried. */
const MAX_NAMES = 20;
/** Before what has failed is tried again, doubling. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;

export interface AnnouncementReport {
  /** What it is found by; null: it is not there to be found. */
  readonly name: string | null;
  readonly fault: string | null;
}

/** Its group of entries at Avahi, and how often its name was taken. */
interface Group {
  readonly path: string;
  names: number;
}

/** Of the bus, what is used of it. */
export type AnnouncementBus = Pick<MessageBus, "call" | "subscribe" | "watchName"> & AsyncDisposable;

export class Announcement implements AsyncDisposable {
  readonly #bus: AnnouncementBus;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watching: readonly Disposable[];
  /** Where it is to be found; empty: nowhere. */
  #addresses: readonly ListenAddress[] = [];
  #retry: Disposable | undefined;
  #pauseMs = RETRY_MIN_MS;
  #owner: string | undefined;
  #group: Group | undefined;
  #name: string | undefined;
  #fault: BackendError | undefined;
  /** One thing after the other. */
  #work: Promise<void> = Promise.resolve();

  /** The bus is its own from now on: what it has announced ends with the connection. */
  constructor(bus: AnnouncementBus, clock: Clock, log: Log) {
    this.#bus = bus;
    this.#clock = clock;
    this.#log = log.of("mdns");
    this.#watching = [
      bus.subscribe({ sender: AVAHI, interface: GROUP, member: "StateChanged" }, ({ path, body }) =>
        this.#stateChanged(path, asCount(body[0], "state"), asText(body[1], "error")),
      ),
      bus.watchName(AVAHI, (owner) => {
        this.#owner = owner;
        // Whatever it knew went with it.
        this.#forget();
        this.#endRetry();
        this.#settle();
      }),
    ];
  }

  /** Where the folder is served now; empty: nowhere. */
  set(addresses: readonly ListenAddress[]): void {
    this.#addresses = addresses;
    this.#endRetry();
    this.#settle();
  }

  get report(): AnnouncementReport {
    const fault = this.#owner === undefined ? "Avahi does not run" : this.#fault && describeError(this.#fault);
    return { name: this.#name ?? null, fault: fault ?? null };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watching of this.#watching) watching[Symbol.dispose]();
    this.#endRetry();
    await this.#bus[Symbol.asyncDispose]();
    await this.#work;
  }

  #settle(): void {
    this.#then(async () => {
      const isDue = this.#addresses.length > 0 && this.#owner !== undefined;
      if (isDue && this.#group === undefined) await this.#announce();
      else if (!isDue && this.#group !== undefined) await this.#withdraw(this.#group);
    });
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      if (!(error instanceof BackendError)) throw error;
      // Without Avahi or a bus there is nothing to be told of it: both are waited for.
      if (this.#owner === undefined) return;
      this.#fault = error;
      this.#log.warn(`the folder is not announced: ${describeError(error)}`);
      if (error.code !== "mdns.no-address") this.#retryLater();
    });
  }

  #retryLater(): void {
    if (this.#addresses.length === 0 || this.#retry !== undefined) return;
    this.#retry = this.#clock.after(this.#pauseMs, () => {
      this.#retry = undefined;
      this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MAX_MS);
      this.#then(async () => {
        if (this.#group !== undefined) await this.#withdraw(this.#group);
        if (this.#addresses.length > 0 && this.#owner !== undefined) await this.#announce();
      });
    });
  }

  #endRetry(): void {
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
    this.#pauseMs = RETRY_MIN_MS;
  }

  async #announce(): Promise<void> {
    const [path] = await this.#bus.call({ ...SERVER, member: "EntryGroupNew" });
    this.#group = { path: asText(path, "EntryGroupNew"), names: 1 };
    await this.#add(this.#group);
  }

  async #withdraw(group: Group): Promise<void> {
    this.#forget();
    await this.#ask(group, "Free");
    this.#log.debug("no longer announced");
  }

  async #add(group: Group): Promise<void> {
    const { port, protocol } = placeOf(this.#addresses);
    const entry = [LOOPBACK, protocol, 0, nameOf(group), TYPE, "", "", port, TXT];
    try {
      await this.#ask(group, "AddService", "iiussssqaay", entry);
      await this.#ask(group, "Commit");
    } catch (error) {
      if (!(error instanceof BusRefusal) || error.dbusName !== COLLIDES) throw error;
      await this.#rename(group);
    }
  }

  async #rename(group: Group): Promise<void> {
    if (group.names === MAX_NAMES) throw new BackendError("mdns.taken", `${MAX_NAMES} of its names are taken`);
    group.names += 1;
    await this.#ask(group, "Reset");
    await this.#add(group);
  }

  #stateChanged(path: string, state: number, why: string): void {
    const group = this.#group;
    if (group?.path !== path) return;
    if (state === State.ESTABLISHED) {
      this.#name = nameOf(group);
      this.#fault = undefined;
      this.#pauseMs = RETRY_MIN_MS;
      this.#log.info(`announced as ${this.#name}`);
    } else if (state === State.COLLISION) {
      this.#name = undefined;
      this.#then(async () => {
        if (this.#group === group) await this.#rename(group);
      });
    } else if (state === State.FAILURE) {
      this.#name = undefined;
      this.#then(() => Promise.reject(new BackendError("mdns.failed", `Avahi: ${why.slice(0, 200)}`)));
    }
  }

  async #ask({ path }: Group, member: string, signature = "", body: readonly BusArgument[] = []): Promise<void> {
    await this.#bus.call({ destination: AVAHI, path, interface: GROUP, member, signature, body });
  }

  #forget(): void {
    this.#group = undefined;
    this.#name = undefined;
    this.#fault = undefined;
  }
}

function nameOf({ names }: Group): string {
  return names === 1 ? NAME : `${NAME} #${names}`;
}

/** A name has one port: the first on which the loopback's own addresses are served. Throws a BackendError `mdns.no-address`. */
function placeOf(addresses: readonly ListenAddress[]): { readonly port: number; readonly protocol: number } {
  const port = addresses.find(({ host }) => host in ADDRESSES)?.port;
  if (port === undefined) throw new BackendError("mdns.no-address", "it is served neither at 127.0.0.1 nor at ::1");
  const protocols = new Set(addresses.filter((each) => each.port === port).map(({ host }) => ADDRESSES[host]));
  protocols.delete(undefined);
  const [only = Protocol.ANY, ...others] = protocols;
  return { port, protocol: others.length === 0 ? only : Protocol.ANY };
}
