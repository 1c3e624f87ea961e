/** A notification server and a file manager that write down what they are told; see fake-notifications.py. */
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import { until } from "./until.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("fake-notifications.py", import.meta.url));
const READY_MS = 10_000;

export interface Notification {
  readonly id: number;
  readonly replaces: number;
  readonly title: string;
  readonly body: string;
  readonly actions: readonly string[];
  readonly hints: Readonly<Record<string, unknown>>;
  readonly expire: number;
}

export class FakeNotifications implements AsyncDisposable {
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  static async start(address: string): Promise<FakeNotifications> {
    const server = new FakeNotifications(await startProcess(PYTHON, ["-B", SCRIPT, address], { stdin: "pipe" }));
    await until("the fake notification server", () => server.#process.output.includes("ready"), READY_MS);
    return server;
  }

  /** All there were, those that were replaced too. */
  get all(): readonly Notification[] {
    return this.#said.flatMap(({ notify }) => (notify === undefined ? [] : [notify]));
  }

  /** The folders that the file manager was asked to show. */
  get shown(): readonly string[] {
    return this.#said.flatMap(({ show }) => show ?? []);
  }

  /** Its user presses a button. */
  press(id: number, action: string): void {
    this.#process.stdin.write(`${JSON.stringify({ action: [id, action] })}\n`);
  }

  /** Its user closes it. */
  close(id: number): void {
    this.#process.stdin.write(`${JSON.stringify({ close: [id, 2] })}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    await this.#process.kill();
  }

  get #said(): readonly { readonly notify?: Notification; readonly show?: readonly string[] }[] {
    const lines = this.#process.output.split("\n").slice(0, -1);
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }
}
