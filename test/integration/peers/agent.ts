/** The agent as a user starts it: the built program in a process of its own. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir } from "./temp-dir.ts";
import { until } from "./until.ts";
import type { Xspice } from "./xspice.ts";

export const program = fileURLToPath(new URL("../../../dist/tsvdagent.js", import.meta.url));

export interface AgentOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the one this test runs on. */
  readonly node?: string;
  /** Words for the command line behind those that are needed. */
  readonly args?: readonly string[];
  /** A folder that this process sees as /sys. */
  readonly sys?: string;
}

/** In a mount namespace of its own the folder lies over /sys. */
const WITH_SYS = 'mount --bind "$0" /sys && exec "$@"';

export interface Agent extends AsyncDisposable {
  readonly process: PeerProcess;
  readonly pid: number;
  /** Everything it has logged. */
  readonly logged: string;
  /** Waits until a line of the log matches. */
  untilLogged(pattern: RegExp, timeoutMs?: number): Promise<void>;
}

/** What a user has to do first, or undefined if the program is there. */
export function missingBuild(): string | undefined {
  return existsSync(program) ? undefined : "dist/tsvdagent.js is missing: run `npm run build` first";
}

/** The agent of an Xspice, port, pointer and display. Being connected is for the viewer to say. */
export function startAgentOf(
  server: Pick<Xspice, "display" | "portPath" | "fifoPath">,
  options: AgentOptions = {},
): Promise<Agent> {
  const where = ["--port", server.portPath, "--uinput", `fifo:${server.fifoPath}`, "--display", server.display];
  return startAgent(["run", ...where, ...(options.args ?? [])], options);
}

export interface AgentPair extends AsyncDisposable {
  readonly daemon: Agent;
  readonly session: Agent;
}

/** The same as daemon and session, without logind. Being connected is for the viewer to say. */
export async function startAgentPairOf(
  server: Pick<Xspice, "display" | "portPath" | "fifoPath">,
  options: AgentOptions = {},
): Promise<AgentPair> {
  const dir = makeTempDir("agent-pair");
  const socket = dir.join("session");
  const host = ["--port", server.portPath, "--uinput", `fifo:${server.fifoPath}`, "--no-logind"];
  const daemon = await startAgent(["daemon", ...host, "--socket", socket, "--control", dir.join("control")], options);
  await until("the daemon's socket", () => daemon.process.exit === undefined && existsSync(socket), 20_000, 5);
  const desktop = ["--socket", socket, "--display", server.display];
  const session = await startAgent(["session", ...desktop, ...(options.args ?? [])], options);
  return {
    daemon,
    session,
    [Symbol.asyncDispose]: async () => {
      await session[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

/** `tsvdagent run` with these options and a home of its own, where no configuration of a developer can be in the way. */
export async function startAgent(args: readonly string[], options: AgentOptions = {}): Promise<Agent> {
  const missing = missingBuild();
  if (missing !== undefined) throw new Error(missing);
  const home = makeTempDir("agent-home");
  const command = [options.node ?? process.execPath, program, ...args];
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const [file = "", ...rest] =
    options.sys === undefined
      ? command
      : ["unshare", ...asRoot, "--mount", "sh", "-c", WITH_SYS, options.sys, ...command];
  const started = await startProcess(file, rest, { env: { HOME: home.path, ...options.env } });
  return {
    process: started,
    pid: started.pid,
    get logged() {
      return started.errors;
    },
    untilLogged: async (pattern, timeoutMs = 10_000) => {
      await until(`the agent to log ${pattern}`, () => pattern.test(started.errors), timeoutMs);
    },
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}
