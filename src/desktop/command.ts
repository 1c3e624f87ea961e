// A desktop's own command-line tool: one process a change, no shell, in plain English, never longer than 2 s.
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Clock } from "../support/clock.ts";
import { BackendError, type BackendErrorCode, describeError } from "../support/errors.ts";

/** What a tool that ended by itself has to say. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rejects with a BackendError of the runner's code: not installed, no answer in time, killed, or given up by the signal. */
export type RunCommand = (command: string, args: readonly string[], signal: AbortSignal) => Promise<CommandResult>;

const TIMEOUT_MS = 2000;
/** Kept of each stream, characters: a tool that says more is not believed anyway. */
const MAX_OUTPUT = 64 * 1024;

/** Runs tools found on the PATH of `env`, and with that environment; `code` says what cannot be had without them. */
export function commandRunner(clock: Clock, code: BackendErrorCode, env: NodeJS.ProcessEnv = process.env): RunCommand {
  const unavailable = (detail: string): BackendError => new BackendError(code, detail);
  return async (command, args, signal) => {
    // Numbers are written and messages read in the C locale.
    const child = await started(command, args, { ...env, LC_ALL: "C" }, unavailable);
    return ended(child, clock, signal, unavailable);
  };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

type Unavailable = (detail: string) => BackendError;

async function started(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  unavailable: Unavailable,
): Promise<Child> {
  // Most sessions never need it, and it is 0.2 MB.
  const { spawn } = await import("node:child_process");
  let child: Child;
  try {
    child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw unavailable(describeError(error));
  }
  // Some failures are thrown, most are an event; short of descriptors there are not even streams.
  if (child.pid === undefined) {
    const [error] = await once(child, "error");
    throw unavailable(error.code === "ENOENT" ? "not installed" : describeError(error));
  }
  return child;
}

function ended(child: Child, clock: Clock, signal: AbortSignal, unavailable: Unavailable): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const stdout = collected(child.stdout);
    const stderr = collected(child.stderr);
    let fault: string | undefined;
    const end = (reason: string): void => {
      fault ??= reason;
      child.kill("SIGKILL");
      // A server that the tool has started may hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const giveUp = (): void => end("given up");
    const timer = clock.after(TIMEOUT_MS, () => end(`no answer within ${TIMEOUT_MS} ms`));
    child.once("close", (code, killedBy) => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", giveUp);
      if (fault !== undefined) reject(unavailable(fault));
      else if (code === null) reject(unavailable(`ended by ${killedBy}`));
      else resolve({ code, stdout: stdout(), stderr: stderr() });
    });
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
  });
}

function collected(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    text = (text + piece).slice(0, MAX_OUTPUT);
  });
  return () => text;
}
