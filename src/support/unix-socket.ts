// Unix sockets by the names that they have on the disk. A name stays when its process is killed. It is taken away for the next
// one's sake, and never that of a socket that lives: two that start at the same moment both find the dead one, and the first may
// have put its own there since.
import { randomUUID } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { BackendError } from "./errors.ts";

/** Undefined: nobody listens there. Throws what Node throws where that cannot be told, as by whoever may not connect. */
export function connectedTo(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.on("connect", () => resolve(socket));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(undefined);
      else reject(error);
    });
  });
}

/** Of a socket that nobody answered at. One that has come to life meanwhile stays. Throws what Node throws. */
export async function removeDeadSocket(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    // Only one of several gets hold of it.
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    const living = await connectedTo(aside);
    if (living === undefined) return;
    living.destroy();
    // A third may have taken the name in this instant.
    await link(aside, path).catch(() => {});
  } finally {
    await rm(aside, { force: true });
  }
}

/** `socket.failed`, unless it has a code of ours already. */
export function socketFailed(path: string, error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new BackendError("socket.failed", `${path}: ${detail}`, { cause: error });
}
