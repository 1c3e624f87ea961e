// What the daemon makes of a helper for mounts that goes wrong: an error of ours, never one of the socket's.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { MountService } from "../../../../src/system/shared-folder/mount-service.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";

const held: Disposable[] = [];
afterEach(() => {
  for (const resource of held.splice(0).reverse()) resource[Symbol.dispose]();
});

async function helper(connected: (socket: Socket) => void): Promise<MountService> {
  const dir = makeTempDir("mount-service");
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    connected(socket);
  }).listen(dir.join("mount"));
  await once(server, "listening");
  held.push(dir, {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  return new MountService(dir.join("mount"));
}

test("closed with the request unread, as systemd does when too many are asked for or the helper cannot be run", async () => {
  const service = await helper((socket) => void setTimeout(() => socket.destroy(), 20));
  await expect(service.unmount(1000)).rejects.toMatchObject({
    name: "BackendError",
    code: "mount.failed",
    message: expect.stringContaining("ECONNRESET"),
  });
});

test("a helper that never answers is given up, and said so", async () => {
  const service = await helper((socket) => socket.resume());
  await expect(service.unmount(1000, 50)).rejects.toMatchObject({
    name: "BackendError",
    code: "mount.failed",
    message: "the helper for mounts: no answer after 0.05 s",
  });
});

test("one that is there no more, one that says nothing, and one that has a word of its own", async () => {
  await expect(new MountService("/nonexistent/mount").unmount(1)).rejects.toMatchObject({ code: "mount.no-service" });
  const silent = await helper((socket) => socket.resume().end());
  await expect(silent.unmount(1)).rejects.toMatchObject({ code: "mount.failed" });
  const refusing = await helper((socket) =>
    socket.resume().end(`${JSON.stringify({ error: { code: "mount.not-empty", detail: "full" } })}\n`),
  );
  await expect(refusing.unmount(1)).rejects.toMatchObject({ code: "mount.not-empty", message: "full" });
});
