import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";
import { MonitorsTailStripper, serverCapabilities } from "./monitors-tail.ts";

export interface MonitorsTailProxy extends AsyncDisposable {
  /** Where the viewer connects, on 127.0.0.1. */
  readonly port: number;
  /** Configurations whose millimetres were cut so far. */
  readonly stripped: number;
}

/** A proxy in front of a SPICE server on 127.0.0.1 that cuts the millimetres out of the viewer's MONITORS_CONFIGs. */
export async function startMonitorsTailProxy(spicePort: number): Promise<MonitorsTailProxy> {
  const open = new Set<Socket>();
  const strippers = new Set<MonitorsTailStripper>();
  const server = createServer({ noDelay: true }, (viewer) => {
    const stripper = new MonitorsTailStripper();
    strippers.add(stripper);
    const host = dial({ port: spicePort, host: "127.0.0.1", noDelay: true });
    for (const [socket, other] of [
      [viewer, host],
      [host, viewer],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.destroy());
      socket.once("close", () => {
        open.delete(socket);
        other.destroySoon();
      });
    }
    watchCapabilities(host, (word) => stripper.setServerCapabilities(word));
    host.pipe(viewer);
    viewer.on("data", (chunk) => {
      let full = false;
      for (const part of stripper.push(chunk)) full = !host.write(part) || full;
      if (!full) return;
      viewer.pause();
      host.once("drain", () => viewer.resume());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get stripped() {
      return [...strippers].reduce((sum, { stripped }) => sum + stripped, 0);
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** Reads along until the server's link answer is complete. */
function watchCapabilities(host: Socket, found: (word: number) => void): void {
  let start: Buffer = Buffer.alloc(0);
  const look = (chunk: Buffer): void => {
    start = Buffer.concat([start, chunk]);
    const word = serverCapabilities(start);
    if (word === undefined) return;
    host.off("data", look);
    found(word);
  };
  host.on("data", look);
}
