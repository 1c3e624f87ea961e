// Who sits at this machine, as logind tells: by its signals only, so being idle costs nothing.
import { setMaxListeners } from "node:events";
import type { Peer } from "../features/sessions.ts";
import type { BusSignal } from "../support/bus/bus-connection.ts";
import { asDictionary, asFlag, asPath, type BusValue } from "../support/bus/bus-values.ts";
import type { CallOptions } from "../support/bus/message-bus.ts";
import { type Clock, sleep } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { LOGIN_SERVICE, type LoginBus, LoginService, loginSignals } from "./login-service.ts";
import { CONSOLE_SEAT, canHaveScreen, type LoginSession, readSession } from "./login-session.ts";

/** Pauses before a logind that has not answered is asked again, doubling. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30_000;

interface Known {
  readonly session: LoginSession;
  readonly lockedHint: boolean;
}

/** What happens to a session while its properties are on their way: they may be from before or from after it. */
interface Reading {
  readonly path: string;
  isRemoved: boolean;
  /** What the last signal about its lock said, of whichever kind. */
  isLocked: boolean | undefined;
  /** What the last change of LockedHint said. */
  lockedHint: boolean | undefined;
}

interface Unread {
  everything: boolean;
  seat: boolean;
  readonly sessions: Set<string>;
}

type Choice = (session: LoginSession) => boolean;

/** Knows the sessions of seat0 and those that were asked for. */
export class Logind implements AsyncDisposable {
  readonly #bus: LoginBus;
  readonly #service: LoginService;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  readonly #readings = new Set<Reading>();
  readonly #changed = new Set<() => void>();
  readonly #resumed = new Set<() => void>();
  readonly #held: Disposable[] = [];
  #activePath: string | undefined;
  #isAvailable = false;
  /** What the listeners know. */
  #published: string;
  /** What the log knows. */
  #said = "";
  #unread: Unread = nothing();
  /** As long as one logind lives. */
  #life: AbortController | undefined;
  /** The life whose changes are being read now. */
  #readingFor: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(bus: LoginBus, clock: Clock, log: Log) {
    this.#bus = bus;
    this.#service = new LoginService(bus);
    this.#clock = clock;
    this.#log = log.of("logind");
    this.#published = this.#snapshot();
  }

  /** Begins to listen and to read; returns at once. To be called once. */
  start(): void {
    this.#held.push(
      this.#bus.subscribe(loginSignals.manager, (signal) => this.#managerSaid(signal)),
      this.#bus.subscribe(loginSignals.seatChanged, () => this.#mark({ seat: true })),
      this.#bus.subscribe(loginSignals.session, (signal) => this.#sessionSaid(signal)),
      this.#bus.subscribe(loginSignals.sessionChanged, (signal) => this.#sessionChanged(signal)),
      this.#bus.watchName(LOGIN_SERVICE, (owner) => this.#lives(owner !== undefined)),
    );
  }

  /** False: bus or logind are gone or do not answer, and what is said here is what was so at last. */
  get available(): boolean {
    return this.#isAvailable;
  }

  /** Of seat0. Undefined while the seat switches, and on a console where nobody has logged in. */
  get activeSession(): LoginSession | undefined {
    return this.#activePath === undefined ? undefined : this.#known.get(this.#activePath)?.session;
  }

  /** The user's sessions on seat0, and of the others those that were asked for. */
  sessionsOfUser(uid: number): readonly LoginSession[] {
    return [...this.#known.values()].flatMap(({ session }) => (session.uid === uid ? [session] : []));
  }

  /** Called after the active session, the list of sessions, any property or lock of one, or `available` has changed. */
  onChange(listener: () => void): Disposable {
    return added(this.#changed, listener);
  }

  /** Called when the machine wakes up. */
  onResume(listener: () => void): Disposable {
    return added(this.#resumed, listener);
  }

  /**
   * The session a process belongs to (pid 0: one that we cannot see), if it can have a screen; else the session logind calls its user's display, under
   * the same condition. Never one of another user. From here on its changes are followed. Rejects as MessageBus.call
   * does, and with `bus.bad-answer`.
   */
  async sessionOfPeer({ pid, uid }: Peer, signal?: AbortSignal): Promise<LoginSession | undefined> {
    const options = { signal };
    const isTheirs: Choice = (session) => session.uid === uid && canHaveScreen(session);
    const own = await this.#service.sessionOfProcess(pid, options);
    const session = await this.#readIf(isTheirs, own, options);
    if (session !== undefined) return session;
    return this.#readIf(isTheirs, await this.#service.displayOfUser(uid, options), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const held of this.#held.splice(0)) held[Symbol.dispose]();
    this.#changed.clear();
    this.#resumed.clear();
    this.#life?.abort();
    this.#life = undefined;
    await this.#running;
  }

  // What logind says by itself

  #lives(isThere: boolean): void {
    this.#life?.abort();
    this.#life = isThere ? new AbortController() : undefined;
    // As many sessions as there are, read at once: no leak, of which Node would warn.
    if (this.#life !== undefined) setMaxListeners(0, this.#life.signal);
    if (isThere) return this.#mark({ everything: true });
    this.#isAvailable = false;
    this.#publish();
  }

  #managerSaid({ member, body }: BusSignal): void {
    if (member === "PrepareForSleep") {
      const isAboutToSleep = asFlag(body[0], member);
      this.#log.info(isAboutToSleep ? "the machine goes to sleep" : "the machine wakes up");
      if (!isAboutToSleep) for (const listener of [...this.#resumed]) listener();
    } else if (member === "SessionNew") {
      this.#mark({ session: asPath(body[1], member) });
    } else if (member === "SessionRemoved") {
      this.#remove(asPath(body[1], member));
      this.#publish();
    } else if (member === "SeatNew" || member === "SeatRemoved") {
      this.#mark({ seat: true });
    }
  }

  #sessionSaid({ path, member }: BusSignal): void {
    if (member !== "Lock" && member !== "Unlock") return;
    this.#locked(path, member === "Lock");
  }

  /** All but LockedHint is read, not taken from here: State changes with Active, and no signal has it. */
  #sessionChanged({ path, body }: BusSignal): void {
    if (this.#known.has(path)) this.#mark({ session: path });
    const { LockedHint } = asDictionary(body[1], "PropertiesChanged");
    if (LockedHint === undefined) return;
    const lockedHint = asFlag(LockedHint, "Session.LockedHint");
    this.#locked(path, lockedHint, lockedHint);
  }

  /** By signal, where only their order counts; one that is locked and opened again shows nothing of it when it is read. */
  #locked(path: string, isLocked: boolean, lockedHint?: boolean): void {
    for (const reading of this.#readings) {
      if (reading.path !== path) continue;
      reading.isLocked = isLocked;
      reading.lockedHint = lockedHint ?? reading.lockedHint;
    }
    const known = this.#known.get(path);
    if (known === undefined) return;
    const session = { ...known.session, isLocked };
    this.#known.set(path, { session, lockedHint: lockedHint ?? known.lockedHint });
    this.#publish();
  }

  #remove(path: string): void {
    for (const reading of this.#readings) if (reading.path === path) reading.isRemoved = true;
    this.#unread.sessions.delete(path);
    this.#known.delete(path);
  }

  // What we ask in return

  #mark(what: { readonly everything?: true; readonly seat?: true; readonly session?: string }): void {
    if (what.everything) this.#unread.everything = true;
    if (what.seat) this.#unread.seat = true;
    if (what.session !== undefined) this.#unread.sessions.add(what.session);
    const life = this.#life;
    if (life === undefined || this.#readingFor === life) return;
    this.#readingFor = life;
    this.#running = this.#readUnread(life);
  }

  async #readUnread(life: AbortController): Promise<void> {
    const { signal } = life;
    let pauseMs = RETRY_MIN_MS;
    try {
      while (!signal.aborted && !isNothing(this.#unread)) {
        const unread = this.#unread;
        this.#unread = nothing();
        const failure = await this.#read(unread, { signal }).catch((error: unknown) => {
          if (error instanceof BackendError || signal.aborted) return error;
          throw error;
        });
        if (signal.aborted) return;
        this.#isAvailable = failure === undefined;
        this.#publish();
        if (failure === undefined) continue;
        this.#log.warn(`${describeError(failure)}: trying again`);
        this.#unread.everything = true;
        await sleep(this.#clock, pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
      }
    } finally {
      // In the turn in which it ends: a signal of the next one begins anew.
      if (this.#readingFor === life) this.#readingFor = undefined;
    }
  }

  async #read({ everything, seat, sessions }: Unread, options: CallOptions): Promise<void> {
    const before = [...this.#known.keys()];
    const paths = new Set(sessions);
    const isSeatRead = everything || seat;
    const [active, seats] = await Promise.all([
      isSeatRead ? this.#service.activeSession(options) : this.#activePath,
      everything ? this.#service.sessionSeats(options) : undefined,
    ]);
    if (seats !== undefined) {
      for (const path of before) if (!seats.has(path)) this.#remove(path);
      for (const [path, name] of seats) if (name === CONSOLE_SEAT || this.#known.has(path)) paths.add(path);
    }
    // Both have changed with it.
    if (isSeatRead) for (const path of [this.#activePath, active]) if (path !== undefined) paths.add(path);
    const isOurs: Choice = ({ path, seat: name }) => name === CONSOLE_SEAT || path === active || this.#known.has(path);
    await Promise.all([...paths].map((path) => this.#readListed(isOurs, path, options)));
    this.#activePath = active;
  }

  /** One session that logind describes badly must not hide the others. */
  async #readListed(choice: Choice, path: string, options: CallOptions): Promise<void> {
    try {
      await this.#readIf(choice, path, options);
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== "bus.bad-answer") throw error;
      this.#log.warn(describeError(error));
      this.#remove(path);
    }
  }

  /** The session as it is now, if it is there and chosen: from here on it is known. */
  async #readIf(choice: Choice, path: string | undefined, options: CallOptions): Promise<LoginSession | undefined> {
    if (path === undefined) return undefined;
    const reading: Reading = { path, isRemoved: false, isLocked: undefined, lockedHint: undefined };
    this.#readings.add(reading);
    try {
      const properties = await this.#service.sessionProperties(path, options);
      if (properties === undefined) this.#known.delete(path);
      return properties === undefined || reading.isRemoved ? undefined : this.#keep(choice, reading, properties);
    } finally {
      this.#readings.delete(reading);
    }
  }

  #keep(choice: Choice, reading: Reading, properties: Readonly<Record<string, BusValue>>): LoginSession | undefined {
    const { path } = reading;
    const { lockedHint: readHint, ...read } = readSession(path, properties);
    const known = this.#known.get(path);
    const lockedHint = reading.lockedHint ?? readHint;
    const hasChanged = known === undefined || known.lockedHint !== lockedHint;
    let isLocked = hasChanged ? lockedHint : known.session.isLocked;
    if (reading.isLocked !== undefined) {
      // The hint was read, a Lock or Unlock came meanwhile: which was last cannot be told, so both must say that it is open.
      const isUnclear = hasChanged && reading.lockedHint === undefined;
      isLocked = reading.isLocked || (isUnclear && lockedHint);
    }
    const session = { ...read, isLocked };
    if (!choice(session)) return undefined;
    this.#known.set(path, { session, lockedHint });
    return session;
  }

  // Telling

  #snapshot(): string {
    const sessions = [...this.#known.values()].map(({ session }) => session);
    return JSON.stringify([this.#isAvailable, this.activeSession?.path, sessions]);
  }

  #publish(): void {
    const snapshot = this.#snapshot();
    if (snapshot === this.#published) return;
    this.#published = snapshot;
    const said = this.#isAvailable ? `active session: ${describe(this.activeSession)}` : "not available";
    if (said !== this.#said) this.#log.info(said);
    this.#said = said;
    for (const listener of [...this.#changed]) listener();
  }
}

function nothing(): Unread {
  return { everything: false, seat: false, sessions: new Set() };
}

function isNothing({ everything, seat, sessions }: Unread): boolean {
  return !everything && !seat && sessions.size === 0;
}

function added(listeners: Set<() => void>, listener: () => void): Disposable {
  listeners.add(listener);
  return { [Symbol.dispose]: () => listeners.delete(listener) };
}

function describe(session: LoginSession | undefined): string {
  if (session === undefined) return "none";
  return `${session.id}, ${session.class}, ${session.type}, uid ${session.uid}${session.isLocked ? ", locked" : ""}`;
}
