// What the desktop shows of files that come: a server that is played, a real one (dunst), and none at all.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Agent, startAgent } from "./peers/agent.ts";
import { FakeNotifications, type Notification } from "./peers/fake-notifications.ts";
import { TestBus } from "./peers/message-bus.ts";
import { startProcess } from "./peers/processes.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const MIB = 1024 * 1024;
/** Enough to be under way for some seconds. */
const LARGE_BYTES = 2048 * MIB;
/** Xspice passes a viewer's cancelling on at once, or after 11 s. */
const SOON_MS = 30_000;

let dir: TempDir;
let bus: TestBus;
let xspice: Xspice;
let viewer: SpiceClient;
let agent: Agent;

beforeEach(async () => {
  dir = makeTempDir("files-notice");
  mkdirSync(dir.join("saved dir"));
  bus = await TestBus.start();
  xspice = await startXspice();
  viewer = await SpiceClient.start();
  await viewer.connect(xspice.spicePort);
  const where = ["--port", xspice.portPath, "--uinput", `fifo:${xspice.fifoPath}`, "--display", xspice.display];
  const env = { DBUS_SESSION_BUS_ADDRESS: bus.address };
  agent = await startAgent(["run", ...where, "--save-dir", dir.join("saved dir")], { env });
  await viewer.waitForAgent();
});

afterEach(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await agent?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  await bus?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

function file(name: string, bytes: number): string {
  const path = dir.join(name);
  writeFileSync(path, "");
  truncateSync(path, bytes);
  return path;
}

const saved = (): string[] => readdirSync(dir.join("saved dir")).sort();

async function last(server: FakeNotifications, title: RegExp): Promise<Notification> {
  await until(`a notification ${title}`, () => title.test(server.all.at(-1)?.title ?? ""), SOON_MS);
  return server.all.at(-1) as Notification;
}

describe("with a notification server", () => {
  test("a small file is told of when it is there, by its name, with a button that shows the folder", async () => {
    await using server = await FakeNotifications.start(bus.address);
    await viewer.dropAndWait([file("<b>a&\n.txt", 10)]);
    const told = await last(server, /File received/);
    expect(server.all.length).toBe(1);
    expect(told).toMatchObject({
      replaces: 0,
      title: "File received",
      body: "&lt;b&gt;a&amp;\ufffd.txt",
      actions: ["open", "Open folder"],
      hints: { category: "transfer.complete" },
    });
    server.press(told.id, "open");
    await until("the folder to be shown", () => server.shown.length === 1, SOON_MS);
    expect(server.shown).toEqual([`file://${dir.join("saved%20dir")}`]);
  });

  test("many are one notification, and what failed is told with its reason", async () => {
    await using server = await FakeNotifications.start(bus.address);
    const files = Array.from({ length: 50 }, (_, index) => file(`${index}.txt`, 1000));
    await viewer.dropAndWait([...files, file("large", 2 ** 43)]);
    const told = await last(server, /received/);
    expect(new Set(server.all.map(({ id }) => id)).size).toBe(1);
    expect(told).toMatchObject({
      title: "50 files received",
      body: `50.0 kB in ${dir.join("saved dir")}\n1 failed: not enough space`,
      hints: { category: "transfer.error" },
    });
  });

  test("while it takes long, the same notification says how far it is, and its button stops all of them", async () => {
    await using server = await FakeNotifications.start(bus.address);
    await viewer.drop([file("a.bin", LARGE_BYTES), file("b.bin", LARGE_BYTES)]);
    const percents = (): number[] => server.all.map(({ hints }) => Number(hints.value));
    await until("some progress", () => percents().some((percent) => percent > 0) && server.all.length >= 3, SOON_MS);
    const [first, second, third] = server.all;
    expect(first).toMatchObject({ replaces: 0, title: "Receiving 2 files", actions: ["cancel", "Cancel"], expire: 0 });
    expect([second?.replaces, third?.replaces]).toEqual([first?.id, first?.id]);
    expect(third?.body).toMatch(/^[\d.]+ MB of 4.3 GB, file 1 of 2, \d+ (s|min) left$/);
    server.press(first?.id ?? 0, "cancel");
    await until("both to be over", () => viewer.events.all("file-finished").length === 2, SOON_MS);
    for (const { error } of viewer.events.all("file-finished")) expect(error).toMatch(/cancelled/);
    expect((await last(server, /No file received/)).body).toBe("2 failed: cancelled");
    expect(saved()).toEqual([]);
  });

  test("closed by its user it does not come back before the end", async () => {
    await using server = await FakeNotifications.start(bus.address);
    await viewer.drop([file("a.bin", LARGE_BYTES)]);
    await until("it to be shown", () => server.all.length === 1, SOON_MS);
    server.close(1);
    await sleep(2500);
    expect(server.all.length).toBe(1);
    await viewer.cancelDrops();
    expect(await last(server, /No file received/)).toMatchObject({ replaces: 0 });
  });
});

test("without a notification server, and without a bus, files arrive all the same", async () => {
  await viewer.dropAndWait([file("a.txt", 10)]);
  await agent.untilLogged(/files: no notification: bus.refused/);
  await bus.kill();
  await viewer.dropAndWait([file("b.txt", 10)]);
  await agent.untilLogged(/files: no notification: bus.(unreachable|lost)/);
  await bus.restart();
  await using server = await FakeNotifications.start(bus.address);
  await viewer.dropAndWait([file("c.txt", 10)]);
  await last(server, /File received/);
  expect(saved()).toEqual(["a.txt", "b.txt", "c.txt"]);
});

test("a real server shows it, and passes its button's press on", async () => {
  const env = { DISPLAY: xspice.display, DBUS_SESSION_BUS_ADDRESS: bus.address, HOME: dir.path };
  await using _dunst = await startProcess("dunst", ["-conf", "/dev/null"], { env });
  const control = (...args: string[]): string =>
    spawnSync("dunstctl", args, { env: { ...process.env, ...env } }).stdout.toString();
  await until("dunst", () => control("count", "displayed").trim() === "0", SOON_MS);
  await viewer.drop([file("a.bin", LARGE_BYTES)]);
  await until("it to be shown", () => control("count", "displayed").trim() === "1", SOON_MS);
  control("action", "0");
  const { error } = await viewer.waitFor("file-finished", undefined, { timeoutMs: SOON_MS });
  expect(error).toMatch(/cancelled/);
});
