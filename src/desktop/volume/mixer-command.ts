// A sound server's own command-line tool: one process a change, no shell, in plain English, never longer than 2 s.
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Clock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";

/** What a tool that ended by itself has to say. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rejects with a BackendError `volume.unavailable`: not installed, no answer in time, killed, or given up by the signal. */
export type RunCommand = (command: string, args: readonly string[], signal: AbortSignal) => Promise<CommandResult>;

const TIMEOUT_MS = 2000;
/** Kept of each stream, characters: a tool that says more is not believed anyway. */
const MAX_OUTPUT = 64 * 1024;
const MAX_FAULT = 200;

/** Runs tools found on the PATH of `env`, and with that environment. */
export function commandRunner(clock: Clock, env: NodeJS.ProcessEnv = process.env): RunCommand {
  return async (command, args, signal) => {
    // Numbers are written and messages read in the C locale.
    const child = await started(command, args, { ...env, LC_ALL: "C" });
    return ended(child, clock, signal);
  };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

async function started(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Child> {
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

function ended(child: Child, clock: Clock, signal: AbortSignal): Promise<CommandResult> {
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

function unavailable(detail: string): BackendError {
  return new BackendError("volume.unavailable", detail);
}

/** Throws a BackendError with what the tool complains of, unless it was content. */
export function checkResult({ code, stderr }: CommandResult, nobodyThere: RegExp): void {
  if (code === 0) return;
  const complaint = stderr.trim().split("\n", 1).join("").slice(0, MAX_FAULT) || `exit code ${code}`;
  throw new BackendError(nobodyThere.test(stderr) ? "volume.unavailable" : "volume.refused", complaint);
}

function collected(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    text = (text + piece).slice(0, MAX_OUTPUT);
  });
  return () => text;
}
