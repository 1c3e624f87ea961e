// Programs of desktops that arrange displays themselves: where one runs, it gets its time before we do it.
import { sessionBusAddress } from "../../support/bus/bus-address.ts";
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
  #watching: Promise<AsyncDisposable | undefined> | undefined;

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
    await (await this.#watching)?.[Symbol.asyncDispose]();
  }

  async #watch(): Promise<AsyncDisposable | undefined> {
    let address: string;
    try {
      address = sessionBusAddress(this.#env);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return undefined;
    }
    const { MessageBus } = await import("../../support/bus/message-bus.ts");
    const bus = new MessageBus({ address, clock: this.#clock, log: this.#log });
    try {
      // One that is not there is not looked for again and again.
      await bus.call({ ...THE_BUS, member: "GetId" });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      await bus[Symbol.asyncDispose]();
      return undefined;
    }
    for (const name of owners) {
      bus.watchName(name, (owner) => {
        if (owner === undefined) this.#present.delete(name);
        else this.#present.add(name);
      });
    }
    return bus;
  }
}
