// The viewer's folder at the daemon: a viewer on a socket, a helper for mounts on another, and the listeners between them.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { DaemonSharedFolder } from "../../../src/programs/daemon-shared-folder.ts";
import { type Clock, systemClock } from "../../../src/support/clock.ts";
import { MuxReader, muxHeader } from "../../../src/wire/webdav-mux.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { freePort } from "../../integration/peers/free-port.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";
import { sleep, until } from "../../integration/peers/until.ts";

const USER = 1000;
const ANSWERS: Readonly<Record<string, string>> = {
  OPTIONS: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  DELETE: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
  PROPFIND: "HTTP/1.1 207 Multi-Status\r\nContent-Length: 2\r\n\r\n<>",
};

const held: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of held.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

/** Nothing is read of a connection before it is resumed. */
async function serverAt(path: string, connected: (socket: Socket) => void): Promise<Disposable> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    connected(socket);
  }).listen(path);
  await once(server, "listening");
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A viewer whose folder is empty; disposed of, it leaves. */
function viewerAt(path: string): Promise<Disposable> {
  return serverAt(path, (socket) => {
    const reader = new MuxReader({
      data: (id, piece) => {
        const answer = ANSWERS[Buffer.from(piece).toString("latin1").split(" ")[0] ?? ""];
        if (answer !== undefined) socket.write(Buffer.concat([muxHeader(id, answer.length), Buffer.from(answer)]));
      },
      closed: () => {},
    });
    socket.on("data", (bytes: Uint8Array) => reader.push(bytes)).resume();
  });
}

interface Helper {
  /** What it was asked for, in its order. */
  readonly asked: string[];
  readonly answer: (text: object) => void;
}

async function helperAt(path: string): Promise<Helper> {
  const asked: string[] = [];
  let last: Socket | undefined;
  const server = await serverAt(path, (socket) => {
    socket
      .once("data", (bytes: Buffer) => {
        last = socket;
        asked.push(String(bytes));
      })
      .resume();
  });
  held.push({ [Symbol.asyncDispose]: async () => server[Symbol.dispose]() });
  return { asked, answer: (text) => void last?.end(`${JSON.stringify(text)}\n`) };
}

interface Served {
  readonly folder: DaemonSharedFolder;
  readonly dir: TempDir;
  readonly port: number;
}

async function served(listen: readonly string[] = ["127.0.0.1"], clock: Clock = systemClock): Promise<Served> {
  const dir = makeTempDir("shared-folder");
  const port = await freePort();
  const folder = new DaemonSharedFolder({
    device: dir.join("port"),
    listen: listen.map((host) => ({ host, port })),
    policy: { mount: true },
    announce: false,
    mountSocket: dir.join("mount"),
    clock,
    log: recordingLog().log,
  });
  held.push({
    [Symbol.asyncDispose]: async () => {
      await folder[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  });
  folder.screenChanged(USER);
  return { folder, dir, port };
}

/** What comes of a connection to it. */
async function knock(port: number): Promise<string> {
  const client = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    client.once("close", () => resolve("closed"));
    client.resume();
  });
}

test("the viewer leaves: its address is nobody else's until the mount is gone, and then it is given up", async () => {
  const { folder, dir, port } = await served();
  const helper = await helperAt(dir.join("mount"));
  const viewer = await viewerAt(dir.join("port"));
  await until("a mount to be asked for", () => helper.asked.length === 1, 5000, 5);
  expect(folder.report.listening).toEqual([`127.0.0.1:${port}`]);
  helper.answer({ path: "/home/user/Shared" });
  await until("it to be mounted", () => folder.report.mount.state === "read-write", 5000, 5);
  viewer[Symbol.dispose]();
  await until("it to be taken away", () => helper.asked.length === 2, 5000, 5);
  expect(folder.report.listening).toEqual([]);
  expect(await knock(port)).toBe("ECONNRESET");
  helper.answer({ path: "" });
  await until("it to be gone", () => folder.report.mount.state === "none", 5000, 5);
  await until("the address to be free", async () => (await knock(port)) === "ECONNREFUSED", 5000, 5);
});

test("a helper for mounts that closes unheard does not end the daemon: status says what it was", async () => {
  const { folder, dir } = await served();
  const helper = await serverAt(dir.join("mount"), (socket) => {
    setTimeout(() => socket.destroy(), 20);
  });
  held.push({ [Symbol.asyncDispose]: async () => helper[Symbol.dispose]() });
  const viewer = await viewerAt(dir.join("port"));
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  await until("the mount to fail", () => folder.report.mount.state === "failed", 5000, 5);
  expect(folder.report.mount.fault).toMatch(/^mount.failed: the helper for mounts: .*ECONNRESET/);
});

test("an address that this machine does not have is not said to be served", async () => {
  const { folder, dir, port } = await served(["192.0.2.1", "127.0.0.1"]);
  const viewer = await viewerAt(dir.join("port"));
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  await until("it to be served", () => folder.report.listening.length > 0, 5000, 5);
  expect(folder.report.listening).toEqual([`127.0.0.1:${port}`]);
});

test("what cannot be mounted is tried after 10 s, and then less and less often", async () => {
  const clock = new ManualClock();
  const { folder, dir } = await served(undefined, clock);
  const helper = await helperAt(dir.join("mount"));
  const viewer = await viewerAt(dir.join("port"));
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  for (const [tries, waitMs] of [
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
  ] as const) {
    await until(`try ${tries}`, () => helper.asked.length === tries, 5000, 5);
    helper.answer({ error: { code: "mount.not-empty", detail: "/home/user/Shared is not empty" } });
    await until("it to fail", () => folder.report.mount.state === "failed", 5000, 5);
    clock.advance(waitMs - 1);
    await sleep(20);
    expect(helper.asked).toHaveLength(tries);
    clock.advance(1);
  }
  await until("the next try", () => helper.asked.length === 4, 5000, 5);
});
