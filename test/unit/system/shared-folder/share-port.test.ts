// When a port of the viewer's folder is tried, and what that leaves behind: with time that stands still.
import { getEventListeners } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../../../../src/support/clock.ts";
import { portError } from "../../../../src/system/ports/port.ts";
import { SharePort } from "../../../../src/system/shared-folder/share-port.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";
import { sleep, until } from "../../../integration/peers/until.ts";

const system = vi.hoisted(() => ({ opens: 0, cannotWatch: false }));

vi.mock("../../../../src/system/ports/device-line.ts", () => ({
  openDeviceLine: async (path: string) => {
    system.opens += 1;
    throw portError(path, Object.assign(new Error("no such device or address"), { code: "ENXIO" }));
  },
}));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const watch = (path: string) => {
    if (system.cannotWatch) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    return real.watch(path);
  };
  return { ...real, watch };
});

const noHandlers = { hostCame: () => {}, data: () => {}, isHeld: () => false, hostLeft: () => {} };

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("share-port");
  system.opens = 0;
  system.cannotWatch = false;
});
afterEach(() => dir[Symbol.dispose]());

async function listening(path: string): Promise<Disposable> {
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { [Symbol.dispose]: () => server.close() };
}

test("a device that is there but cannot be opened is tried now and then", async () => {
  const clock = new ManualClock();
  await using port = new SharePort("/dev/null", noHandlers, clock, recordingLog().log);
  await port.tried;
  await sleep(30);
  expect(system.opens).toBe(1);
  expect(port.fault?.code).toBe("port.missing");
  for (const [waitMs, opens] of [
    [99, 1],
    [1, 2],
    [199, 2],
    [1, 3],
  ] as const) {
    clock.advance(waitMs);
    await until("it to be tried, and to wait again", () => system.opens >= opens && clock.waiting === 1, 20_000, 2);
    expect(system.opens).toBe(opens);
  }
});

test("a folder that cannot be watched is looked at now and then", async () => {
  system.cannotWatch = true;
  const clock = new ManualClock();
  await using port = new SharePort(dir.join("port"), noHandlers, clock, recordingLog().log);
  await port.tried;
  using _host = await listening(dir.join("port"));
  await sleep(20);
  expect(port.isHeld).toBe(false);
  clock.advance(10_000);
  await until("it to be held", () => port.isHeld, 20_000, 2);
});

test("one that appears in a folder that can be watched is had without waiting", async () => {
  await using port = new SharePort(dir.join("port"), noHandlers, new ManualClock(), recordingLog().log);
  await port.tried;
  using _host = await listening(dir.join("port"));
  await until("it to be held", () => port.isHeld, 20_000, 2);
});

test("a host that only opens and closes is tried less and less often, until it says something", async () => {
  const clock = new ManualClock();
  let opened = 0;
  let firstWords = "";
  const server = createServer((socket) => {
    opened += 1;
    socket.on("error", () => {}).end(firstWords);
  });
  await new Promise<void>((resolve) => server.listen(dir.join("port"), resolve));
  using _host = { [Symbol.dispose]: () => void server.close() };
  const heard: string[] = [];
  const handlers = { ...noHandlers, data: (bytes: Uint8Array) => void heard.push(String(bytes)) };
  await using port = new SharePort(dir.join("port"), handlers, clock, recordingLog().log);
  const isLost = async (lives: number): Promise<void> => {
    await until(`life ${lives}`, () => opened === lives && !port.isHeld && clock.waiting > 0, 2000, 2);
  };
  for (const [lives, waitMs] of [
    [1, 100],
    [2, 200],
    [3, 400],
  ] as const) {
    await isLost(lives);
    expect(port.fault?.code).toBe("port.hung-up");
    clock.advance(waitMs - 1);
    await sleep(10);
    expect(opened).toBe(lives);
    if (lives === 3) firstWords = "here";
    clock.advance(1);
  }
  await isLost(4);
  expect(heard).toHaveLength(1);
  clock.advance(100);
  await isLost(5);
});

test("its many lives leave nothing behind", async () => {
  const add = vi.spyOn(AbortSignal.prototype, "addEventListener");
  using _host = await listening(dir.join("port"));
  await using port = new SharePort(dir.join("port"), noHandlers, systemClock, recordingLog().log);
  for (let life = 0; life < 3; life += 1) {
    await until("it to be held", () => port.isHeld, 20_000, 2);
    port.beginAnew();
    await until("it to be let go", () => !port.isHeld, 2000, 1);
  }
  await until("it to be held", () => port.isHeld, 20_000, 2);
  const signals = new Set(add.mock.contexts.filter((context) => context instanceof AbortSignal));
  add.mockRestore();
  const most = Math.max(...[...signals].map((signal) => getEventListeners(signal, "abort").length));
  expect(most).toBeLessThanOrEqual(1);
  rmSync(dir.join("port"));
});
