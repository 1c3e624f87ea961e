// The port that is a unix socket, against a real one.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectUnixSocket } from "../../../../src/system/ports/unix-socket.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

const never = new AbortController().signal;

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("unix-socket");
});
afterEach(() => dir[Symbol.dispose]());

async function hostAndPort(): Promise<{ host: Socket; port: Awaited<ReturnType<typeof connectUnixSocket>> }> {
  const server = createServer({ allowHalfOpen: true }).listen(dir.join("port"));
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const port = await connectUnixSocket(dir.join("port"), never);
  const [host] = await accepted;
  server.close();
  return { host, port };
}

/** How the host sees it go. */
async function ending(host: Socket): Promise<string> {
  const outcome = new Promise<string>((resolve) => {
    host.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    host.once("end", () => resolve("end"));
  });
  host.resume();
  return outcome;
}

test("left with something unread, it ends for the host and is not reset", async () => {
  const { host, port } = await hostAndPort();
  await new Promise<void>((resolve) => host.write(Buffer.alloc(100_000), () => resolve()));
  const ended = ending(host);
  await port[Symbol.asyncDispose]();
  expect(await ended).toBe("end");
  host.destroy();
});

test("what was written before arrives", async () => {
  const { host, port } = await hostAndPort();
  port.stream.write("the last word");
  const received = once(host, "data") as Promise<[Buffer]>;
  await port[Symbol.asyncDispose]();
  expect(String((await received)[0])).toBe("the last word");
  host.destroy();
});

test("a host that takes nothing does not hold it up", async () => {
  const { host, port } = await hostAndPort();
  host.pause();
  port.stream.write(Buffer.alloc(10_000_000));
  const startMs = performance.now();
  await port[Symbol.asyncDispose]();
  expect(performance.now() - startMs).toBeLessThan(900);
  host.destroy();
});

test("left twice, or after the host, it has nothing more to do", async () => {
  const { host, port } = await hostAndPort();
  const closed = once(port.stream, "close");
  host.destroy();
  port.stream.resume();
  await closed;
  await port[Symbol.asyncDispose]();
  await port[Symbol.asyncDispose]();
});

test("nothing is read before somebody listens, and all of it arrives in order, also what is held back for a while", async () => {
  const { host, port } = await hostAndPort();
  const sent = Buffer.from(Uint32Array.from({ length: 500_000 }, (_, index) => index).buffer);
  host.end(sent);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const taken: Buffer[] = [];
  port.stream.on("data", (bytes: Buffer) => {
    taken.push(Buffer.from(bytes));
    if (taken.length % 3 !== 0) return;
    port.stream.pause();
    setImmediate(() => port.stream.resume());
  });
  const ended = once(port.stream, "end");
  port.stream.resume();
  await ended;
  expect(Buffer.concat(taken).equals(sent)).toBe(true);
  await port[Symbol.asyncDispose]();
  host.destroy();
});
