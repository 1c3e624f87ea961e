// `tsvdagent session`: one desktop session's agent, joined to the daemon by a socket, again and again.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sleep, systemClock } from "../support/clock.ts";
import { ConfigError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { CommandLine } from "./command-line.ts";
import { warnOfUnbuilt } from "./command-line.ts";
import { type ProgramContext, stopped } from "./context.ts";
import { SessionHalf } from "./session-half.ts";
import { joinLink } from "./session-link.ts";
import { DEFAULT_SOCKET, sameButLog, sessionSettings, userConfig } from "./settings.ts";

export type SessionOptions = Extract<CommandLine, { command: "session" }>["options"];

/** Pauses between tries to reach the daemon, doubling. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2000;

/** Resolves when the signal is aborted and everything has been given back. Throws a ConfigError before it begins. */
export async function session(options: SessionOptions, context: ProgramContext): Promise<void> {
  const { log, stop, setLogLevel } = context;
  let config = await userConfig(options);
  setLogLevel(config.log.level);
  warnOfUnbuilt(options, log);
  const start = (): Joined => {
    const settings = sessionSettings(config, options.display ?? process.env.DISPLAY);
    return new Joined(new SessionHalf(settings, systemClock, log), options.socket ?? DEFAULT_SOCKET, log);
  };
  let joined = start();
  let changing = Promise.resolve();
  const reload = async (): Promise<void> => {
    try {
      const next = await userConfig(options);
      setLogLevel(next.log.level);
      if (sameButLog(next, config)) return log.info("configuration: read again: nothing to start anew for");
      config = next;
      log.info("configuration: read again: starting anew with it");
      await joined[Symbol.asyncDispose]();
      if (!stop.aborted) joined = start();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error(`configuration: kept as it was: ${error.message}`);
    }
  };
  context.onReload(() => {
    changing = changing.then(reload);
  });
  await stopped(context);
  await changing;
  await joined[Symbol.asyncDispose]();
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
  const socket = connect({ path });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
