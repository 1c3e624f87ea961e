// What systemd-logind (or elogind) can be asked; every answer is checked. What is gone is undefined, not an error.
import { asList, asPath, asText, type BusArgument, type BusValue } from "../support/bus/bus-values.ts";
import type { CallOptions, MessageBus } from "../support/bus/message-bus.ts";
import { BusRefusal } from "../support/bus/pending-call.ts";
import type { SignalRule } from "../support/bus/signal-rule.ts";
import { CONSOLE_SEAT, readReference } from "./login-session.ts";

export const LOGIN_SERVICE = "org.freedesktop.login1";

const MANAGER = {
  destination: LOGIN_SERVICE,
  path: "/org/freedesktop/login1",
  interface: `${LOGIN_SERVICE}.Manager`,
};
const SEAT = {
  destination: LOGIN_SERVICE,
  path: `/org/freedesktop/login1/seat/${CONSOLE_SEAT}`,
  interface: `${LOGIN_SERVICE}.Seat`,
};
const SESSION = `${LOGIN_SERVICE}.Session`;
const USER = `${LOGIN_SERVICE}.User`;

const changes = {
  sender: LOGIN_SERVICE,
  interface: "org.freedesktop.DBus.Properties",
  member: "PropertiesChanged",
} as const;
const sessions = { pathNamespace: "/org/freedesktop/login1/session" } as const;

/** The signals that say all there is to know. */
export const loginSignals = {
  manager: { sender: LOGIN_SERVICE, path: MANAGER.path, interface: MANAGER.interface },
  seatChanged: { ...changes, path: SEAT.path },
  sessionChanged: { ...changes, ...sessions, arg0: SESSION },
  session: { sender: LOGIN_SERVICE, ...sessions, interface: SESSION },
} satisfies Record<string, SignalRule>;

/** The session, user, seat or process is gone, or never was. Every other refusal is logind's fault or ours. */
const NOT_THERE: ReadonlySet<string> = new Set([
  "org.freedesktop.DBus.Error.UnknownObject",
  "org.freedesktop.DBus.Error.UnixProcessIdUnknown",
  `${LOGIN_SERVICE}.NoSessionForPID`,
  `${LOGIN_SERVICE}.NoSuchSession`,
  `${LOGIN_SERVICE}.NoSuchSeat`,
  `${LOGIN_SERVICE}.NoSuchUser`,
  "System.Error.ENOENT",
  "System.Error.ENXIO",
  "System.Error.ESRCH",
]);

/** What of a message bus is needed. */
export type LoginBus = Pick<MessageBus, "call" | "property" | "properties" | "subscribe" | "watchName">;

/** All methods reject as MessageBus.call does, and with a BackendError `bus.bad-answer`. Sessions are object paths. */
export class LoginService {
  readonly #bus: LoginBus;

  constructor(bus: LoginBus) {
    this.#bus = bus;
  }

  /** Of seat0. Undefined where there is no seat0, too. */
  async activeSession(options: CallOptions): Promise<string | undefined> {
    const value = await ifThere(this.#bus.property(SEAT, "ActiveSession", options));
    return value === undefined ? undefined : readReference(value, "Seat.ActiveSession");
  }

  /** The seat of each session, empty for none. */
  async sessionSeats(options: CallOptions): Promise<ReadonlyMap<string, string>> {
    const [rows] = await this.#bus.call({ ...MANAGER, member: "ListSessions" }, options);
    const seats = new Map<string, string>();
    for (const row of asList(rows, "ListSessions")) {
      const [, , , seat, path] = asList(row, "ListSessions");
      seats.set(asPath(path, "ListSessions"), asText(seat, "ListSessions"));
    }
    return seats;
  }

  sessionProperties(path: string, options: CallOptions): Promise<Readonly<Record<string, BusValue>> | undefined> {
    return ifThere(this.#bus.properties({ destination: LOGIN_SERVICE, path, interface: SESSION }, options));
  }

  /** Undefined for a process that belongs to none, such as those of the user's service manager. */
  async sessionOfProcess(pid: number, options: CallOptions): Promise<string | undefined> {
    // To logind process 0 is who asks.
    return pid > 0 ? this.#find("GetSessionByPID", "u", pid, options) : undefined;
  }

  /** The session that logind thinks the user is looking at. */
  async displayOfUser(uid: number, options: CallOptions): Promise<string | undefined> {
    const path = await this.#find("GetUser", "u", uid, options);
    if (path === undefined) return undefined;
    const user = { destination: LOGIN_SERVICE, path, interface: USER };
    const value = await ifThere(this.#bus.property(user, "Display", options));
    return value === undefined ? undefined : readReference(value, "User.Display");
  }

  async #find(
    member: string,
    signature: string,
    argument: BusArgument,
    options: CallOptions,
  ): Promise<string | undefined> {
    const body = await ifThere(this.#bus.call({ ...MANAGER, member, signature, body: [argument] }, options));
    return body === undefined ? undefined : asPath(body[0], member);
  }
}

async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BusRefusal && NOT_THERE.has(error.dbusName)) return undefined;
    throw error;
  }
}
