// A unix socket that others connect to: made by us, or by systemd before we were started.
import { chmod, lstat, mkdir } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { BackendError } from "../support/errors.ts";
import { connectedTo, removeDeadSocket, socketFailed } from "../support/unix-socket.ts";

/** Everybody may knock; who may come in is decided by who they are. */
const MODE = 0o666;
const BACKLOG = 128;

export interface ListenOptions {
  readonly path: string;
  /** Of a socket that listens already; then the path is only for words. */
  readonly fd: number | undefined;
  /** Nothing has been read from it. */
  readonly connected: (socket: Socket) => void;
}

/**
 * Throws a BackendError `socket.in-use` when another process listens there, `socket.failed` when it cannot be made.
 * Disposing stops listening; what is connected stays. A socket of systemd's is not removed.
 */
export async function listenAt({ path, fd, connected }: ListenOptions): Promise<AsyncDisposable> {
  const server = createServer({ pauseOnConnect: true }, connected);
  if (fd === undefined) {
    await makeRoom(path);
    await listening(server, path, () => server.listen({ path, backlog: BACKLOG }));
    await chmod(path, MODE);
  } else {
    await listening(server, path, () => server.listen({ fd }));
  }
  return {
    // Node removes the path of a socket that it has made itself. Its word that the server is closed is not waited for: it
    // comes only when everybody who is connected has gone.
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function makeRoom(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const found = await lstat(path).catch(() => undefined);
    if (found?.isSocket() === false) throw new BackendError("socket.failed", `${path}: something else is there`);
    const other = await connectedTo(path);
    other?.destroy();
    if (other !== undefined) throw new BackendError("socket.in-use", `${path}: another process listens there`);
    await removeDeadSocket(path);
  } catch (error) {
    throw socketFailed(path, error);
  }
}

function listening(server: Server, path: string, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(socketFailed(path, error)));
    server.once("listening", () => {
      server.removeAllListeners("error");
      // Out of descriptors: the one who knocked is turned away, the others stay.
      server.on("error", () => {});
      resolve();
    });
    listen();
  });
}
