// What systemd is told of us, and that we are alive: sd_notify(3), sd_watchdog_enabled(3). Without systemd all of it does nothing.
import type { Clock } from "../support/clock.ts";
import { ConfigError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { datagramSender, type SendDatagram } from "../support/native/datagram.ts";

/** What an idle process may be woken for; a watchdog that wants more is served, and said to be too tight. */
const MIN_PING_MS = 20_000;
/** Timers of Node are no longer. */
const MAX_PING_MS = 2 ** 31 - 1;
/** systemd drops a datagram of more than 4096 bytes whole; a character has up to 3 per unit. */
const MAX_STATUS_LENGTH = 1000;

export interface ServiceManagerParts {
  readonly clock: Clock;
  readonly log: Log;
}

export class ServiceManager implements Disposable {
  readonly #parts: ServiceManagerParts;
  readonly #send: SendDatagram | undefined;
  readonly #pingMs: number | undefined;
  #ping: Disposable | undefined;
  #status = "";

  /**
   * Takes its variables (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID) out of `env`, so that no child speaks for us.
   * Throws a ConfigError when they make no sense, and a BackendError `native.unavailable` when they do but nothing can be
   * sent: better to end at once than to be waited for in vain.
   */
  static async fromEnvironment(env: NodeJS.ProcessEnv, parts: ServiceManagerParts): Promise<ServiceManager> {
    const { NOTIFY_SOCKET: address, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
    if (address === undefined || address === "") return new ServiceManager(parts, undefined, undefined);
    if (!/^[/@]./.test(address)) throw wrong("NOTIFY_SOCKET", address, "a path or, beginning with @, an abstract name");
    const pingMs = pingMsFrom(usec, pid);
    return new ServiceManager(parts, await datagramSender(address), pingMs);
  }

  private constructor(parts: ServiceManagerParts, send: SendDatagram | undefined, pingMs: number | undefined) {
    this.#parts = parts;
    this.#send = send;
    this.#pingMs = pingMs;
    if (pingMs !== undefined && pingMs < MIN_PING_MS) {
      parts.log.warn(
        `watchdog: too tight: ${2 * pingMs} ms wake us every ${pingMs} ms; WatchdogSec=40 or more is kinder`,
      );
    }
  }

  /** At the end of the start, and of each reload. From the first time on the watchdog is fed. */
  ready(): void {
    this.#tell("READY=1");
    if (this.#ping === undefined) this.#pingLater();
  }

  /** Needs a `ready` afterwards. */
  reloading(): void {
    // systemd compares it with its own CLOCK_MONOTONIC, which is what hrtime reads; a Clock may begin anywhere.
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    this.#tell("STOPPING=1");
  }

  /** One line for a person, as `systemctl status` shows it. Never content. */
  status(text: string): void {
    // A line of its own would be taken for another message.
    const line = text.replace(/[\r\n]+/g, " ").slice(0, MAX_STATUS_LENGTH);
    if (line === this.#status) return;
    this.#status = line;
    this.#tell(`STATUS=${line}`);
  }

  [Symbol.dispose](): void {
    this.#ping?.[Symbol.dispose]();
    this.#ping = undefined;
  }

  #pingLater(): void {
    if (this.#pingMs === undefined) return;
    this.#ping = this.#parts.clock.after(this.#pingMs, () => {
      this.#pingLater();
      this.#tell("WATCHDOG=1");
    });
  }

  #tell(message: string): void {
    try {
      this.#send?.(message);
    } catch (error) {
      this.#parts.log.warn(`${message.split("=")[0]} not told: ${describeError(error)}`);
    }
  }
}

/** Half of the time after which systemd ends us; undefined when it does not, or watches another process. */
function pingMsFrom(usec: string | undefined, pid: string | undefined): number | undefined {
  if (usec === undefined) return undefined;
  if (!/^[1-9]\d{0,18}$/.test(usec)) throw wrong("WATCHDOG_USEC", usec, "a number of microseconds");
  if (pid !== undefined && !/^\d{1,10}$/.test(pid)) throw wrong("WATCHDOG_PID", pid, "a process id");
  if (pid !== undefined && Number(pid) !== process.pid) return undefined;
  return Math.min(Math.max(Math.floor(Number(usec) / 2000), 1), MAX_PING_MS);
}

function wrong(name: string, value: string, allowed: string): ConfigError {
  return new ConfigError(`${name}=${JSON.stringify(value)}: expected is ${allowed}`);
}
