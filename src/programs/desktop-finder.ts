// Where the user's desktop is: for a session half that was started before there was one, as a user unit is.
import { type FSWatcher, watch } from "node:fs";
import {
  environmentOf,
  environmentOfUserManager,
  environmentsOfProcesses,
  type SessionEnvironment,
} from "../desktop/session-environment.ts";
import { answers, X_SOCKETS } from "../desktop/x11/x-display.ts";
import { systemBusAddress } from "../support/bus/bus-address.ts";
import { MessageBus } from "../support/bus/message-bus.ts";
import { openSessionBus } from "../support/bus/session-bus.ts";
import type { Clock } from "../support/clock.ts";
import type { Log } from "../support/log.ts";
import { Logind } from "../system/logind.ts";

/** After a sign that there may be a desktop: its programs are not all there at once. */
const LOOKS_MS = [0, 250, 500, 1000, 2000, 4000, 8000] as const;

/** For logind to say what it knows; without it, a desktop is looked for all the same after that. */
const LOGIND_MS = 3000;

export interface FoundDesktop {
  readonly environment: SessionEnvironment & { readonly DISPLAY: string };
  /** What the session's agent is known by to its like. */
  readonly name: string;
}

/**
 * Sleeps until the user has a session with an X server that answers. What wakes it are logind's signals and new X
 * sockets; nothing is polled, and no bus is held once it is found. A display of `refused` is taken only where there is no other: a
 * user manager may remember one that is somebody else's by now. Undefined when the signal is aborted.
 */
export async function findDesktop(
  clock: Clock,
  log: Log,
  signal: AbortSignal,
  refused: ReadonlySet<string>,
): Promise<FoundDesktop | undefined> {
  const uid = process.getuid?.() ?? 0;
  await using system = new MessageBus({ address: systemBusAddress(), clock, log });
  await using own = await openSessionBus(clock, log);
  await using logind = new Logind(system, clock, log);
  const signs = new Signs();
  using _changes = logind.onChange(() => signs.give());
  using _sockets = watchSockets(() => signs.give());
  using _end = onAbort(signal, () => signs.give());
  logind.start();
  const patientMs = clock.nowMs() + LOGIND_MS;
  let said = false;
  for (let look = 0; !signal.aborted; ) {
    const before = signs.count;
    const mayLook = logind.available || clock.nowMs() >= patientMs;
    const found = mayLook ? await lookAround(uid, logind, own, log, refused) : undefined;
    if (found !== undefined) return found;
    if (mayLook && !said) log.info("no desktop yet: waiting for one");
    said ||= mayLook;
    const pauseMs = LOOKS_MS[look + 1];
    look += 1;
    if (signs.count !== before) look = 0;
    else if (pauseMs === undefined) {
      await signs.after(before);
      look = 0;
    } else {
      using _enough = clock.after(pauseMs, () => signs.give());
      await signs.after(before);
    }
  }
  return undefined;
}

function onAbort(signal: AbortSignal, call: () => void): Disposable {
  signal.addEventListener("abort", call);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", call) };
}

async function lookAround(
  uid: number,
  logind: Logind,
  own: MessageBus | undefined,
  log: Log,
  refused: ReadonlySet<string>,
): Promise<FoundDesktop | undefined> {
  const sessions = logind.sessionsOfUser(uid).filter(({ state }) => state !== "closing");
  // Without logind there is nobody to say that the user is not here.
  if (logind.available && sessions.length === 0) return undefined;
  const manager = own === undefined ? {} : await environmentOfUserManager(own, log);
  const ours = environmentOf(Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ""}`));
  const scopes = sessions.length === 0 ? [""] : sessions.map(({ scope }) => scope);
  const ofProcesses = (await Promise.all(scopes.map((scope) => environmentsOfProcesses(uid, scope)))).flat();
  for (const environment of refusedLast([manager, ...ofProcesses.reverse(), ours], refused)) {
    const { DISPLAY } = environment;
    if (DISPLAY === undefined || !(await answers(DISPLAY))) continue;
    return { environment: { ...environment, DISPLAY }, name: sessions.at(-1)?.id ?? DISPLAY };
  }
  return undefined;
}

/** Otherwise in the same order. */
export function refusedLast(
  known: readonly SessionEnvironment[],
  refused: ReadonlySet<string>,
): readonly SessionEnvironment[] {
  const isRefused = ({ DISPLAY = "" }: SessionEnvironment): boolean => refused.has(DISPLAY);
  return [...known.filter((one) => !isRefused(one)), ...known.filter(isRefused)];
}

/** A new X server is a new socket; `startx` from a console gives no other sign. */
function watchSockets(changed: () => void): Disposable {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(X_SOCKETS, { persistent: false }, changed);
    watcher.on("error", () => {});
  } catch {
    // The folder is made by the first X server of a machine without systemd's tmpfiles.
  }
  return { [Symbol.dispose]: () => watcher?.close() };
}

/** Counts signs, so that none between two looks is missed. */
class Signs {
  count = 0;
  #wake: (() => void) | undefined;

  give(): void {
    this.count += 1;
    this.#wake?.();
  }

  /** Resolves when there are more than `count`. */
  async after(count: number): Promise<void> {
    while (this.count === count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
