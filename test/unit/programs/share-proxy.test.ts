// The clients of share-proxy, and how long one is kept that is silent.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ShareProxy } from "../../../src/programs/share-proxy.ts";
import { toBeginAnew } from "../../../src/system/shared-folder/mux-connections.ts";
import { muxHeader } from "../../../src/wire/webdav-mux.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { until } from "../../integration/peers/until.ts";

interface Joined {
  readonly proxy: ShareProxy;
  readonly sent: readonly Uint8Array[];
  readonly client: Socket;
  /** The proxy's end of it. */
  readonly socket: Socket;
  readonly heard: () => string;
}

const held: Disposable[] = [];
afterEach(() => {
  for (const each of held.splice(0)) each[Symbol.dispose]();
});

/** A client whose request is at the guest. */
async function joined(request: string): Promise<Joined> {
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
  held.push({
    [Symbol.dispose]: () => {
      client.destroy();
      listener.close();
    },
  });
  let heard = "";
  client.on("data", (bytes) => {
    heard += bytes.toString();
  });
  client.on("error", () => {});
  proxy.accept(socket);
  client.write(request);
  await until("the request at the guest", () => sent.length > 0, 5000, 2);
  return { proxy, sent, client, socket, heard: () => heard };
}

test("who waits for an answer is not cut off, however long it takes; who has one and is silent is", async () => {
  const { proxy, socket, heard } = await joined("COPY");
  for (let n = 0; n < 10; n++) socket.emit("timeout");
  proxy.data(Buffer.concat([muxHeader(1n, 4), Buffer.from("done")]));
  await until("the answer", () => heard() === "done", 5000, 2);
  expect(socket.destroyed).toBe(false);
  socket.emit("timeout");
  expect(socket.destroyed).toBe(true);
});

test("a guest of another time is in the middle of an answer: the client is cut off, and given nothing that was none", async () => {
  const { proxy, client, heard } = await joined("GET");
  let isAsked = false;
  proxy.anew = () => {
    isAsked = true;
  };
  proxy.data(Buffer.concat([muxHeader(1n, 1000), Buffer.from("half")]));
  await until("what has come", () => heard() === "half", 5000, 2);
  proxy.data(toBeginAnew());
  await once(client, "close");
  expect(isAsked).toBe(true);
  expect(heard()).toBe("half");
});
