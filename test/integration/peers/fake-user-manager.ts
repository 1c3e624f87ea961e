/** The user's systemd on a message bus, as far as its environment goes; see fake-user-manager.py for the other half. */
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import { until } from "./until.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("fake-user-manager.py", import.meta.url));
const READY_MS = 10_000;

export class FakeUserManager implements AsyncDisposable {
  readonly #process: PeerProcess;
  #readyCount = 0;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  static async start(address: string): Promise<FakeUserManager> {
    const manager = new FakeUserManager(await startProcess(PYTHON, ["-B", SCRIPT, address], { stdin: "pipe" }));
    await manager.#ready();
    return manager;
  }

  /** How often its environment has been read. */
  get asked(): number {
    return this.#said("asked");
  }

  /** As after `systemctl --user import-environment`. */
  async setEnvironment(environment: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    this.#process.stdin.write(`${entries.join("\t")}\n`);
    await this.#ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    await this.#process.kill();
  }

  async #ready(): Promise<void> {
    this.#readyCount += 1;
    await until("the fake user manager", () => this.#said("ready") >= this.#readyCount, READY_MS);
  }

  #said(word: string): number {
    return this.#process.output.split(word).length - 1;
  }
}
