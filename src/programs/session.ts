// `tsvdagent session`: one desktop session's agent, joined to the daemon by a socket, again and again.
import { once } from "node:events";
import type { Socket } from "node:net";
import { lockSession, type SessionLock } from "../desktop/session-lock.ts";
import { aborted } from "../support/aborted.ts";
import { sleep, systemClock } from "../support/clock.ts";
import { BackendError, ConfigError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { connectBuffered } from "../support/socket-buffer.ts";
import type { CommandLine } from "./command-line.ts";
import type { ProgramContext } from "./context.ts";
import { SessionHalf, type SessionSettings } from "./session-half.ts";
import { joinLink } from "./session-link.ts";
import { DEFAULT_SOCKET, sameButLog, sessionSettings, userConfig } from "./settings.ts";

export type SessionOptions = Extract<CommandLine, { command: "session" }>["options"];

/** Pauses between tries to reach the daemon, doubling. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2000;
/** A desktop that is away for longer is looked for anew: the next may have another name. */
const DESKTOP_AWAY_MS = 3000;
/** The same for one that has just been found: its server may be busy with its start, and so may we. */
const DESKTOP_BEGINS_MS = 15_000;

/**
 * Resolves when the signal is aborted and everything has been given back, or another process serves this session
 * already. Throws a ConfigError before it begins.
 */
export async function session(options: SessionOptions, context: ProgramContext): Promise<void> {
  const { log, stop, setLogLevel } = context;
  let config = await userConfig(options);
  setLogLevel(config.log.level);
  let restart = new AbortController();
  context.onReload(() => {
    void (async () => {
      try {
        const next = await userConfig(options);
        setLogLevel(next.log.level);
        if (sameButLog(next, config)) return log.info("configuration: read again: nothing to start anew for");
        log.info("configuration: read again: starting anew with it");
        config = next;
        restart.abort();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        log.error(`configuration: kept as it was: ${error.message}`);
      }
    })();
  });
  // Named on the command line, or by whoever started us: then it is there for good. A user unit is started before it.
  const given = options.display ?? (process.env.INVOCATION_ID === undefined ? process.env.DISPLAY : undefined);
  const refused = new Set<string>();
  while (!stop.aborted) {
    const desktop = given === undefined ? await foundDesktop(log, stop, refused) : { display: given, name: given };
    if (desktop === undefined) return;
    const held = await locked(desktop.name, log);
    if (held.kind === "taken") {
      log.info(`session ${desktop.name}: another agent serves it already`);
      if (given !== undefined) return;
      await held.released(stop);
      continue;
    }
    await using _lock = held.lock;
    restart = new AbortController();
    const wasThere = await serve(
      sessionSettings(config, desktop.display, options),
      options.socket ?? DEFAULT_SOCKET,
      log,
      {
        stop: AbortSignal.any([stop, restart.signal]),
        mayBeAway: given !== undefined,
      },
    );
    if (wasThere) refused.delete(desktop.display);
    else refused.add(desktop.display);
  }
}

/** The code of the bus is loaded only where a desktop has to be looked for. */
async function foundDesktop(
  log: Log,
  stop: AbortSignal,
  refused: ReadonlySet<string>,
): Promise<{ display: string; name: string } | undefined> {
  const { findDesktop } = await import("./desktop-finder.ts");
  const found = await findDesktop(systemClock, log.of("desktop"), stop, refused);
  if (found === undefined) return undefined;
  // For the libraries and tools that look there.
  for (const name of ["DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY"] as const) {
    const value = found.environment[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  log.info(`desktop: found: session ${found.name}, display ${found.environment.DISPLAY}`);
  return { display: found.environment.DISPLAY, name: found.name };
}

/** Where there is no runtime folder there is no lock, and the daemon sees to it alone. */
async function locked(name: string, log: Log): Promise<SessionLock> {
  const nothing: SessionLock = { kind: "ours", lock: { [Symbol.asyncDispose]: async () => {} } };
  const folder = process.env.XDG_RUNTIME_DIR;
  if (folder === undefined) return nothing;
  try {
    return await lockSession(folder, name);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    log.warn(`lock: ${describeError(error)}: going on without`);
    return nothing;
  }
}

interface Serving {
  readonly stop: AbortSignal;
  /** The desktop is waited for however long it is away. */
  readonly mayBeAway: boolean;
}

/** Resolves when it is told to stop, or the desktop is gone for good: whether it ever was there. */
async function serve(
  settings: SessionSettings,
  path: string,
  log: Log,
  { stop, mayBeAway }: Serving,
): Promise<boolean> {
  let wasThere = false;
  const gone = new AbortController();
  let absence: Disposable | undefined;
  const wait = (ms: number): void => {
    absence = mayBeAway ? undefined : systemClock.after(ms, () => gone.abort());
  };
  wait(DESKTOP_BEGINS_MS);
  const half = new SessionHalf(settings, systemClock, log, (isThere) => {
    absence?.[Symbol.dispose]();
    wasThere ||= isThere;
    if (!isThere) wait(DESKTOP_AWAY_MS);
  });
  await using _joined = new Joined(half, path, log);
  await aborted(AbortSignal.any([stop, gone.signal]));
  absence?.[Symbol.dispose]();
  return wasThere;
}

/** A session's half that is kept joined to the daemon. */
class Joined implements AsyncDisposable {
  readonly #half: SessionHalf;
  readonly #path: string;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(half: SessionHalf, path: string, log: Log) {
    this.#half = half;
    this.#path = path;
    this.#log = log.of("daemon");
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#half[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let pauseMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      const wasReady = await this.#joinOnce(signal);
      if (signal.aborted) return;
      if (wasReady) pauseMs = RETRY_MIN_MS;
      await sleep(systemClock, pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    }
  }

  /** Whether the two ever came to speak. */
  async #joinOnce(signal: AbortSignal): Promise<boolean> {
    let socket: Socket;
    try {
      socket = await connected(this.#path, signal);
    } catch (error) {
      if (!signal.aborted) this.#log.warn(`not reached: ${describeError(error)}: trying again`);
      return false;
    }
    const hangUp = (): void => void socket.destroy();
    signal.addEventListener("abort", hangUp);
    const { wasReady } = await joinLink(socket, this.#half, this.#log).over;
    signal.removeEventListener("abort", hangUp);
    if (!signal.aborted) this.#log.warn(wasReady ? "gone: trying again" : "does not want us: trying again");
    return wasReady;
  }
}

async function connected(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connectBuffered(path);
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
