/** tsvdagent as it is shipped: the built file, `tsvdagent run`, against an Xspice. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir } from "./temp-dir.ts";
import type { Xspice } from "./xspice.ts";

const PROGRAM = fileURLToPath(new URL("../../../dist/tsvdagent.js", import.meta.url));

export interface BuiltAgent extends AsyncDisposable {
  readonly process: PeerProcess;
}

/** What a user has to do first, or undefined if the program is there. */
export function missingBuild(): string | undefined {
  return existsSync(PROGRAM) ? undefined : "dist/tsvdagent.js is missing: run `npm run build` first";
}

export interface BuiltAgentOptions {
  /** Added to the command line. */
  readonly args?: readonly string[];
  /** The Node to run it with; by default the one that runs this. */
  readonly node?: string;
}

/** Starts it. Being connected is for the viewer to say. */
export async function startBuiltAgent(
  server: Pick<Xspice, "display" | "portPath" | "fifoPath">,
  { args = [], node = process.execPath }: BuiltAgentOptions = {},
): Promise<BuiltAgent> {
  // An empty home: a configuration of the person who runs this must not change the result.
  const dir = makeTempDir("built-agent");
  const where = ["--port", server.portPath, "--uinput", `fifo:${server.fifoPath}`, "--display", server.display];
  try {
    const agent = await startProcess(node, [PROGRAM, "run", ...where, ...args], {
      env: { HOME: dir.path, XDG_CONFIG_HOME: dir.join(".config") },
    });
    return {
      process: agent,
      async [Symbol.asyncDispose]() {
        await agent.kill();
        dir[Symbol.dispose]();
      },
    };
  } catch (error) {
    dir[Symbol.dispose]();
    throw error;
  }
}
