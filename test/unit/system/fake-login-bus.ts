// A message bus with a logind on it that says what the test says, when the test says it.
import type { BusCall, BusSignal } from "../../../src/support/bus/bus-connection.ts";
import type { BusValue } from "../../../src/support/bus/bus-values.ts";
import { BusRefusal } from "../../../src/support/bus/pending-call.ts";
import { isWanted, type SignalRule } from "../../../src/support/bus/signal-rule.ts";
import type { LoginBus } from "../../../src/system/login-service.ts";

export interface FakeSession {
  id: string;
  uid: number;
  class: string;
  type: string;
  seat: string;
  state: string;
  active: boolean;
  lockedHint: boolean;
  remote: boolean;
  scope: string;
}

const MANAGER = { path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };
export const SEAT_PATH = "/org/freedesktop/login1/seat/seat0";

/** Any id will do: the escaping is logind's. */
export const pathOf = (id: string): string => `/org/freedesktop/login1/session/s_${id}`;

export class FakeLoginBus implements LoginBus {
  readonly sessions = new Map<string, FakeSession>();
  active: string | undefined;
  /** Session ids by process. */
  readonly processes = new Map<number, string>();
  /** Session ids by user. */
  readonly displays = new Map<number, string>();
  /** What was asked: the member, or the property, and its argument. */
  readonly asked: string[] = [];
  /** Given in place of the true answer to what begins so; an error is thrown. */
  readonly lies = new Map<string, BusValue | Error>();
  /** While held, answers are made at once and arrive later. */
  #held: (() => void)[] | undefined;
  readonly #rules = new Set<{ readonly rule: SignalRule; readonly listener: (signal: BusSignal) => void }>();
  readonly #nameListeners = new Set<(owner: string | undefined) => void>();

  addSession(id: string, more: Partial<FakeSession> = {}): FakeSession {
    const session: FakeSession = {
      id,
      uid: 1000,
      class: "user",
      type: "x11",
      seat: "seat0",
      state: "online",
      active: false,
      lockedHint: false,
      remote: false,
      scope: `session-${id}.scope`,
      ...more,
    };
    this.sessions.set(id, session);
    return session;
  }

  own(owner: string | undefined): void {
    for (const listener of this.#nameListeners) listener(owner);
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const arrive of held) arrive();
  }

  managerSays(member: string, ...body: readonly BusValue[]): void {
    this.#signal({ ...MANAGER, member, body });
  }

  sessionSays(id: string, member: string): void {
    this.#signal({ path: pathOf(id), interface: "org.freedesktop.login1.Session", member, body: [] });
  }

  propertiesChanged(path: string, values: Readonly<Record<string, BusValue>> = {}): void {
    const name = path === SEAT_PATH ? "Seat" : "Session";
    const body = [`org.freedesktop.login1.${name}`, values, []];
    this.#signal({ path, interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged", body });
  }

  get listeners(): number {
    return this.#rules.size + this.#nameListeners.size;
  }

  call(call: BusCall, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly BusValue[]> {
    const argument = call.body?.[0];
    return this.#answer(`${call.member} ${argument ?? ""}`.trim(), options.signal, () => {
      if (call.member === "ListSessions") {
        return [[...this.sessions.values()].map(({ id, uid, seat }) => [id, uid, "name", seat, pathOf(id)])];
      }
      if (call.member === "GetUser") return [`/org/freedesktop/login1/user/_${argument}`];
      const id = call.member === "GetSession" ? String(argument) : this.processes.get(Number(argument));
      if (id === undefined || !this.sessions.has(id)) {
        const name = call.member === "GetSession" ? "NoSuchSession" : "NoSessionForPID";
        throw new BusRefusal(call, `org.freedesktop.login1.${name}`, "");
      }
      return [pathOf(id)];
    }) as Promise<readonly BusValue[]>;
  }

  property(
    object: { readonly path: string; readonly interface: string },
    name: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<BusValue> {
    return this.#answer(name, options.signal, () => {
      const id = name === "ActiveSession" ? this.active : this.displays.get(Number(object.path.split("_")[1]));
      return id === undefined ? ["", "/"] : [id, pathOf(id)];
    });
  }

  properties(
    object: { readonly destination: string; readonly path: string; readonly interface: string },
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Readonly<Record<string, BusValue>>> {
    const id = object.path.split("s_")[1] ?? "";
    return this.#answer(`GetAll ${id}`, options.signal, () => {
      const session = this.sessions.get(id);
      if (session === undefined) {
        throw new BusRefusal({ ...object, member: "GetAll" }, "org.freedesktop.DBus.Error.UnknownObject", "");
      }
      return {
        Id: id,
        User: [session.uid, "/org/freedesktop/login1/user/_1"],
        Class: session.class,
        Type: session.type,
        Seat: session.seat === "" ? ["", "/"] : [session.seat, SEAT_PATH],
        State: session.state,
        Active: session.active,
        LockedHint: session.lockedHint,
        Remote: session.remote,
        Scope: session.scope,
      };
    }) as Promise<Readonly<Record<string, BusValue>>>;
  }

  subscribe(rule: SignalRule, listener: (signal: BusSignal) => void): Disposable {
    const entry = { rule, listener };
    this.#rules.add(entry);
    return { [Symbol.dispose]: () => this.#rules.delete(entry) };
  }

  watchName(_name: string, listener: (owner: string | undefined) => void): Disposable {
    this.#nameListeners.add(listener);
    return { [Symbol.dispose]: () => this.#nameListeners.delete(listener) };
  }

  #signal(signal: Omit<BusSignal, "sender">): void {
    for (const { rule, listener } of [...this.#rules]) {
      if (isWanted(rule, { ...signal, sender: ":1.1" })) listener({ ...signal, sender: ":1.1" });
    }
  }

  async #answer(what: string, signal: AbortSignal | undefined, truth: () => BusValue): Promise<BusValue> {
    this.asked.push(what);
    const [, lie] = [...this.lies].find(([key]) => what.startsWith(key)) ?? [];
    const made = ((): BusValue | Error => {
      try {
        return lie ?? truth();
      } catch (error) {
        return error as Error;
      }
    })();
    await new Promise<void>((resolve, reject) => {
      if (this.#held === undefined) return resolve();
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#held.push(resolve);
    });
    if (made instanceof Error) throw made;
    return made;
  }
}
