/** A real avahi-daemon on a message bus of its own, with a loopback of its own, and what avahi-browse finds there. */
import { writeFileSync } from "node:fs";
import type { TestBus } from "./message-bus.ts";
import { type PeerProcess, run, startProcess } from "./processes.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

const CONFIGURATION = `[server]
host-name=guest
allow-interfaces=lo
use-ipv4=yes
use-ipv6=no
`;
/** Its folder has a fixed name and so has its network port: another one of this machine must not be met. */
const SCRIPT = `mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && ip link set lo up &&
exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --file="$0"`;
const START_MS = 10_000;

export interface FoundService {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

export class Avahi implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>;
  readonly #dir: TempDir;
  readonly #daemon: PeerProcess;

  private constructor(env: Readonly<Record<string, string>>, dir: TempDir, daemon: PeerProcess) {
    this.#env = env;
    this.#dir = dir;
    this.#daemon = daemon;
  }

  static async start(bus: TestBus): Promise<Avahi> {
    const dir = makeTempDir("avahi");
    writeFileSync(dir.join("avahi.conf"), CONFIGURATION);
    const env = { DBUS_SYSTEM_BUS_ADDRESS: bus.address };
    const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
    const args = [...asRoot, "--mount", "--net", "sh", "-c", SCRIPT, dir.join("avahi.conf")];
    const daemon = await startProcess("unshare", args, { env });
    const avahi = new Avahi(env, dir, daemon);
    const isUp = (): boolean => {
      if (daemon.exit !== undefined) throw new Error(`avahi-daemon ended: ${daemon.errors}`);
      return daemon.errors.includes("Server startup complete");
    };
    try {
      await until("avahi-daemon to start", isUp, START_MS);
    } catch (error) {
      await avahi[Symbol.asyncDispose]();
      throw error;
    }
    return avahi;
  }

  /** Of this type, all that are known, resolved. */
  async find(type: string): Promise<readonly FoundService[]> {
    const lines = (await run("avahi-browse", ["-rpt", type], { env: this.#env })).split("\n");
    return lines
      .map((line) => line.split(";"))
      .filter(([kind]) => kind === "=")
      .map(([, , , name = "", , , , address = "", port, text = ""]) => ({
        name: name.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code))),
        address,
        port: Number(port),
        text,
      }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.kill();
    this.#dir[Symbol.dispose]();
  }
}
