// The clients of share-proxy, and how long one is kept that is silent.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ShareProxy } from "../../../src/programs/share-proxy.ts";
import { toBeginAnew } from "../../../src/system/shared-folder/mux-connections.ts";
import { muxHeader } from "../../../src/wire/webdav-mux.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { until } from "../../integration/peers/until.ts";

interface Joined {
  readonly proxy: ShareProxy;
  readonly clock: ManualClock;
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
  const clock = new ManualClock();
  const proxy = new ShareProxy(recordingLog().log, clock);
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
  return { proxy, clock, sent, client, socket, heard: () => heard };
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

test("a guest that was taken back to a snapshot answers nothing, not even OPTIONS: its port is opened anew", async () => {
  const { proxy, clock, sent, client } = await joined("GET");
  let isAsked = false;
  proxy.anew = () => {
    isAsked = true;
  };
  // The rest of a frame that it began before takes in what it says now.
  proxy.data(Buffer.concat([muxHeader(1n, 60_000), Buffer.from("half")]));
  client.write("GET");
  await until("the second request at the guest", () => sent.length > 1, 5000, 2);
  clock.advance(3000);
  expect(Buffer.from(sent.at(-1) ?? []).toString("latin1")).toContain("OPTIONS / HTTP/1.1");
  proxy.data(Buffer.concat([muxHeader(2n, 4), Buffer.from("done")]));
  client.write("GET");
  clock.advance(7000);
  await until("the client to be cut off", () => client.closed, 5000, 2);
  expect(isAsked).toBe(true);
  expect(clock.waiting).toBe(0);
});

test("an answer that takes long is waited for while the guest answers other things", async () => {
  const { proxy, clock, sent, socket } = await joined("COPY");
  for (let round = 0; round < 5; round += 1) {
    clock.advance(3000);
    const id = Buffer.from(sent.at(-1) ?? []).readBigInt64LE();
    expect(id).toBe(BigInt(round + 2));
    proxy.data(Buffer.concat([muxHeader(id, 4), Buffer.from("HTTP")]));
    clock.advance(7000);
  }
  expect(socket.destroyed).toBe(false);
  proxy.data(Buffer.concat([muxHeader(1n, 4), Buffer.from("done")]));
  clock.advance(3000);
  expect(clock.waiting).toBe(0);
});
