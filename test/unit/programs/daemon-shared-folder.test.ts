// The viewer's folder at the daemon: a viewer on a socket, a helper for mounts on another, and the listeners between them.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { DaemonSharedFolder } from "../../../src/programs/daemon-shared-folder.ts";
import { type Clock, systemClock } from "../../../src/support/clock.ts";
import type { LinkControlMessage } from "../../../src/support/link/dialect.ts";
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

/** What is mounted, and where. */
const mounts: string[] = [];
vi.mock("../../../src/support/mount-table.ts", async (original) => ({
  ...(await original<typeof import("../../../src/support/mount-table.ts")>()),
  mountTable: async () => mounts.map((path) => ({ device: "0:99", path })),
}));

const held: AsyncDisposable[] = [];
afterEach(async () => {
  mounts.splice(0);
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

interface Viewer extends Disposable {
  /** The beginnings of what has come. */
  readonly asked: string[];
}

/** A viewer whose folder is empty; disposed of, it leaves. `answers`: whether it does now; `cut`: the guest has left it. */
async function viewerAt(path: string, answers = () => true, cut = (): void => {}): Promise<Viewer> {
  const asked: string[] = [];
  const server = await serverAt(path, (socket) => {
    socket.once("close", cut);
    const reader = new MuxReader({
      data: (id, piece) => {
        const question = Buffer.from(piece).toString("latin1");
        asked.push(question);
        const answer = ANSWERS[question.split(" ")[0] ?? ""];
        if (answer !== undefined && answers())
          socket.write(Buffer.concat([muxHeader(id, answer.length), Buffer.from(answer)]));
      },
      closed: () => {},
    });
    socket.on("data", (bytes: Uint8Array) => reader.push(bytes)).resume();
  });
  return { asked, [Symbol.dispose]: () => server[Symbol.dispose]() };
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
      // Nobody is waited for who will not answer: time stands still.
      folder.detach();
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

test("what is not unmounted keeps its address from everybody else, and is tried again", async () => {
  const clock = new ManualClock();
  const { folder, dir, port } = await served(undefined, clock);
  const helper = await helperAt(dir.join("mount"));
  const viewer = await viewerAt(dir.join("port"));
  await until("a mount to be asked for", () => helper.asked.length === 1, 5000, 5);
  helper.answer({ path: "/home/user/Shared" });
  await until("it to be mounted", () => folder.report.mount.state === "read-write", 5000, 5);
  viewer[Symbol.dispose]();
  await until("it to be taken away", () => helper.asked.length === 2, 5000, 5);
  helper.answer({ error: { code: "mount.failed", detail: "/home/user/Shared is mounted still" } });
  await until("that to fail", () => folder.report.mount.state === "failed", 5000, 5);
  expect(folder.report.mount.fault).toBe("still mounted: mount.failed: /home/user/Shared is mounted still");
  expect(await knock(port)).toBe("ECONNRESET");
  clock.advance(10_000);
  await until("the next try", () => helper.asked.length === 3, 5000, 5);
  expect(await knock(port)).toBe("ECONNRESET");
  helper.answer({ path: "" });
  await until("the address to be free", async () => (await knock(port)) === "ECONNREFUSED", 5000, 5);
});

type Demand = Extract<LinkControlMessage, { kind: "mount-shared-folder" }>;

/** The session on the screen, where no helper of root's is. */
class Session {
  readonly dialect = "extended";
  readonly demands: Demand[] = [];

  send(message: LinkControlMessage): void {
    if (message.kind === "mount-shared-folder") this.demands.push(message);
  }

  async demand(number: number): Promise<Demand> {
    await until(`demand ${number}`, () => this.demands.length >= number, 5000, 5);
    return this.demands[number - 1] as Demand;
  }
}

test("an answer that comes after the session was given up is not taken for that to the next question", async () => {
  const clock = new ManualClock();
  const { folder, dir, port } = await served(undefined, clock);
  const session = new Session();
  folder.attach(USER, session);
  const viewer = await viewerAt(dir.join("port"));
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  const { requestId, url } = await session.demand(1);
  expect(url).toBe(`http://127.0.0.1:${port}/`);
  clock.advance(30_000);
  await until("it to be given up", () => folder.report.mount.state === "failed", 5000, 5);
  // What it mounts all the same is to go.
  expect(await session.demand(2)).toMatchObject({ url: "" });
  clock.advance(10_000);
  const next = await session.demand(3);
  folder.sessionSaid({ requestId, path: "/home/user/Old", fault: "" });
  await sleep(20);
  expect(folder.report.mount.state).toBe("changing");
  folder.sessionSaid({ requestId: next.requestId, path: "/home/user/Shared", fault: "" });
  await until("it to be mounted", () => folder.report.mount.path === "/home/user/Shared", 5000, 5);
});

test("a session that does not take its mount away is asked again, and the address stays the viewer's meanwhile", async () => {
  const clock = new ManualClock();
  const { folder, dir, port } = await served(undefined, clock);
  const session = new Session();
  folder.attach(USER, session);
  const viewer = await viewerAt(dir.join("port"));
  const answer = async (number: number, path: string, fault = ""): Promise<void> => {
    const { requestId } = await session.demand(number);
    folder.sessionSaid({ requestId, path, fault });
  };
  await answer(1, "/home/user/Shared");
  await until("it to be mounted", () => folder.report.mount.state === "read-write", 5000, 5);
  viewer[Symbol.dispose]();
  await answer(2, "", "mount.failed: /home/user/Shared is mounted still");
  await until("that to fail", () => folder.report.mount.state === "failed", 5000, 5);
  expect(await knock(port)).toBe("ECONNRESET");
  clock.advance(10_000);
  await answer(3, "");
  await until("the address to be free", async () => (await knock(port)) === "ECONNREFUSED", 5000, 5);
});

test("what a session has left mounted keeps the address until it is gone", async () => {
  const clock = new ManualClock();
  const { folder, dir, port } = await served(undefined, clock);
  const session = new Session();
  folder.attach(USER, session);
  const viewer = await viewerAt(dir.join("port"));
  const { requestId } = await session.demand(1);
  mounts.push("/home/user/Shared");
  folder.sessionSaid({ requestId, path: "/home/user/Shared", fault: "" });
  await until("it to be mounted", () => folder.report.mount.state === "read-write", 5000, 5);
  folder.detach();
  expect(await session.demand(2)).toMatchObject({ url: "" });
  viewer[Symbol.dispose]();
  await until("the viewer to be gone", () => folder.report.viewer === "none", 5000, 5);
  await until("its mount to be looked for", () => clock.waiting > 0, 5000, 5);
  expect(await knock(port)).toBe("ECONNRESET");
  mounts.splice(0);
  clock.advance(2000);
  await until("the address to be free", async () => (await knock(port)) === "ECONNREFUSED", 5000, 5);
});

test("a mount that fails while the daemon ends is not tried again", async () => {
  const clock = new ManualClock();
  const { folder, dir } = await served(undefined, clock);
  const helper = await helperAt(dir.join("mount"));
  const viewer = await viewerAt(dir.join("port"));
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  await until("a mount to be asked for", () => helper.asked.length === 1, 5000, 5);
  const ended = folder[Symbol.asyncDispose]();
  helper.answer({ error: { code: "mount.failed", detail: "too late" } });
  await ended;
  expect(clock.waiting).toBe(0);
});

test("time jumps while the viewer is being asked already: one that answers anything keeps its port", async () => {
  const clock = new ManualClock();
  const { folder, dir, port } = await served(undefined, clock);
  folder.attach(USER, new Session());
  let isMute = false;
  let cut = 0;
  const viewer = await viewerAt(
    dir.join("port"),
    () => !isMute,
    () => {
      cut += 1;
    },
  );
  held.push({ [Symbol.asyncDispose]: async () => viewer[Symbol.dispose]() });
  await until("it to be served", () => folder.report.listening.length > 0, 5000, 5);
  isMute = true;
  const client = connect(port, "127.0.0.1").on("error", () => {});
  held.push({ [Symbol.asyncDispose]: async () => void client.destroy() });
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("it to be passed on", () => viewer.asked.some((line) => line.startsWith("GET")), 5000, 5);
  clock.advance(1500);
  await until("the viewer to be provoked", () => viewer.asked.at(-1)?.startsWith("OPTIONS") === true, 5000, 5);
  isMute = false;
  const before = viewer.asked.length;
  folder.beginAnew();
  await until("it to be asked anew", () => viewer.asked.length > before, 5000, 5);
  await sleep(50);
  clock.advance(2000);
  await sleep(50);
  expect(cut).toBe(0);
  isMute = true;
  folder.beginAnew();
  await sleep(50);
  clock.advance(2000);
  await until("a mute one to be cut", () => cut === 1, 5000, 5);
});
