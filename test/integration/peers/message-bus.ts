/** A message bus of its own: dbus-daemon on a socket in a folder of its own, where everybody may do everything. */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { type PeerProcess, run, startProcess } from "./processes.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

const START_MS = 20_000;

const configuration = (address: string): string => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
`;

export class TestBus implements AsyncDisposable {
  readonly address: string;
  readonly #dir: TempDir;
  #daemon: PeerProcess | undefined;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.address = `unix:path=${this.socket}`;
    writeFileSync(dir.join("bus.conf"), configuration(this.address));
  }

  static async start(): Promise<TestBus> {
    const bus = new TestBus(makeTempDir("bus"));
    try {
      await bus.restart();
      return bus;
    } catch (error) {
      await bus[Symbol.asyncDispose]();
      throw error;
    }
  }

  get socket(): string {
    return this.#dir.join("socket");
  }

  /** Starts the bus, which must not be running, on the same address as ever; resolves when it answers. */
  async restart(): Promise<void> {
    const daemon = await startProcess("dbus-daemon", [`--config-file=${this.#dir.join("bus.conf")}`, "--nofork"]);
    this.#daemon = daemon;
    await until(
      "dbus-daemon to listen",
      () => {
        if (daemon.exit !== undefined) throw new Error(`dbus-daemon ended: ${daemon.errors}`);
        return listens(this.socket);
      },
      START_MS,
    );
  }

  /** Resolves when somebody has this name, a program that the bus would start if it were a desktop's. */
  async untilOwned(name: string): Promise<void> {
    const call = ["--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"];
    const owned = async (): Promise<boolean> =>
      (await run("dbus-send", [`--bus=${this.address}`, ...call, `string:${name}`])).includes("true");
    await until(`${name} on the bus`, owned, 20_000);
  }

  /** Kills the bus with SIGKILL; resolves when it is gone. Its socket stays behind and refuses. */
  async kill(): Promise<void> {
    await this.#daemon?.kill("SIGKILL");
  }

  /** SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#daemon?.signal(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.kill("SIGKILL");
    this.#dir[Symbol.dispose]();
  }
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => tell(true));
    socket.once("error", () => tell(false));
  });
}
