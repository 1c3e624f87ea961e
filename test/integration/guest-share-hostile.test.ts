// The guest's folder between two who need not trust each other: the host's program outlives any guest, the guest's any host.
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { muxHeader } from "../../src/wire/webdav-mux.ts";
import { SeededRandom } from "../fakes/hostile-bytes.ts";
import { HostileGuest, roomOf } from "../fakes/hostile-guest.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { freePort } from "./peers/free-port.ts";
import { type GuestShare, startGuestShare } from "./peers/guest-share.ts";
import { type MemoryPeak, watchMemoryPeak } from "./peers/memory-peak.ts";
import { run } from "./peers/processes.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";

const MIB = 1024 * 1024;
const SEED = 20_261_125;
/**
 * What a process of Node's may grow by while it is kept busy, whatever is done to it: twice what is seen of Node 24, which
 * lets garbage lie for long. One that gathered what it is sent would grow by hundreds.
 */
const MOST_GROWTH_MIB = 120;
/** The same while much comes as fast as it can. */
const MOST_FLOODED_MIB = 200;

describe("share-proxy outlives a guest that means ill", () => {
  let dir: TempDir;
  let guest: HostileGuest;
  let proxy: Agent;
  let port: number;
  let clients: Socket[];

  beforeEach(async () => {
    dir = makeTempDir("hostile-guest");
    guest = await HostileGuest.listen(dir.join("port"), SEED);
    port = await freePort();
    proxy = await startAgent(["share-proxy", "--port", dir.join("port"), "--listen", `127.0.0.1:${port}`]);
    await proxy.untilLogged(/the guest's port is open/);
    clients = [];
  });

  afterEach(async () => {
    for (const client of clients) client.destroy();
    await proxy?.[Symbol.asyncDispose]();
    await guest?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  async function client(request: string | Uint8Array = "GET / HTTP/1.1\r\n\r\n"): Promise<Socket> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request);
    clients.push(socket);
    return socket;
  }

  /** The guest is good again, from a new opening of the port on: the next request is answered. */
  async function isAnswered(): Promise<void> {
    for (const each of clients.splice(0)) each.destroy();
    guest.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    const asked = ["-sS", "-m", "5", "--noproxy", "*", `http://127.0.0.1:${port}/`];
    await until("an answer", async () => (await run("curl", asked).catch(() => "")) === "good", 8000, 50);
    expect(proxy.process.exit).toBeUndefined();
    guest.answerWith(undefined);
    await until("the port to be open", () => guest.isOpen, 5000, 5);
  }

  /** The port is closed and opened anew; one client is let in. */
  async function isOpenedAnew(): Promise<void> {
    guest.answerWith(undefined);
    const isLetIn = async (): Promise<boolean> => {
      const first = (await client()).resume();
      await until("it to be let in or turned away", () => first.destroyed || guest.connections === 1, 20_000, 5);
      return !first.destroyed;
    };
    await until("a client to be let in", isLetIn, 20_000);
  }

  test("100 000 random and mutated frames, with clients that come and go", async () => {
    await isAnswered();
    const peak = watchMemoryPeak(proxy.pid);
    for (let round = 0; round < 10; round++) {
      // After a frame that was cut short all that follows is out of step.
      await isOpenedAnew();
      for (let n = 1; n < 30; n++) (await client()).resume();
      await until("the clients to be known", () => guest.connections === 30, 20_000, 5);
      await guest.sendHostileFrames(10_000);
      for (const one of clients.splice(0)) one.destroy();
    }
    expect(peak.grownMib()).toBeLessThan(MOST_GROWTH_MIB);
    await isAnswered();
  });

  test("400 MB for a client that takes nothing: it waits on disk, the next client is served", async () => {
    const slow = await client();
    slow.pause();
    await until("the client to be known", () => guest.connections === 1, 5000, 5);
    const [id] = [guest.lastId];
    // Another who wants more keeps the port from being closed for all.
    (await client()).resume();
    await until("the other to be known", () => guest.connections === 2, 5000, 5);
    const peak = watchMemoryPeak(proxy.pid);
    await guest.flood(id, 400 * MIB);
    expect(peak.grownMib()).toBeLessThan(MOST_FLOODED_MIB);
    await isAnswered();
  });

  test("a guest that takes nothing, and 4000 clients that give up: nothing is gathered for it", async () => {
    guest.stopReading();
    const request = Buffer.alloc(60_000, 0x61);
    const peak = watchMemoryPeak(proxy.pid);
    for (let round = 0; round < 80; round++) {
      for (let n = 0; n < 50; n++) (await client()).end(request);
      // For what they have sent to be read, if anything is.
      await sleep(40);
      for (const one of clients.splice(0)) one.destroy();
    }
    expect(peak.grownMib()).toBeLessThan(MOST_GROWTH_MIB);
    await isAnswered();
  });

  test("a guest that asks for it after a sleep finds the port opened anew, and who waited is let go", async () => {
    const waiting = await client();
    await until("the client to be known", () => guest.connections === 1, 5000, 5);
    guest.askToBeginAnew();
    await until("the client to be let go", () => waiting.destroyed, 5000, 5);
    await until("the port to be opened anew", () => guest.openings === 2, 5000, 5);
    await isAnswered();
  });

  test("more clients than it takes: those beyond are turned away, and there is room again", async () => {
    for (let n = 0; n < 300; n++) await client();
    await until("those to be turned away", () => clients.filter((each) => each.destroyed).length === 44, 5000, 10);
    await until("the others to be known", () => guest.connections === 256, 5000, 10);
    await isAnswered();
  });
});

describe("daemon and session outlive a host that means ill", () => {
  let share: GuestShare;
  let peaks: readonly MemoryPeak[];

  beforeEach(async () => {
    share = await startGuestShare();
    writeFileSync(share.folder("file"), "content");
    await share.proxy[Symbol.asyncDispose]();
    await share.daemon.untilLogged(/the host is gone/);
    peaks = [share.daemon.pid, share.session.pid].map(watchMemoryPeak);
  });

  afterEach(() => share[Symbol.asyncDispose]());

  const get = (): Buffer => {
    const authorization = Buffer.from(`${share.user}:${share.password}`).toString("base64");
    return Buffer.from(`GET /Public/file HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${authorization}\r\n\r\n`);
  };

  function host(): Socket {
    const socket = connect(share.hostPath);
    socket.on("error", () => {});
    return socket;
  }

  /** A request of another host, when all that was wrong is gone. */
  async function isServed(): Promise<void> {
    for (const peak of peaks) expect(peak.grownMib()).toBeLessThan(MOST_GROWTH_MIB);
    const good = host();
    let heard = "";
    good.on("data", (bytes) => {
      heard += bytes.toString("latin1");
    });
    good.write(muxHeader(1n, get().length));
    good.write(get());
    await until("the answer", () => heard.includes("content"), 8000, 5);
    good.destroy();
  }

  test("100 000 frames: requests whole, cut off and flipped, of connections new, old, and beyond all numbers", async () => {
    const random = new SeededRandom(SEED);
    const request = get();
    for (let round = 0; round < 8; round++) {
      const hostile = host().resume();
      let id = 0n;
      for (let n = 0; n < 12_500; n++) {
        const way = random.below(8);
        if (way < 4) id += BigInt(1 + random.below(3));
        const body = way === 7 ? random.bytes(random.below(400)) : Uint8Array.from(request);
        const part = body.subarray(0, random.below(body.length + 1));
        if (way === 6) part.set(random.bytes(Math.min(4, part.length)));
        hostile.write(muxHeader(way === 5 ? BigInt.asIntN(64, id ^ 0x8000_0000_0000_0000n) : id, part.length));
        if (!hostile.write(part) && !(await roomOf(hostile))) throw new Error("the port was closed");
      }
      hostile.destroy();
    }
    await isServed();
  });

  test("a million connections of a host that takes no answer: it is heard no further", async () => {
    const hostile = host();
    const frames = Buffer.concat(
      Array.from({ length: 10_000 }, (_, n) => Buffer.concat([muxHeader(BigInt(n + 1), 1), Buffer.of(0x61)])),
    );
    for (let n = 0; n < 100; n++) {
      for (let at = 0; at < frames.length; at += 11) frames.writeUInt32LE(n, at + 4);
      hostile.write(Buffer.from(frames));
    }
    const taken = (): number => hostile.bytesWritten - hostile.writableLength;
    // A machine that has much else to do may let it stand still for a while, too.
    for (let [before, still] = [-1, 0]; still < 3; await sleep(500)) {
      still = taken() === before ? still + 1 : 0;
      before = taken();
    }
    hostile.destroy();
    await isServed();
  });
});
