// The viewer's side of the shared folder's port: a unix socket that speaks the mux, and carries each connection to a server.
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_MUX_PAYLOAD_BYTES, MuxReader, muxHeader } from "../../src/wire/webdav-mux.ts";

export interface ShareHost extends AsyncDisposable {
  /** The port. */
  readonly path: string;
  /** Connections the guest has begun, ever, in their order. */
  readonly ids: readonly bigint[];
  /** Those it has closed. */
  readonly closedByGuest: readonly bigint[];
  /** How often the guest has opened the port. */
  readonly openings: number;
  /** Whether the guest holds the port. */
  readonly isHeld: boolean;
  /** Sends bytes as they are. */
  send(bytes: Uint8Array): void;
  /** The server's end of a connection, or of the last one. */
  backend(id?: bigint): Socket | undefined;
  /** The viewer leaves, and lets nobody in until it comes back. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  /** Takes nothing more from the port and gives nothing more to it, as a viewer that hangs. */
  freeze(): void;
}

/** Every connection of the guest becomes one to `backendPort` on 127.0.0.1. */
export async function shareHost(backendPort: number): Promise<ShareHost> {
  const folder = await mkdtemp(join(tmpdir(), "tsvdagent-share-"));
  const path = join(folder, "port");
  const ids: bigint[] = [];
  const closedByGuest: bigint[] = [];
  const backends = new Map<bigint, Socket>();
  const paused = new Set<Socket>();
  let guest: Socket | undefined;
  let isFrozen = false;
  let openings = 0;

  const write = (id: bigint, bytes: Uint8Array): boolean => {
    if (guest === undefined || isFrozen) return true;
    let takesMore = true;
    for (let at = 0; at < bytes.length; at += MAX_MUX_PAYLOAD_BYTES) {
      const part = bytes.subarray(at, at + MAX_MUX_PAYLOAD_BYTES);
      guest.write(muxHeader(id, part.length));
      takesMore = guest.write(part);
    }
    return takesMore;
  };

  const begin = (id: bigint): Socket => {
    ids.push(id);
    const backend = connect(backendPort, "127.0.0.1");
    backends.set(id, backend);
    backend.on("error", () => {});
    // As spice-gtk: what a server gives waits for the port.
    backend.on("data", (bytes: Uint8Array) => {
      if (write(id, bytes)) return;
      backend.pause();
      paused.add(backend);
    });
    backend.on("close", () => {
      if (backends.delete(id) && !isFrozen) guest?.write(muxHeader(id, 0));
    });
    return backend;
  };

  const server = createServer((socket) => {
    if (guest !== undefined) return void socket.destroy();
    guest = socket;
    openings += 1;
    const reader = new MuxReader({
      data: (id, piece) => {
        const backend = backends.get(id) ?? begin(id);
        if (backend.write(piece)) return;
        socket.pause();
        backend.once("drain", () => !isFrozen && socket.resume());
        backend.once("close", () => !isFrozen && socket.resume());
      },
      closed: (id) => {
        closedByGuest.push(id);
        const backend = backends.get(id);
        backends.delete(id);
        backend?.destroy();
      },
    });
    socket.on("data", (bytes: Uint8Array) => reader.push(bytes));
    socket.on("drain", () => {
      for (const backend of paused) backend.resume();
      paused.clear();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      guest = undefined;
      for (const backend of backends.values()) backend.destroy();
      backends.clear();
    });
  });
  const comeBack = (): Promise<void> =>
    new Promise((resolve) => {
      isFrozen = false;
      server.listen(path, resolve);
    });
  const leave = (): Promise<void> =>
    new Promise((resolve) => {
      guest?.destroy();
      server.close(() => resolve());
    });
  await comeBack();
  return {
    path,
    ids,
    closedByGuest,
    get openings() {
      return openings;
    },
    get isHeld() {
      return guest !== undefined;
    },
    send: (bytes) => void guest?.write(bytes),
    backend: (id = ids.at(-1)) => (id === undefined ? undefined : backends.get(id)),
    leave,
    comeBack,
    freeze: () => {
      isFrozen = true;
      guest?.pause();
    },
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await leave();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
