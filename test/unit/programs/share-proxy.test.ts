// The clients of share-proxy, and how long one is kept that is silent.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { ShareProxy } from "../../../src/programs/share-proxy.ts";
import { muxHeader } from "../../../src/wire/webdav-mux.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { until } from "../../integration/peers/until.ts";

test("who waits for an answer is not cut off, however long it takes; who has one and is silent is", async () => {
  const sent: Uint8Array[] = [];
  const line = {
    start: () => {},
    write: (bytes: Uint8Array) => sent.push(bytes) > 0,
    taken: 0,
    drained: async () => {},
    pause: () => {},
    resume: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const proxy = new ShareProxy(recordingLog().log);
  proxy.hostCame(line);
  const listener = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(listener, "connection")) as [Socket];
  let heard = "";
  client.on("data", (bytes) => {
    heard += bytes.toString();
  });
  proxy.accept(socket);
  client.write("COPY");
  await until("the request at the guest", () => sent.length > 0, 5000, 2);
  for (let n = 0; n < 10; n++) socket.emit("timeout");
  proxy.data(Buffer.concat([muxHeader(1n, 4), Buffer.from("done")]));
  await until("the answer", () => heard === "done", 5000, 2);
  expect(socket.destroyed).toBe(false);
  socket.emit("timeout");
  expect(socket.destroyed).toBe(true);
  await once(client, "close");
  listener.close();
});
