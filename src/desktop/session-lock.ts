// One agent for a session: the first holds a socket in the user's runtime folder; it is free again when its process is gone.
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { BackendError } from "../support/errors.ts";
import { connectedTo, removeDeadSocket, socketFailed } from "../support/unix-socket.ts";

export type SessionLock =
  | { readonly kind: "ours"; readonly lock: AsyncDisposable }
  /** Another process has it. `released` resolves when that one lets go or dies, or the signal is aborted. */
  | { readonly kind: "taken"; released(signal: AbortSignal): Promise<void> };

/** `name`: a session's id or a display. Throws a BackendError `socket.failed` when the folder is not ours to write in. */
export async function lockSession(folder: string, name: string): Promise<SessionLock> {
  const path = join(folder, `tsvdagent-${name.replace(/[^\w.-]/g, "_")}.lock`);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const lock = await listenAlone(path);
    if (lock !== undefined) return { kind: "ours", lock };
    try {
      const holder = await connectedTo(path);
      if (holder !== undefined) return { kind: "taken", released: (signal) => closed(holder, signal) };
      await removeDeadSocket(path);
    } catch (error) {
      throw socketFailed(path, error);
    }
  }
  throw new BackendError("socket.failed", `${path}: others take it again and again`);
}

function listenAlone(path: string): Promise<AsyncDisposable | undefined> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => waiting.delete(socket));
    // To be read, so that its end is seen.
    socket.resume();
  });
  const release = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      for (const socket of waiting) socket.destroy();
    });
  return new Promise((resolve, reject) => {
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(socketFailed(path, error));
    });
    server.listen({ path }, () => resolve({ [Symbol.asyncDispose]: release }));
  });
}

function closed(holder: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      holder.destroy();
      resolve();
    };
    if (signal.aborted || holder.destroyed) return over();
    signal.addEventListener("abort", over, { once: true });
    holder.on("close", over);
    holder.resume();
  });
}
