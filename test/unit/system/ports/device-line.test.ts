// A port whose host comes and goes on one descriptor, as a fifo's writers do: without one it reads as ended and is hung up.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../../src/support/clock.ts";
import { deviceLine } from "../../../../src/system/ports/device-line.ts";
import type { HostLine } from "../../../../src/system/ports/host-line.ts";
import { MuxClient } from "../../../../src/system/shared-folder/mux-client.ts";
import { MuxConnections } from "../../../../src/system/shared-folder/mux-connections.ts";
import { muxHeader } from "../../../../src/wire/webdav-mux.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";
import { until } from "../../../integration/peers/until.ts";

let dir: TempDir;
let line: HostLine;
beforeEach(async () => {
  dir = makeTempDir("device-line");
  execFileSync("mkfifo", [dir.join("port")]);
  line = await deviceLine(await open(dir.join("port"), constants.O_RDONLY | constants.O_NONBLOCK), dir.join("port"));
});
afterEach(async () => {
  await line[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const hostComes = (): number => openSync(dir.join("port"), constants.O_WRONLY | constants.O_NONBLOCK);

/** What is seen of the hosts, in its order. */
function start(came: (text: string) => void = () => {}): string[] {
  const seen: string[] = [];
  line.start({
    hostCame: () => seen.push("came"),
    data: (bytes) => {
      seen.push(Buffer.from(bytes).toString());
      came(Buffer.from(bytes).toString());
    },
    isHeld: () => false,
    hostLeft: () => seen.push("left"),
    lost: (reason) => seen.push(reason.code),
  });
  return seen;
}

async function untilSeen(seen: readonly string[], all: readonly string[]): Promise<void> {
  await until(all.join(), () => seen.length >= all.length, 2000, 2).catch(() => {});
  expect(seen).toEqual(all);
}

test("a host that leaves while it is kept waiting is not taken for the next, nor what it has left for the next one's", async () => {
  const seen = start();
  const first = hostComes();
  await untilSeen(seen, ["came"]);
  line.pause();
  writeSync(first, "half a fra");
  closeSync(first);
  await untilSeen(seen, ["came", "left"]);
  const second = hostComes();
  writeSync(second, "new");
  await untilSeen(seen, ["came", "left", "came", "new"]);
  closeSync(second);
  await untilSeen(seen, ["came", "left", "came", "new", "left"]);
});

test("a host whose last bytes fill the receiver in the turn in which it leaves: the next one is heard all the same", async () => {
  const seen = start((text) => text === "last" && line.pause());
  const first = hostComes();
  await untilSeen(seen, ["came"]);
  writeSync(first, "last");
  closeSync(first);
  await untilSeen(seen, ["came", "last", "left"]);
  const second = hostComes();
  writeSync(second, "new");
  await untilSeen(seen, ["came", "last", "left", "came", "new"]);
  closeSync(second);
});

test("connections of a host that is gone neither stop the next one nor let it on", async () => {
  let calls: string[] = [];
  const wire = {
    write: () => true,
    taken: 0,
    drained: async () => {},
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
  };
  const mux = new MuxConnections(wire as never, () => 1n, recordingLog().log);
  let isFull = false;
  const connection = mux.open({
    data: () => {
      isFull = true;
    },
    closed: () => {},
    get isFull() {
      return isFull;
    },
    isBehind: false,
    isHolding: false,
  });
  connection.send(Buffer.from("x"));
  mux.push(Buffer.concat([muxHeader(1n, 1), Buffer.from("x")]));
  expect(calls).toEqual(["pause"]);
  calls = [];
  mux.cutAll();
  isFull = false;
  mux.reconsider();
  expect(calls).toEqual([]);
});

test("what waits for a slow reader is not written over by what comes after it, also of a connection that is closed by then", async () => {
  const content = randomBytes(60_000);
  let lastId = 0n;
  const mux = new MuxConnections(line, () => ++lastId, recordingLog().log);
  line.start({
    hostCame: () => {},
    data: (bytes) => mux.push(bytes),
    isHeld: () => mux.isHolding,
    hostLeft: () => {},
    lost: () => {},
  });
  const listener = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const begin = async () => {
    const reader = connect((listener.address() as AddressInfo).port, "127.0.0.1");
    const [socket] = (await once(listener, "connection")) as [Socket];
    const hash = createHash("md5");
    reader.on("data", (bytes) => hash.update(bytes)).pause();
    const nothing = (): void => {};
    const client = new MuxClient(socket, mux, {
      clock: systemClock,
      answered: nothing,
      closed: nothing,
      failed: nothing,
    });
    client.send(Buffer.from("?"));
    return { reader, hash, ended: once(reader, "end") };
  };
  const clients = [await begin(), await begin()];
  const [first, second] = clients;
  first?.reader.resume();
  await using host = await open(dir.join("port"), constants.O_WRONLY);
  const expected = [createHash("md5"), createHash("md5")];
  for (let n = 0; n < 200; n++) {
    for (const [index, hash] of expected.entries()) {
      content.writeUInt32LE(n * 2 + index);
      hash.update(content);
      await host.write(Buffer.concat([muxHeader(BigInt(index + 1), content.length), content]));
    }
  }
  for (const id of [1n, 2n]) await host.write(muxHeader(id, 0));
  await first?.ended;
  second?.reader.resume();
  await second?.ended;
  expect(clients.map(({ hash }) => hash.digest("hex"))).toEqual(expected.map((hash) => hash.digest("hex")));
  for (const { reader } of clients) reader.destroy();
  listener.close();
});
