/**
 * Child processes that cannot outlive the test: they are ended by pid on dispose, at the exit of this process, and by
 * the kernel (PR_SET_PDEATHSIG, through setpriv) if this process is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { atExit } from "./at-exit.ts";
import { within } from "./until.ts";

/** Kept of a peer's output, in characters from its end. */
const OUTPUT_LIMIT = 64 * 1024;
/** How long a peer may take to end after SIGTERM before it gets SIGKILL. */
const GRACE_MS = 3000;

/** A stream the caller handles ("pipe"), one kept as text ("collect"), none, or a file descriptor. */
export type Stream = "pipe" | "collect" | "ignore" | number;

export interface SpawnOptions {
  /** Added to a cleaned copy of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: "pipe" | "ignore" | number;
  /** Default: collect. */
  readonly stdout?: Stream;
  /** Default: collect. */
  readonly stderr?: "pipe" | "collect";
  /** Opens descriptor 3 as a pipe from the child, see `extra`. */
  readonly extraPipe?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The caller's own desktop must never be touched by a test. */
const DESKTOP_VARIABLES = [
  "DISPLAY",
  "WAYLAND_DISPLAY",
  "XAUTHORITY",
  "DBUS_SESSION_BUS_ADDRESS",
  "XDG_CURRENT_DESKTOP",
  "XDG_SESSION_TYPE",
];

export function cleanEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  // A client of PulseAudio that knows no folder for it makes one in /tmp, and leaves it.
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C", PULSE_RUNTIME_PATH: "/dev/null/none" };
  for (const name of DESKTOP_VARIABLES) delete env[name];
  return { ...env, ...added };
}

export class PeerProcess implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves, never rejects, when the process is gone and its output is complete. */
  readonly ended: Promise<Exit>;
  readonly #child: ChildProcess;
  #exit: Exit | undefined;
  #output = "";
  #errors = "";

  constructor(
    name: string,
    child: ChildProcess,
    pid: number,
    collect: { readonly stdout: boolean; readonly stderr: boolean },
  ) {
    this.name = name;
    this.pid = pid;
    this.#child = child;
    if (collect.stdout) this.#keep(child.stdout, (text) => (this.#output = (this.#output + text).slice(-OUTPUT_LIMIT)));
    if (collect.stderr) this.#keep(child.stderr, (text) => (this.#errors = (this.#errors + text).slice(-OUTPUT_LIMIT)));
    // A peer that is gone must not bring the test process down; its exit code and stderr tell the story.
    child.stdin?.on("error", () => {});
    child.on("error", () => {});
    const cancel = atExit(() => endSync(pid));
    // 'exit' and not 'close': a grandchild may hold the pipes open.
    child.once("exit", (code, signal) => {
      this.#exit = { code, signal };
      cancel();
    });
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => setImmediate(() => resolve({ code, signal })));
    });
  }

  get stdin(): Writable {
    return required(this.#child.stdin, `${this.name}: stdin is no pipe`);
  }

  get stdout(): Readable {
    return required(this.#child.stdout, `${this.name}: stdout is no pipe`);
  }

  get stderr(): Readable {
    return required(this.#child.stderr, `${this.name}: stderr is no pipe`);
  }

  /** What the child writes to its descriptor 3. */
  get extra(): Readable {
    return required(this.#child.stdio[3] as Readable | null | undefined, `${this.name}: no extra pipe`);
  }

  /** The end of what the process wrote to stdout, if collected. */
  get output(): string {
    return this.#output;
  }

  /** The end of what the process wrote to stderr, if collected. */
  get errors(): string {
    return this.#errors;
  }

  /** Undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Sends a signal without waiting for anything. */
  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /** Ends the process and waits until it is gone; SIGKILL follows if `signal` has not done it after 3 s. */
  async kill(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#exit === undefined) {
      this.#child.kill(signal);
      const hard = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
      await this.ended;
      clearTimeout(hard);
    }
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #keep(stream: Readable | null, append: (text: string) => void): void {
    stream?.setEncoding("utf8");
    stream?.on("data", append);
  }
}

/** Starts a program found on PATH or by its path. Fails if it cannot be started at all. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<PeerProcess> {
  const stdout = options.stdout ?? "collect";
  const stderr = options.stderr ?? "collect";
  const child = spawn("setpriv", ["--pdeathsig", "TERM", command, ...args], {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    stdio: [
      options.stdin ?? "ignore",
      stdout === "collect" ? "pipe" : stdout,
      "pipe",
      ...(options.extraPipe === true ? (["pipe"] as const) : []),
    ],
  });
  const { pid } = child;
  if (pid === undefined) {
    await new Promise((_, reject) => child.once("error", reject));
    throw new Error(`cannot start ${command}`);
  }
  return new PeerProcess(command, child, pid, { stdout: stdout === "collect", stderr: stderr === "collect" });
}

export interface RunOptions extends SpawnOptions {
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Fails with its stderr on a non-zero exit code, and after `timeoutMs` (10 s). */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  await using child = await startProcess(command, args, options);
  // setImmediate in `ended` is not enough for a large stdout: wait for the end of the pipe itself.
  const drained =
    options.stdout === undefined || options.stdout === "collect"
      ? new Promise<void>((resolve) => child.stdout.once("close", () => resolve()))
      : Promise.resolve();
  const both = Promise.all([child.ended, drained]);
  const [{ code, signal }] = await within(`${command} ${args.join(" ")} to end`, both, options.timeoutMs ?? 10_000);
  if (code !== 0) {
    throw new Error(`${command} ${args.join(" ")}: exit ${code ?? signal}: ${child.errors.trim()}`);
  }
  return child.output;
}

/** Ends a process from an 'exit' handler, where nothing can be awaited: SIGTERM, up to 2 s for it to act, SIGKILL. */
function endSync(pid: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(pid, "SIGTERM");
    for (let i = 0; i < 200 && isRunning(pid); i++) Atomics.wait(pause, 0, 0, 10);
    if (isRunning(pid)) process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}

/** False also for a zombie: nobody reaps our children while this process exits. */
export function isRunning(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state.state !== "Z";
}

/** Whether anybody of this process group is there who is no zombie. */
export function isGroupRunning(group: number): boolean {
  return readdirSync("/proc").some((name) => {
    const state = /^\d+$/.test(name) ? stateOf(Number(name)) : undefined;
    return state !== undefined && state.group === group && state.state !== "Z";
  });
}

/** proc_pid_stat(5); undefined: there is no such process. */
function stateOf(pid: number): { readonly state: string; readonly group: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, group: Number(group) };
  } catch {
    return undefined;
  }
}

function required<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new Error(message);
  return value;
}
