// Programs of desktops that arrange displays themselves: where one runs, it gets its time before we do it.
import type { MessageBus } from "../../support/bus/message-bus.ts";
import { openSessionBus } from "../../support/bus/session-bus.ts";
import type { Clock } from "../../support/clock.ts";
import { BackendError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";

/** Names on the session bus. */
const owners = [
  "org.gnome.Mutter.DisplayConfig",
  "org.cinnamon.Muffin.DisplayConfig",
  "org.kde.KScreen",
  "org.xfce.SettingsDaemon",
  "org.mate.SettingsDaemon",
] as const;

const THE_BUS = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

export class DisplayOwners implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #env: NodeJS.ProcessEnv;
  readonly #present = new Set<string>();
  #bus: MessageBus | undefined;
  #watching: Promise<void> | undefined;
  #isOver = false;

  /** `env` says where the session bus is. */
  constructor(clock: Clock, log: Log, env: NodeJS.ProcessEnv = process.env) {
    this.#env = env;
    this.#clock = clock;
    this.#log = log;
  }

  /** The name of one that runs. The bus is watched from the first question on, to which the answer is that there is none. */
  present(): string | undefined {
    this.#watching ??= this.#watch();
    const [name] = this.#present;
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#bus?.[Symbol.asyncDispose]();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const bus = await openSessionBus(this.#clock, this.#log, this.#env);
    if (bus === undefined || this.#isOver) return bus?.[Symbol.asyncDispose]();
    this.#bus = bus;
    try {
      // One that is not there is not looked for again and again.
      await bus.call({ ...THE_BUS, member: "GetId" });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return bus[Symbol.asyncDispose]();
    }
    for (const name of owners) {
      bus.watchName(name, (owner) => {
        if (owner === undefined) this.#present.delete(name);
        else this.#present.add(name);
      });
    }
  }
}
