/** Debian's own spice-vdagent, both halves, against an Xspice: to check the fixtures, and to be measured against. */
import { existsSync, writeFileSync } from "node:fs";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir } from "./temp-dir.ts";
import { until } from "./until.ts";
import type { Xspice } from "./xspice.ts";

const DAEMON = "/usr/sbin/spice-vdagentd";
const SESSION = "/usr/bin/spice-vdagent";

export interface UpstreamAgent extends AsyncDisposable {
  readonly daemon: PeerProcess;
  readonly session: PeerProcess;
}

export interface UpstreamOptions {
  /** Where dropped files go. Without it file transfer is disabled, as there is no desktop folder. */
  readonly saveDir?: string;
}

/** Starts both. Being connected is for the viewer to say. */
export async function startUpstreamAgent(
  server: Pick<Xspice, "display" | "portPath" | "fifoPath">,
  { saveDir }: UpstreamOptions = {},
): Promise<UpstreamAgent> {
  const dir = makeTempDir("upstream-agent");
  const socket = dir.join("socket");
  // An empty home: the session half deletes ~/.config/monitors.xml and saves dropped files to the desktop.
  const env = { HOME: dir.path, XDG_CONFIG_HOME: dir.join("config"), XDG_RUNTIME_DIR: dir.path, NO_AT_BRIDGE: "1" };
  const save = saveDir === undefined ? [] : ["-f", saveDir, "-o", "0"];
  const started: PeerProcess[] = [];
  const dispose = async (): Promise<void> => {
    for (const process of started.reverse()) await process.kill();
    dir[Symbol.dispose]();
  };
  const launch = async (
    command: string,
    args: readonly string[],
    added: Record<string, string>,
  ): Promise<PeerProcess> => {
    const process = await startProcess(command, args, { env: { ...env, ...added } });
    started.push(process);
    return process;
  };
  try {
    // The session half never opens its port but insists that it exists.
    writeFileSync(dir.join("port"), "");
    const daemon = await launch(
      DAEMON,
      ["-f", "-x", "-X", "-S", socket, "-s", server.portPath, "-u", server.fifoPath],
      {},
    );
    await until("spice-vdagentd's socket", () => alive(daemon) && existsSync(socket), 5000, 5);
    const session = await launch(SESSION, ["-x", "-s", dir.join("port"), "-S", socket, ...save], {
      DISPLAY: server.display,
    });
    return { daemon, session, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function alive(process: PeerProcess): boolean {
  if (process.exit === undefined) return true;
  throw new Error(`${process.name} ended: ${process.errors}`);
}
