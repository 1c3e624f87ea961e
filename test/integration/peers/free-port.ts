import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** Below those that the kernel gives to whoever connects somewhere (ip_local_port_range). */
const [FIRST, PORTS] = [20_000, 12_000];

/** A TCP port that nobody uses on the loopback addresses now. Whoever picks one likewise may still take it first. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * PORTS);
    if ((await isFree("127.0.0.1", port)) && (await isFree("::1", port))) return port;
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    // Where there is no such address nobody can take it.
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRNOTAVAIL"));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Whether this very process listens on the loopback port, without connecting to it. Linux only. */
export function listensOn(pid: number, port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = new Set<string>();
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const fields = line.trim().split(/\s+/);
    // 0A is TCP_LISTEN; field 9 is the inode.
    if (fields[1] === local && fields[3] === "0A") sockets.add(`socket:[${fields[9]}]`);
  }
  if (sockets.size === 0) return false;
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return sockets.has(readlinkSync(`${folder}/${fd}`));
    } catch {
      return false;
    }
  });
}
