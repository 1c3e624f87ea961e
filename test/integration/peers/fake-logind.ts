/** A logind on a message bus that is what a test says; see fake-logind.py for the other half. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import { within } from "./until.ts";

/** Debian's own interpreter: another one on PATH does not have the introspection modules. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("fake-logind.py", import.meta.url));
const REPLY_MS = 10_000;

export interface FakeSession {
  readonly uid: number;
  /** Default user. */
  readonly class?: string;
  /** Default x11. */
  readonly type?: string;
  /** Default seat0; empty: none. */
  readonly seat?: string;
  /** While it is not the active one. Default online. */
  readonly state?: string;
  readonly lockedHint?: boolean;
  readonly isRemote?: boolean;
  readonly scope?: string;
}

/** One question that was asked. */
export interface Asked {
  readonly member: string;
  readonly path: string;
  readonly arguments: readonly unknown[];
}

export interface RawSignal {
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: string;
}

interface Pending {
  readonly resolve: (reply: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

export class FakeLogind implements AsyncDisposable {
  readonly #process: PeerProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #name = "";

  private constructor(process: PeerProcess) {
    this.#process = process;
    createInterface({ input: process.stdout }).on("line", (line) => this.#receive(line));
    void process.ended.then(() => {
      const error = new Error(`the fake logind ended: ${process.errors}`);
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  /** Starts one that owns its name on the bus and knows of nobody. */
  static async start(address: string): Promise<FakeLogind> {
    return FakeLogind.#start(address, true);
  }

  /** One that is not logind: it has no right to the name, and may say whatever it likes. */
  static async startStranger(address: string): Promise<FakeLogind> {
    return FakeLogind.#start(address, false);
  }

  static async #start(address: string, owned: boolean): Promise<FakeLogind> {
    const logind = new FakeLogind(await startProcess(PYTHON, ["-B", SCRIPT], { stdin: "pipe", stdout: "pipe" }));
    try {
      await logind.connect(address, owned);
      return logind;
    } catch (error) {
      await logind[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Takes its place on a bus, after the one before has gone. It knows what it knew. */
  async connect(address: string, owned = true): Promise<void> {
    this.#name = String((await this.#command("connect", { address, owned })).name);
  }

  /** Its unique name. */
  get name(): string {
    return this.#name;
  }

  /** Gives its name up, as one that ends, or takes it again. */
  async own(owned: boolean): Promise<void> {
    await this.#command("own", { owned });
  }

  async addSession(name: string, session: FakeSession): Promise<void> {
    const defaults = { class: "user", type: "x11", seat: "seat0", state: "online", lockedHint: false, isRemote: false };
    const scope = `session-${name}.scope`;
    await this.#command("add_session", { name, session: { ...defaults, scope, ...session } });
  }

  async removeSession(name: string): Promise<void> {
    await this.#command("remove_session", { name });
  }

  /** On seat0; undefined: none. */
  async activate(name: string | undefined): Promise<void> {
    await this.#command("activate", { name: name ?? null });
  }

  async setLockedHint(name: string, value: boolean): Promise<void> {
    await this.#command("locked_hint", { name, value });
  }

  async sessionSignal(name: string, member: "Lock" | "Unlock"): Promise<void> {
    await this.#command("session_signal", { name, member });
  }

  /** What User.Display is. The user is known from then on. */
  async setDisplay(uid: number, name: string): Promise<void> {
    await this.#command("display", { uid, name });
  }

  /** The process belongs to a session. */
  async setProcess(pid: number, name: string): Promise<void> {
    await this.#command("process", { pid, name });
  }

  async prepareForSleep(isAboutToSleep: boolean): Promise<void> {
    const manager = { path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };
    await this.signal({ ...manager, member: "PrepareForSleep", body: `(${isAboutToSleep},)` });
  }

  /** Any signal, its arguments as GVariant text: to all who want it, or to one connection, whether it wants it or not. */
  async signal(signal: RawSignal): Promise<void> {
    await this.#command("signal", { destination: null, ...signal });
  }

  /** Calls a method without arguments; resolves with the name of the error, or the answer as text. */
  async call(destination: string, path: string, iface: string, member: string): Promise<string> {
    const { result, refusal } = await this.#command("call", { destination, path, interface: iface, member });
    return String(refusal ?? result);
  }

  /** From now on nothing is answered; what came meanwhile never is. */
  async hang(value: boolean): Promise<void> {
    await this.#command("hang", { value });
  }

  /** Answers a member with this GVariant text, whatever is true; undefined: no longer. */
  async lie(member: string, body: string | undefined): Promise<void> {
    await this.#command("lie", { member, body: body ?? null });
  }

  /** What was asked since the last time. */
  async asked(): Promise<readonly Asked[]> {
    return (await this.#command("asked")).asked as readonly Asked[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    await this.#process.kill();
  }

  async #command(cmd: string, fields: object = {}): Promise<Readonly<Record<string, unknown>>> {
    if (this.#process.exit !== undefined) throw new Error(`the fake logind ended: ${this.#process.errors}`);
    const id = this.#nextId++;
    const reply = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) =>
      this.#pending.set(id, { resolve, reject }),
    );
    this.#process.stdin.write(`${JSON.stringify({ id, cmd, ...fields })}\n`);
    try {
      return await within(`the fake logind's reply to ${cmd}`, reply, REPLY_MS);
    } finally {
      this.#pending.delete(id);
    }
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const waiting = this.#pending.get(Number(message.reply));
    if (typeof message.error === "string") waiting?.reject(new Error(`the fake logind: ${message.error}`));
    else waiting?.resolve(message);
  }
}
