// What a slow reader leaves lying, and whom it keeps waiting: everybody for a moment, and then nobody but itself.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Spool } from "../../../../src/support/spool.ts";
import { Backlog } from "../../../../src/system/shared-folder/backlog.ts";
import { unhandledIn } from "../../../fakes/faults-of-ours.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { until } from "../../../integration/peers/until.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** More than the kernel keeps of a connection on the loopback. */
const PIECE = Buffer.alloc(64 * KIB, 0x61);

let server: Server;
let reader: Socket;
let socket: Socket;
let clock: ManualClock;
let backlog: Backlog;
let drained: number;
let failures: string[];
let heard: number;

beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  reader = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => {});
  clock = new ManualClock();
  [drained, failures, heard] = [0, [], 0];
  backlog = new Backlog(
    socket,
    clock,
    () => {
      drained += 1;
    },
    (why) => failures.push(why),
  );
  reader.on("data", (bytes) => {
    heard += bytes.length;
  });
  reader.pause();
});

afterEach(() => {
  reader.destroy();
  socket.destroy();
  server.close();
  expect(clock.waiting).toBe(0);
});

/** Writes until all have to wait for the reader; how much that was. */
async function writeUntilBehind(): Promise<number> {
  let written = 0;
  while (!backlog.isBehind) {
    if (written > 64 * MIB) throw new Error("nobody is kept waiting");
    backlog.write(PIECE);
    written += PIECE.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return written;
}

test("a reader that goes on within a moment has kept all waiting for it, and nothing is spooled", async () => {
  const written = await writeUntilBehind();
  expect(backlog.isFull).toBe(false);
  reader.resume();
  await until("it to be let on", () => drained === 1, 5000, 2);
  expect(backlog.isBehind).toBe(false);
  await until("all to have come", () => heard === written, 5000, 2);
});

test("one that does not keeps nobody waiting any more; what it has not read is spooled, and comes whole", async () => {
  let written = await writeUntilBehind();
  clock.advance(199);
  expect(backlog.isBehind).toBe(true);
  clock.advance(1);
  expect(backlog.isBehind).toBe(false);
  expect(drained).toBe(1);
  for (let n = 0; n < 20 * 16; n++) {
    backlog.write(PIECE);
    written += PIECE.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // It is not waited for again as long as something lies there.
  expect(backlog.isFull).toBe(true);
  reader.resume();
  await until("all to have come", () => heard === written, 10_000, 2);
  expect(backlog.isFull).toBe(false);
  backlog.end();
  await once(reader, "end");
  expect(failures).toEqual([]);
});

test("one that leaves leaves nothing: no timer, and nobody is kept waiting", async () => {
  await writeUntilBehind();
  reader.destroy();
  await until("it to be gone", () => socket.closed, 5000, 2);
  expect(backlog.isBehind).toBe(false);
  expect(clock.waiting).toBe(0);
});

test("a fault of ours is not taken for one of the disk", async () => {
  const fault = new TypeError("ours");
  const read = vi.spyOn(Spool.prototype, "read").mockRejectedValue(fault);
  const unhandled = await unhandledIn(async () => {
    await writeUntilBehind();
    for (let written = 0; written < 16 * MIB; written += PIECE.length) backlog.write(PIECE);
    reader.resume();
    await until("it to be read", () => read.mock.calls.length > 0, 5000, 2);
  });
  read.mockRestore();
  expect(unhandled).toBe(fault);
  expect(failures).toEqual([]);
});
