/** QEMU's own control socket (QMP), with the commands the tests use. */
import { until, within } from "../integration/peers/until.ts";
import { LineSocket } from "./line-socket.ts";

const COMMAND_MS = 20_000;
/** Under TCG the state of a whole guest is written and read at some 50 MB a second. */
const SNAPSHOT_MS = 180_000;

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Qmp implements Disposable {
  readonly #socket: LineSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #events: QmpEvent[] = [];
  #nextId = 1;
  #closed = false;

  private constructor(socket: LineSocket) {
    this.#socket = socket;
    socket.listen(
      (message) => this.#receive(message as Readonly<Record<string, unknown>>),
      () => this.#end(),
    );
  }

  static async connect(path: string): Promise<Qmp> {
    const qmp = new Qmp(await LineSocket.connect(path));
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  /** Any command; fails with QEMU's own words. */
  async execute(command: string, args: object = {}, timeoutMs = COMMAND_MS): Promise<unknown> {
    if (this.#closed) throw new Error(`QMP ${command}: QEMU is gone`);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#socket.send({ execute: command, arguments: args, id });
    try {
      return await within(`QEMU's answer to ${command}`, answer, timeoutMs);
    } finally {
      this.#pending.delete(id);
    }
  }

  /** A command of the human monitor; what it prints. */
  async monitor(line: string, timeoutMs = COMMAND_MS): Promise<string> {
    return String(await this.execute("human-monitor-command", { "command-line": line }, timeoutMs));
  }

  /** "running", "paused", "suspended", "shutdown" … */
  async status(): Promise<string> {
    return ((await this.execute("query-status")) as { readonly status: string }).status;
  }

  async stop(): Promise<void> {
    await this.execute("stop");
  }

  /** Goes on after `stop`. */
  async cont(): Promise<void> {
    await this.execute("cont");
  }

  /** Ends the guest's sleep (suspend to RAM). */
  async wakeup(): Promise<void> {
    await this.execute("system_wakeup");
  }

  /** The power button. */
  async powerdown(): Promise<void> {
    await this.execute("system_powerdown");
  }

  /** Keeps the whole guest, memory included, under a name; it stands still meanwhile. */
  async saveState(name: string): Promise<void> {
    silent(await this.monitor(`savevm ${name}`, SNAPSHOT_MS));
  }

  /** Takes the guest back to where it was. */
  async loadState(name: string): Promise<void> {
    const before = await this.status();
    try {
      silent(await this.monitor(`loadvm ${name}`, SNAPSHOT_MS));
    } catch (error) {
      // QEMU leaves a guest standing that it could not take back.
      if (before === "running") await this.cont();
      throw error;
    }
  }

  async quit(): Promise<void> {
    await this.execute("quit");
  }

  /** The first event of this name since `events` were last forgotten. */
  waitFor(name: string, timeoutMs = COMMAND_MS): Promise<QmpEvent> {
    return until(`QEMU's event ${name}`, () => this.#events.find(({ event }) => event === name), timeoutMs);
  }

  forgetEvents(): void {
    this.#events.length = 0;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #receive(message: Readonly<Record<string, unknown>>): void {
    if (typeof message.event === "string") this.#events.push(message as unknown as QmpEvent);
    if (typeof message.id !== "number") return;
    const waiting = this.#pending.get(message.id);
    const { error } = message as { readonly error?: { readonly desc: string } };
    if (error === undefined) waiting?.resolve(message.return);
    else waiting?.reject(new Error(`QEMU: ${error.desc}`));
  }

  #end(): void {
    this.#closed = true;
    for (const { reject } of this.#pending.values()) reject(new Error("QEMU is gone"));
  }
}

/** The human monitor says nothing when all went well; its errors are text like any other. */
function silent(text: string): void {
  if (text.trim() !== "") throw new Error(`QEMU: ${text.trim()}`);
}
