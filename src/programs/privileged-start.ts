// Started by sudo: the port and the pointer are opened as root, and then root is given up before anything else is touched.
import { userInfo } from "node:os";
import { sleep, systemClock } from "../support/clock.ts";
import { ConfigError, describeError, PortError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { OpenPort, PortOpener } from "../system/ports/port.ts";

/** Missing from the types of Node. */
type ProcessWithGroups = NodeJS.Process & { initgroups(user: string, group: number): void };

/** Between tries for a port that is not there yet. */
const RETRY_MS = 1000;

export class PrivilegedStart {
  readonly #uid: number | undefined;
  readonly #gid: number;
  readonly #user: string;
  #isDropped = false;

  /** Throws a ConfigError when sudo's variables make no sense. */
  constructor(env: NodeJS.ProcessEnv) {
    const isSudo = process.getuid?.() === 0 && env.SUDO_UID !== undefined;
    this.#uid = isSudo ? idFrom("SUDO_UID", env) : undefined;
    this.#gid = isSudo ? idFrom("SUDO_GID", env) : 0;
    this.#user = env.SUDO_USER ?? "";
  }

  get hasGivenUpRoot(): boolean {
    return this.#isDropped;
  }

  /**
   * An opener for the port. With root to give up, this waits for the port, gives root up, and hands out what it opened
   * first; without, it returns the opener as it is.
   */
  async open(open: PortOpener, stop: AbortSignal, log: Log): Promise<PortOpener> {
    if (this.#uid === undefined || this.#uid === 0 || this.#isDropped) return open;
    let first: OpenPort | undefined = await this.#firstOpening(open, stop, log);
    this.#drop(this.#uid);
    log.info(`privileges: given up: now user ${this.#uid}`);
    return async (signal) => {
      const port = first;
      first = undefined;
      return port ?? open(signal);
    };
  }

  async #firstOpening(open: PortOpener, stop: AbortSignal, log: Log): Promise<OpenPort | undefined> {
    while (!stop.aborted) {
      try {
        return await open(stop);
      } catch (error) {
        if (!(error instanceof PortError)) throw error;
        log.warn(`port: ${describeError(error)}: waiting for it as root`);
        await sleep(systemClock, RETRY_MS, stop);
      }
    }
    return undefined;
  }

  #drop(uid: number): void {
    if (this.#user === "") process.setgroups?.([this.#gid]);
    else (process as ProcessWithGroups).initgroups(this.#user, this.#gid);
    process.setgid?.(this.#gid);
    process.setuid?.(uid);
    this.#isDropped = true;
    const { homedir, username } = userInfo();
    Object.assign(process.env, { HOME: homedir, USER: username, LOGNAME: username });
  }
}

function idFrom(name: string, env: NodeJS.ProcessEnv): number {
  const text = env[name] ?? "";
  if (!/^\d{1,10}$/.test(text)) throw new ConfigError(`${name}=${JSON.stringify(text)}: a number is expected`);
  return Number(text);
}
