// A port as Xspice and QEMU's `-chardev socket` make it: a unix socket with a host behind it.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeHost, type FakeHostOptions } from "./fake-host.ts";

export interface HostSocket extends AsyncDisposable {
  readonly path: string;
  /** The host of the next opening of the port. Throws after `timeoutMs`. */
  opened(timeoutMs?: number): Promise<FakeHost>;
  /** How often the port has been opened. */
  readonly openings: number;
  /** The host goes away altogether, or comes back at the same path. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function hostSocket(options: FakeHostOptions = {}): Promise<HostSocket> {
  const folder = await mkdtemp(join(tmpdir(), "tsvdagent-host-"));
  const path = join(folder, "port");
  const waiting: FakeHost[] = [];
  const sockets = new Set<Socket>();
  let openings = 0;
  let wake = (): void => {};
  const server = createServer((socket) => {
    openings += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    waiting.push(new FakeHost(socket, options));
    wake();
  });
  const start = (): Promise<void> => new Promise((resolve) => server.listen(path, resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  await start();
  return {
    path,
    get openings() {
      return openings;
    },
    start,
    stop,
    opened: async (timeoutMs = 20_000) => {
      const untilMs = performance.now() + timeoutMs;
      for (;;) {
        const host = waiting.shift();
        if (host !== undefined) return host;
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) throw new Error(`the guest did not open the port within ${timeoutMs} ms`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
