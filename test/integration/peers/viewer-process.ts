/** The process of spice-client.py: commands and their replies, and what it says by itself. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import type { ClientEvent } from "./spice-events.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { within } from "./until.ts";

/** Debian's own interpreter: another one on PATH does not have the introspection modules. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("spice-client.py", import.meta.url));
const REPLY_MS = 20_000;

/** Fields of a reply; spice-client.py says which a command has. */
export type Reply = Readonly<Record<string, unknown>>;

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export interface ViewerListener {
  event(event: ClientEvent): void;
  /** The process is gone. */
  ended(error: Error): void;
}

export class ViewerProcess implements AsyncDisposable {
  readonly #process: PeerProcess;
  readonly #dir: TempDir;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  private constructor(process: PeerProcess, dir: TempDir) {
    this.#process = process;
    this.#dir = dir;
  }

  /** `display`: of the desktop whose clipboard it has. */
  static async start(display?: string): Promise<ViewerProcess> {
    const dir = makeTempDir("spice-client");
    // spice-gtk looks for a cache and a home; it must not find the user's.
    const env = { HOME: dir.path, XDG_RUNTIME_DIR: dir.path, XDG_CACHE_HOME: dir.path };
    const desktop = display === undefined ? {} : { DISPLAY: display };
    const args = ["-B", SCRIPT, ...(display === undefined ? [] : ["--desktop"])];
    const options = { stdin: "pipe", stdout: "pipe", env: { ...env, ...desktop } } as const;
    return new ViewerProcess(await startProcess(PYTHON, args, options), dir);
  }

  /** To be called once, before anything is awaited: from here on everything the viewer says is read. */
  listen(listener: ViewerListener): void {
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#receive(line, listener));
    void this.#process.ended.then(() => {
      const error = this.#gone();
      for (const { reject } of this.#pending.values()) reject(error);
      listener.ended(error);
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The end of its stderr. */
  get errors(): string {
    return this.#process.errors;
  }

  /** A new name for a file that lives as long as this process. */
  newFile(): string {
    return this.#dir.join(`file-${this.#nextId}`);
  }

  /** Sends a command. Fails with the viewer's error or a `PeerTimeout`. */
  async command(cmd: string, fields: object = {}, timeoutMs = REPLY_MS): Promise<Reply> {
    if (this.#process.exit !== undefined) throw this.#gone();
    const id = this.#nextId++;
    const reply = new Promise<Reply>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#process.stdin.write(`${JSON.stringify({ id, cmd, ...fields })}\n`);
    try {
      return await within(`the viewer's reply to ${cmd}`, reply, timeoutMs);
    } finally {
      this.#pending.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    // Not killed at once: a SIGTERM in the middle of a write would leave half a file.
    await within("the viewer to end", this.#process.ended, 2000).catch(() => {});
    await this.#process.kill();
    this.#dir[Symbol.dispose]();
  }

  #receive(line: string, listener: ViewerListener): void {
    const message = JSON.parse(line) as Reply;
    if (typeof message.reply !== "number") {
      listener.event(message as unknown as ClientEvent);
      return;
    }
    const waiting = this.#pending.get(message.reply);
    if (typeof message.error === "string") waiting?.reject(new Error(`the SPICE viewer: ${message.error}`));
    else waiting?.resolve(message);
  }

  #gone(): Error {
    const { exit, errors } = this.#process;
    return new Error(`the SPICE viewer ended (${exit?.code ?? exit?.signal}): ${errors.slice(-2000)}`);
  }
}
