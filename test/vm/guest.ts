/** A booted guest: Debian with systemd, in QEMU without KVM. Nothing of tsvdagent runs in it yet. */
import { readFileSync } from "node:fs";
import { freePort } from "../integration/peers/free-port.ts";
import { type PeerProcess, run, startProcess } from "../integration/peers/processes.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { within } from "../integration/peers/until.ts";
import {
  consoleLog,
  EXEC_PORT,
  type GuestOptions,
  portSocket,
  qemuArguments,
  qmpSocket,
  vncSocket,
} from "./devices.ts";
import { GuestExec, type Result } from "./guest-exec.ts";
import { ensureImage } from "./image.ts";
import { makeProductDisk } from "./product-disk.ts";
import { Qmp } from "./qmp.ts";

/** Somebody else may take the free port before QEMU does. */
const PORT_ATTEMPTS = 5;

export type UserName = "root" | "guest" | "other";

const UIDS: Readonly<Record<UserName, number>> = { root: 0, guest: 1000, other: 1001 };

export interface RunOptions {
  /** Default root. */
  readonly user?: UserName;
  /** Added to what a login would set. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Default 30 s. */
  readonly timeoutMs?: number;
  /** Where systemd shall count the process: a session's scope makes it one of that session. Default: the tests'. */
  readonly cgroup?: string;
}

/** A program that goes on in the guest. */
export interface GuestProcess {
  readonly pid: number;
  /** Stdout and stderr so far. */
  output(): Promise<string>;
  /** Sends a signal without waiting for anything. */
  kill(signal?: string): Promise<void>;
}

/** Boots a guest. `waitForBoot` says when it is up. */
export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const image = await ensureImage();
  const dir = makeTempDir("guest");
  const [overlay, productDisk] = [dir.join("root.qcow2"), dir.join("product.ext4")];
  try {
    await makeProductDisk(productDisk, options.packages);
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.root, overlay]);
    for (let attempt = 1; ; attempt++) {
      const spicePort = await freePort();
      const machine = { dir, image, overlay, productDisk, spicePort };
      const qemu = await startProcess("qemu-system-x86_64", qemuArguments(machine, options));
      try {
        return await Promise.race([Guest.connect(qemu, dir, spicePort), failure(qemu)]);
      } catch (error) {
        await qemu.kill();
        if (!/in use|binding socket/.test(qemu.errors) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    dir[Symbol.dispose]();
    throw error;
  }
}

async function failure(qemu: PeerProcess): Promise<never> {
  const { code, signal } = await qemu.ended;
  throw new Error(`QEMU ended (${code ?? signal}): ${qemu.errors.slice(-2000)}`);
}

export class Guest implements AsyncDisposable {
  readonly qmp: Qmp;
  /** Where SPICE listens on 127.0.0.1; nobody does with the host "qemu-vdagent". */
  readonly spicePort: number;
  readonly #qemu: PeerProcess;
  readonly #dir: TempDir;
  readonly #exec: GuestExec;

  private constructor(qemu: PeerProcess, dir: TempDir, spicePort: number, qmp: Qmp, exec: GuestExec) {
    this.#qemu = qemu;
    this.#dir = dir;
    this.spicePort = spicePort;
    this.qmp = qmp;
    this.#exec = exec;
  }

  static async connect(qemu: PeerProcess, dir: TempDir, spicePort: number): Promise<Guest> {
    const qmp = await Qmp.connect(qmpSocket(dir));
    return new Guest(qemu, dir, spicePort, qmp, await GuestExec.connect(portSocket(dir, EXEC_PORT)));
  }

  /** QEMU's. */
  get pid(): number {
    return this.#qemu.pid;
  }

  /** Where QEMU's VNC server listens with the host "qemu-vdagent". */
  get vncSocket(): string {
    return vncSocket(this.#dir);
  }

  /** Where a fake host connects to with the host "socket". */
  get agentSocket(): string {
    return this.portSocket("com.redhat.spice.0");
  }

  /** Where the host's end of one of `extraPorts` is. */
  portSocket(name: string): string {
    return portSocket(this.#dir, name);
  }

  /** What the kernel and systemd wrote to the serial console. */
  get console(): string {
    return readFileSync(consoleLog(this.#dir), "utf8");
  }

  /** Waits until systemd has started all it starts at boot; its word for the outcome: "running", "degraded". */
  async waitForBoot(timeoutMs = 180_000): Promise<string> {
    try {
      return (await this.run(["systemctl", "is-system-running", "--wait"], { timeoutMs })).stdout.trim();
    } catch (error) {
      throw new Error(`the guest does not boot; its console ends with\n${this.console.slice(-3000)}`, { cause: error });
    }
  }

  /** Runs a program to its end, whatever its exit code. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { user = "root", env = {}, input = "", timeoutMs = 30_000, cgroup } = options;
    const steps = [...entering(cgroup), ...becoming(user), ...argv];
    return this.#exec.run({ argv: steps, env: { ...loginEnvironment(user), ...env }, input, timeoutMs });
  }

  /** As `run`, but fails on an exit code other than 0; what the program printed. */
  async output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code !== 0) throw new Error(`${argv.join(" ")} in the guest: exit ${code}: ${(stderr || stdout).slice(-2000)}`);
    return stdout;
  }

  /** A shell's script as the user "guest"; what it prints. */
  script(text: string, timeoutMs = 60_000): Promise<string> {
    return this.output(["sh", "-c", text], { user: "guest", timeoutMs });
  }

  /** Starts a program and does not wait for it. */
  async start(argv: readonly string[], options: RunOptions = {}): Promise<GuestProcess> {
    const { user = "root", env = {}, cgroup } = options;
    const script = 'file=$(mktemp) && { "$@" < /dev/null > "$file" 2>&1 & } && echo "$! $file"';
    const steps = [...entering(cgroup), ...becoming(user), ...argv];
    const answer = await this.output(["sh", "-c", script, "sh", ...steps], {
      env: { ...loginEnvironment(user), ...env },
    });
    const [pid = "", file = ""] = answer.trim().split(" ");
    return {
      pid: Number(pid),
      output: () => this.output(["cat", file]),
      kill: async (signal = "TERM") => void (await this.run(["kill", "-s", signal, pid])),
    };
  }

  /** Writes a file, its folders included, as root. */
  async writeFile(path: string, content: string | Uint8Array, mode = "644"): Promise<void> {
    await this.output(["install", "-D", "-m", mode, "/dev/stdin", path], { input: content });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not powered down: nothing in the guest is worth a minute.
    await this.qmp.quit().catch(() => {});
    await within("QEMU to end", this.#qemu.ended, 5000).catch(() => {});
    await this.#qemu.kill();
    this.qmp[Symbol.dispose]();
    this.#exec[Symbol.dispose]();
    this.#dir[Symbol.dispose]();
  }
}

/** A process's session is that of its cgroup, so it has to get there before it loses the right to. */
const entering = (cgroup: string | undefined): string[] =>
  cgroup === undefined ? [] : ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', `/sys/fs/cgroup${cgroup}`];

const becoming = (user: UserName): string[] =>
  user === "root" ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--"];

function loginEnvironment(user: UserName): Record<string, string> {
  const home = user === "root" ? "/root" : `/home/${user}`;
  const runtime = `/run/user/${UIDS[user]}`;
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/mnt/node/bin",
    LANG: "C.UTF-8",
    SHELL: "/bin/bash",
    HOME: home,
    USER: user,
    LOGNAME: user,
    ...(user === "root" ? {} : { XDG_RUNTIME_DIR: runtime, DBUS_SESSION_BUS_ADDRESS: `unix:path=${runtime}/bus` }),
  };
}
