// From the bytes of a host to files on the disk: the daemon's half, the link, and the session's part that saves.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SessionFiles } from "../../../src/programs/session-files.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { AgentMessageType, ChunkPort, FileXferStatus as Status } from "../../../src/wire/agent-constants.ts";
import { encodeChunk } from "../../../src/wire/agent-frame.ts";
import type { FileXferStatus } from "../../../src/wire/file-xfer-status.ts";
import { type DaemonUnderTest, daemonUnderTest, settled } from "../../fakes/daemon.ts";
import type { FakeHost } from "../../fakes/fake-host.ts";
import { recordingLog } from "../../fakes/recording-log.ts";

let folder: string;
let daemon: DaemonUnderTest;
let host: FakeHost;
let files: SessionFiles;
let sessionLog: readonly string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "saved-"));
  daemon = await daemonUnderTest();
  host = await daemon.host();
  await host.connectViewer();
  useFiles({});
});

afterEach(async () => {
  await files[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function useFiles({ enabled = true, saveDir = folder }): void {
  const { log, lines } = recordingLog();
  sessionLog = lines;
  files = new SessionFiles({
    settings: { enabled, saveDir, openFolder: false },
    clock: systemClock,
    log,
    openBus: async () => undefined,
    folderKnown: () => {},
  });
  files.attach(daemon.session.link);
  daemon.session.onMessage = (message) => {
    switch (message.kind) {
      case "file-start":
      case "file-body":
      case "file-cancelled":
      case "file-queue":
      case "file-transfer-disabled":
        return files.daemonSaid(message);
      case "viewer-left":
        return files.viewerLeft();
      default:
    }
  };
}

function start(id: number, name: string, size: number | bigint): void {
  host.send({ name: "FILE_XFER_START", value: { id, name, size: BigInt(size) } });
}

function sends(id: number, data: Uint8Array, claimed = data.length): void {
  host.send({ name: "FILE_XFER_DATA", value: { id, size: BigInt(claimed) } }, { data });
}

async function told(): Promise<FileXferStatus> {
  return (await host.next("FILE_XFER_STATUS")).value;
}

/** As spice-gtk does it. */
async function drop(id: number, name: string, content: Buffer): Promise<FileXferStatus> {
  start(id, name, content.length);
  const first = await told();
  if (first.result !== Status.CAN_SEND_DATA) return first;
  for (let at = 0; at === 0 || at < content.length; at += 65536) sends(id, content.subarray(at, at + 65536));
  return told();
}

const here = (): string[] => readdirSync(folder).sort();

/** How many of its files this process has open. */
const openFiles = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      // That of the folder that is being listed.
      return false;
    }
  }).length;

describe("rows 65, 66: a file is saved as it came", () => {
  test.each([0, 1, 65535, 65536, 65537, 1_000_003])("%i bytes", async (bytes) => {
    const content = Buffer.alloc(bytes, "some content, ");
    expect(await drop(1, "a.bin", content)).toEqual({ id: 1, result: Status.SUCCESS });
    expect(readFileSync(join(folder, "a.bin")).equals(content)).toBe(true);
    expect(openFiles()).toBe(0);
  });
});

test("nothing of it is in the folder before all of it is there", async () => {
  start(1, "a.bin", 20);
  await told();
  sends(1, Buffer.alloc(10));
  await settled();
  expect(here()).toEqual([]);
  sends(1, Buffer.alloc(10));
  expect((await told()).result).toBe(Status.SUCCESS);
  expect(here()).toEqual(["a.bin"]);
});

test("row 67: nothing is overwritten; the 64th of a name is refused", async () => {
  writeFileSync(join(folder, "a.txt"), "mine");
  symlinkSync("/etc/passwd", join(folder, "b.txt"));
  mkdirSync(join(folder, "c.txt"));
  for (let id = 1; id <= 63; id += 1)
    expect((await drop(id, "a.txt", Buffer.from(`${id}`))).result).toBe(Status.SUCCESS);
  expect(await drop(64, "a.txt", Buffer.from("64"))).toEqual({ id: 64, result: Status.ERROR, gioError: 2 });
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("mine");
  expect(readFileSync(join(folder, "a (63).txt"), "utf8")).toBe("63");
  await drop(65, "b.txt", Buffer.from("b"));
  await drop(66, "c.txt", Buffer.from("c"));
  expect([readFileSync(join(folder, "b (1).txt"), "utf8"), readFileSync(join(folder, "c (1).txt"), "utf8")]).toEqual([
    "b",
    "c",
  ]);
});

describe("row 68: folders in the name", () => {
  test("are made", async () => {
    expect((await drop(1, "x/y/a.txt", Buffer.from("1"))).result).toBe(Status.SUCCESS);
    expect((await drop(2, "x/y/b.txt", Buffer.from("2"))).result).toBe(Status.SUCCESS);
    expect(readdirSync(join(folder, "x/y"))).toEqual(["a.txt", "b.txt"]);
  });

  test.each([
    ["a link that leads out", (at: string) => symlinkSync("/tmp", at)],
    ["a link that stays", (at: string) => symlinkSync(".", at)],
    ["a link to nothing", (at: string) => symlinkSync("nowhere", at)],
    ["a file", (at: string) => writeFileSync(at, "")],
  ])("%s in the way is not followed", async (_, make) => {
    make(join(folder, "x"));
    expect(await drop(1, "x/a.txt", Buffer.from("1"))).toEqual({ id: 1, result: Status.ERROR, gioError: 4 });
    expect(here()).toEqual(["x"]);
    expect(existsSync("/tmp/a.txt")).toBe(false);
  });
});

test.each(["../x", "/etc/x", "", "a\0b", "a/../../x"])(
  "row 69: %j is refused, and nothing is written",
  async (name) => {
    start(1, name, 1);
    // What a key file cannot hold does not even come that far.
    expect(await told()).toEqual({ id: 1, result: Status.ERROR, gioError: name.includes("\0") ? 0 : 10 });
    expect(here()).toEqual([]);
  },
);

test("a start without a key file is answered", async () => {
  const body = Buffer.from("\x07\0\0\0no key file\0");
  const header = Buffer.alloc(20);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(AgentMessageType.FILE_XFER_START, 4);
  header.writeUInt32LE(body.length, 16);
  host.raw(encodeChunk(ChunkPort.CLIENT, Buffer.concat([header, body])));
  expect(await told()).toEqual({ id: 7, result: Status.ERROR, gioError: 0 });
});

test("row 70: more than there is room for is refused with what there is", async () => {
  start(1, "a", 2n ** 60n);
  const { result, freeBytes = 0n } = await told();
  expect([result, freeBytes > 0n, freeBytes < 2n ** 60n]).toEqual([Status.NOT_ENOUGH_SPACE, true, true]);
  host.disconnectViewer();
  await host.connectViewer([0]);
  start(1, "a", 2n ** 60n);
  expect(await told()).toEqual({ id: 1, result: Status.ERROR });
});

test("row 71: switched off by the user", async () => {
  await files[Symbol.asyncDispose]();
  useFiles({ enabled: false });
  start(1, "a", 1);
  expect(await told()).toEqual({ id: 1, result: Status.DISABLED });
});

test("row 72: a thousand at once arrive", async () => {
  for (let id = 1; id <= 1000; id += 1) start(id, `${id}.txt`, 3);
  let over = 0;
  while (over < 1000) {
    const { id, result } = await told();
    if (result === Status.CAN_SEND_DATA) sends(id, Buffer.from("abc"));
    else over += 1;
    expect(result === Status.CAN_SEND_DATA || result === Status.SUCCESS).toBe(true);
  }
  expect(here().length).toBe(1000);
  expect(daemon.daemon.status.files).toEqual({ underWay: 0, waiting: 0, saved: 1000, failed: {} });
});

describe("nothing is left of a file that is not whole", () => {
  /** Half of it has come. */
  async function half(): Promise<void> {
    start(1, "a", 200_000);
    await told();
    sends(1, Buffer.alloc(65536));
    sends(1, Buffer.alloc(34464));
    await settled(50);
    expect(openFiles()).toBeGreaterThan(0);
  }

  async function gone(): Promise<void> {
    for (let tries = 0; tries < 200 && openFiles() > 0; tries += 1) await new Promise((done) => setTimeout(done, 10));
    expect([openFiles(), here()]).toEqual([0, []]);
  }

  test("row 74: the viewer cancels", async () => {
    await half();
    host.send({ name: "FILE_XFER_STATUS", value: { id: 1, result: Status.CANCELLED } });
    await gone();
    expect(host.unread.filter(({ name }) => name === "FILE_XFER_STATUS")).toEqual([]);
  });

  test("row 77: the viewer leaves", async () => {
    await half();
    host.disconnectViewer();
    await gone();
  });

  test("row 77: the port is lost", async () => {
    await half();
    host.close();
    await gone();
  });

  test("the daemon is lost", async () => {
    await half();
    files.detach();
    await gone();
  });

  test("row 75: more comes than was announced", async () => {
    await half();
    sends(1, Buffer.alloc(100_001));
    expect(await told()).toEqual({ id: 1, result: Status.ERROR, gioError: 0 });
    await gone();
  });

  test("row 75: the size in a message is a lie", async () => {
    await half();
    sends(1, Buffer.alloc(10), 100_000);
    expect(await told()).toEqual({ id: 1, result: Status.ERROR, gioError: 0 });
    await gone();
    // Others are not harmed.
    expect((await drop(2, "b", Buffer.alloc(5))).result).toBe(Status.SUCCESS);
    rmSync(join(folder, "b"));
  });

  test("row 79: after the last word there is none", async () => {
    await half();
    sends(1, Buffer.alloc(200_000));
    await told();
    host.send({ name: "FILE_XFER_STATUS", value: { id: 1, result: Status.ERROR } });
    sends(1, Buffer.alloc(10));
    await settled(50);
    expect(host.unread.filter(({ name }) => name === "FILE_XFER_STATUS")).toEqual([]);
  });
});

test("row 73: the first of an id is not harmed by the second", async () => {
  start(1, "first", 3);
  expect((await told()).result).toBe(Status.CAN_SEND_DATA);
  start(1, "second", 3);
  expect(await told()).toEqual({ id: 1, result: Status.ERROR, gioError: 2 });
  sends(1, Buffer.from("abc"));
  expect((await told()).result).toBe(Status.SUCCESS);
  expect(here()).toEqual(["first"]);
});

test("tens of thousands that are cancelled at once: each is told, on the port that was open", async () => {
  const many = 40_000;
  daemon.session.onMessage = () => {};
  for (let id = 1; id <= many; id += 1) {
    start(id, `${id}`, 5);
    if (id % 500 === 0) await settled(2);
  }
  await settled(50);
  const isStatus = ({ name }: { readonly name: string }): boolean => name === "FILE_XFER_STATUS";
  const begun = host.messages.filter(isStatus).length;
  daemon.session.link.send({ kind: "files-cancel" });
  for (let pause = 0; pause < 2 * (many / 500); pause += 1) {
    await settled(5);
    daemon.clock.advance(20);
  }
  expect(host.messages.filter(isStatus).length - begun).toBe(many);
  expect(daemon.openings).toBe(1);
});

test("a folder that is missing is made, and one that cannot be is told", async () => {
  await files[Symbol.asyncDispose]();
  useFiles({ saveDir: join(folder, "new/one") });
  expect((await drop(1, "a", Buffer.from("1"))).result).toBe(Status.SUCCESS);
  expect(readFileSync(join(folder, "new/one/a"), "utf8")).toBe("1");
  await files[Symbol.asyncDispose]();
  writeFileSync(join(folder, "file"), "");
  useFiles({ saveDir: join(folder, "file/one") });
  expect(await drop(2, "a", Buffer.from("1"))).toEqual({ id: 2, result: Status.ERROR, gioError: 4 });
  expect(sessionLog.some((line) => line.includes("something that is no folder is in the way: ENOTDIR"))).toBe(true);
});

test("no name and no content is in a log", async () => {
  await drop(1, "a-secret-name", Buffer.from("a-secret-content"));
  await drop(2, "../a-secret-name", Buffer.from("a-secret-content"));
  expect([...daemon.logged, ...sessionLog].join("\n")).not.toContain("secret");
});
