// A connection that is read into one buffer is a connection like any other.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buffered, connectBuffered } from "../../../src/support/socket-buffer.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let dir: TempDir;
let server: Server;
let path: string;

beforeEach(async () => {
  dir = makeTempDir("socket-buffer");
  path = dir.join("socket");
  server = createServer({ pauseOnConnect: true });
  server.listen(path);
  await once(server, "listening");
});

afterEach(() => {
  server.close();
  dir[Symbol.dispose]();
});

async function accepted(): Promise<Socket> {
  const [socket] = (await once(server, "connection")) as [Socket];
  return socket;
}

/** Both kinds: one that was accepted, one that connects; with the plain other end. */
const kinds = {
  accepted: async (): Promise<[Socket, Socket]> => {
    const accepting = accepted();
    const other = connect(path);
    return [buffered(await accepting), other];
  },
  connecting: async (): Promise<[Socket, Socket]> => {
    const accepting = accepted();
    const socket = connectBuffered(path);
    await once(socket, "connect");
    const other = await accepting;
    other.resume();
    return [socket, other];
  },
};

for (const [kind, open] of Object.entries(kinds)) {
  test(`${kind}: what is sent arrives in one and the same memory, and the end of it after it`, async () => {
    const [socket, other] = await open();
    const whole = Buffer.from(Array.from({ length: 2_000_000 }, (_, at) => at % 251));
    const pieces: Buffer[] = [];
    const memory = new Set<ArrayBufferLike>();
    socket.on("data", (bytes: Buffer) => {
      memory.add(bytes.buffer);
      pieces.push(Buffer.from(bytes));
    });
    const ended = once(socket, "end");
    socket.resume();
    other.end(whole);
    await ended;
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
    expect(memory.size).toBe(1);
    socket.destroy();
    other.destroy();
  });

  test(`${kind}: what it writes arrives, and its closing is seen at both ends`, async () => {
    const [socket, other] = await open();
    let heard = "";
    other.on("data", (bytes) => (heard += bytes));
    socket.resume();
    socket.write("words");
    const closed = Promise.all([once(socket, "close"), once(other, "close")]);
    socket.end(" and an end");
    await closed;
    expect(heard).toBe("words and an end");
  });

  test(`${kind}: it is seen to close when the other end is closed`, async () => {
    const [socket, other] = await open();
    socket.resume();
    const closed = once(socket, "close");
    other.destroy();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
}

test("accepted: nothing is read before it flows", async () => {
  const accepting = accepted();
  const other = connect(path);
  const socket = buffered(await accepting);
  let heard = 0;
  socket.on("data", (bytes) => (heard += bytes.length));
  other.write("early");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toBe(0);
  const data = once(socket, "data");
  socket.resume();
  await data;
  expect(heard).toBe(5);
  socket.destroy();
  other.destroy();
});

test("accepted: one that is closed already stays what it is", async () => {
  const accepting = accepted();
  const other = connect(path);
  const socket = await accepting;
  socket.destroy();
  expect(buffered(socket)).toBe(socket);
  other.destroy();
});
