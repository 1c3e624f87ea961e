/** What QEMU is between host and guest: two unix sockets that listen, and one stream of bytes between whoever connects. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { makeTempDir } from "../integration/peers/temp-dir.ts";

export interface ShareWire extends AsyncDisposable {
  readonly guestPath: string;
  readonly hostPath: string;
}

/** The guest's end is closed when the host's is, as a port is hung up. */
export async function shareWire(): Promise<ShareWire> {
  const dir = makeTempDir("share-wire");
  const [guestPath, hostPath] = [dir.join("guest"), dir.join("host")];
  const waiting: { guest?: Socket | undefined; host?: Socket | undefined } = {};
  const sockets = new Set<Socket>();
  const arrived = (side: "guest" | "host", socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      if (waiting[side] === socket) waiting[side] = undefined;
    });
    waiting[side] = socket;
    const { guest, host } = waiting;
    if (guest === undefined || host === undefined) return;
    waiting.guest = undefined;
    waiting.host = undefined;
    guest.pipe(host).pipe(guest);
    guest.once("close", () => host.destroy());
    host.once("close", () => guest.destroy());
  };
  const servers = [["guest", guestPath] as const, ["host", hostPath] as const].map(async ([side, path]) => {
    const server = createServer({ pauseOnConnect: true }, (socket) => arrived(side, socket)).listen(path);
    await once(server, "listening");
    return server;
  });
  const listening = await Promise.all(servers);
  return {
    guestPath,
    hostPath,
    [Symbol.asyncDispose]: async () => {
      for (const server of listening) server.close();
      for (const socket of sockets) socket.destroy();
      dir[Symbol.dispose]();
    },
  };
}
