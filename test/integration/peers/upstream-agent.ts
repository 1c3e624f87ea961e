/** Debian's own spice-vdagent, one half or both: to check the fixtures, to be worked with, and to be measured against. */
import { existsSync, writeFileSync } from "node:fs";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir } from "./temp-dir.ts";
import { until } from "./until.ts";
import type { Xspice } from "./xspice.ts";

const DAEMON = "/usr/sbin/spice-vdagentd";
const SESSION = "/usr/bin/spice-vdagent";
/** What Debian 12's halves call themselves, and stay with. */
export const UPSTREAM_VERSION = "0.22.1";

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
  options: UpstreamOptions = {},
): Promise<UpstreamAgent> {
  const dir = makeTempDir("upstream-agent");
  const socket = dir.join("socket");
  const started: PeerProcess[] = [];
  const dispose = async (): Promise<void> => {
    for (const process of started.reverse()) await process.kill();
    dir[Symbol.dispose]();
  };
  try {
    const daemon = await startUpstreamDaemon(server, socket);
    started.push(daemon);
    const session = await startUpstreamSession(server, socket, options);
    started.push(session);
    return { daemon, session, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Listens at `socket` when this resolves. */
export async function startUpstreamDaemon(
  server: Pick<Xspice, "portPath" | "fifoPath">,
  socket: string,
): Promise<PeerProcess> {
  const args = ["-f", "-x", "-X", "-S", socket, "-s", server.portPath, "-u", server.fifoPath];
  const daemon = await startProcess(DAEMON, args);
  await until("spice-vdagentd's socket", () => alive(daemon) && existsSync(socket), 20_000, 5);
  return daemon;
}

export async function startUpstreamSession(
  server: Pick<Xspice, "display">,
  socket: string,
  { saveDir }: UpstreamOptions = {},
): Promise<PeerProcess> {
  // An empty home: it deletes ~/.config/monitors.xml and saves dropped files to the desktop.
  const dir = makeTempDir("upstream-session");
  const env = { HOME: dir.path, XDG_CONFIG_HOME: dir.join("config"), XDG_RUNTIME_DIR: dir.path, NO_AT_BRIDGE: "1" };
  const save = saveDir === undefined ? [] : ["-f", saveDir, "-o", "0"];
  // It never opens its port but insists that it exists.
  writeFileSync(dir.join("port"), "");
  const session = await startProcess(SESSION, ["-x", "-s", dir.join("port"), "-S", socket, ...save], {
    env: { ...env, DISPLAY: server.display },
  });
  void session.ended.then(() => dir[Symbol.dispose]());
  return session;
}

function alive(process: PeerProcess): boolean {
  if (process.exit === undefined) return true;
  throw new Error(`${process.name} ended: ${process.errors}`);
}
