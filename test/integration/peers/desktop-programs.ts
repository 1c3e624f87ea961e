/** Programs of real desktops on an X server: window managers, settings daemons, and the settings they read. */
import { TestBus } from "./message-bus.ts";
import { type PeerProcess, run } from "./processes.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";
import { runOn, startOn } from "./x-programs.ts";

/** Debian's place for it; the bus would start it, but a bus of a test starts nothing. */
const XFCONFD = "/usr/lib/x86_64-linux-gnu/xfce4/xfconf/xfconfd";

export class DesktopPrograms implements AsyncDisposable {
  readonly #display: string;
  readonly #bus: TestBus;
  readonly #home: TempDir;
  readonly #running: PeerProcess[] = [];

  private constructor(display: string, bus: TestBus, home: TempDir) {
    this.#display = display;
    this.#bus = bus;
    this.#home = home;
  }

  /** A session bus and a home of its own; nothing runs yet. */
  static async start(display: string): Promise<DesktopPrograms> {
    return new DesktopPrograms(display, await TestBus.start(), makeTempDir("desktop-home"));
  }

  /** What programs of this desktop have in their environment. */
  get env(): Record<string, string> {
    return {
      HOME: this.#home.path,
      XDG_CONFIG_HOME: this.#home.join("config"),
      XDG_CACHE_HOME: this.#home.join("cache"),
      XDG_RUNTIME_DIR: this.#home.path,
      DBUS_SESSION_BUS_ADDRESS: this.#bus.address,
      GSETTINGS_BACKEND: "keyfile",
    };
  }

  async program(command: string, ...args: readonly string[]): Promise<PeerProcess> {
    const started = await startOn(this.#display, command, args, { env: this.env });
    this.#running.push(started);
    return started;
  }

  /** openbox, i3 or xfwm4; resolves when it manages windows. */
  async windowManager(name: "openbox" | "i3" | "xfwm4"): Promise<void> {
    const config = "/dev/null";
    const args = { openbox: [], i3: ["-c", config], xfwm4: ["--compositor=off"] }[name];
    const started = await this.program(name, ...args);
    const manages = async (): Promise<boolean> =>
      (await runOn(this.#display, "xprop", ["-root", "_NET_SUPPORTING_WM_CHECK"])).includes("window id");
    await until(`${name} to manage windows`, manages, 10_000).catch((error: unknown) => {
      throw new Error(`${error}: ${started.errors}`, { cause: error });
    });
  }

  /** XFCE's store of settings. */
  async xfconf(): Promise<void> {
    await this.program(XFCONFD);
    await this.untilOwned("org.xfce.Xfconf");
  }

  untilOwned(name: string): Promise<void> {
    return this.#bus.untilOwned(name);
  }

  /** Runs a tool in this desktop; what it prints. */
  tool(command: string, ...args: readonly string[]): Promise<string> {
    return run(command, args, { env: { ...this.env, DISPLAY: this.#display } });
  }

  /** The window manager says that it is another one: what GNOME looks like to who asks for its name. */
  async callItself(name: string): Promise<void> {
    const root = /0x[0-9a-f]+/.exec(await runOn(this.#display, "xwininfo", ["-root"]))?.[0] ?? "";
    const set = (property: string, type: string, value: string): Promise<string> =>
      runOn(this.#display, "xprop", ["-root", "-f", property, type, "-set", property, value]);
    await set("_NET_WM_NAME", "8u", name);
    await set("_NET_SUPPORTING_WM_CHECK", "32x", root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running.reverse()) await one[Symbol.asyncDispose]();
    await this.#bus[Symbol.asyncDispose]();
    this.#home[Symbol.dispose]();
  }
}
