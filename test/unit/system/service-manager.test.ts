// What systemd hears of us, at a real datagram socket.
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServiceManager } from "../../../src/system/service-manager.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { type NotifySocket, notifySocket } from "../../fakes/notify-socket.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let folder: TempDir;
let peer: NotifySocket;
let heard = 0;

beforeAll(async () => {
  folder = makeTempDir("notify");
  peer = await notifySocket(folder.join("socket"));
});

afterAll(async () => {
  await peer?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

async function managerIn(env: Record<string, string>) {
  const variables: NodeJS.ProcessEnv = { NOTIFY_SOCKET: folder.join("socket"), HOME: "/", ...env };
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const manager = await ServiceManager.fromEnvironment(variables, { clock, log });
  return { manager, clock, lines, variables };
}

/** The next `count` datagrams, which must be all there are. */
async function received(count: number): Promise<readonly string[]> {
  const all = await peer.untilReceived(heard + count);
  const news = all.slice(heard);
  heard = all.length;
  return news;
}

test("it hears of the start, the state in words, a reload and the end, in this order", async () => {
  const { manager } = await managerIn({});
  manager.ready();
  manager.status("port: open, viewer: none");
  manager.status("port: open, viewer: none");
  const beforeUsec = process.hrtime.bigint() / 1000n;
  manager.reloading();
  manager.ready();
  manager.stopping();
  const messages = await received(5);
  expect(messages.map((text) => text.replace(/\d{4,}/, "#"))).toEqual([
    "READY=1",
    "STATUS=port: open, viewer: none",
    "RELOADING=1\nMONOTONIC_USEC=#",
    "READY=1",
    "STOPPING=1",
  ]);
  const usec = BigInt(/MONOTONIC_USEC=(\d+)/.exec(messages[2] ?? "")?.[1] ?? 0);
  expect(usec).toBeGreaterThanOrEqual(beforeUsec);
  expect(usec).toBeLessThan(beforeUsec + 10_000_000n);
});

test("words from outside cannot say anything else, nor too much", async () => {
  const { manager } = await managerIn({});
  manager.status("a\nREADY=1\r\nb");
  manager.status("€".repeat(5000));
  const [short, long] = await received(2);
  expect(short).toBe("STATUS=a READY=1 b");
  expect(long).toBe(`STATUS=${"€".repeat(1000)}`);
});

test("the watchdog is fed at half of its time, from the first ready to the end", async () => {
  const { manager, clock, lines } = await managerIn({
    WATCHDOG_USEC: "60000000",
    WATCHDOG_PID: String(process.pid),
  });
  clock.advance(100_000);
  expect(clock.waiting).toBe(0);
  manager.ready();
  manager.ready();
  expect(clock.waiting).toBe(1);
  clock.advance(29_999);
  expect(await received(2)).toEqual(["READY=1", "READY=1"]);
  clock.advance(1);
  clock.advance(60_000);
  expect(await received(3)).toEqual(["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
  manager[Symbol.dispose]();
  expect(clock.waiting).toBe(0);
  expect(lines).toEqual([]);
});

test("a watchdog that wants us awake too often is fed all the same, and said to be too tight", async () => {
  const { manager, clock, lines } = await managerIn({ WATCHDOG_USEC: "20000000" });
  manager.ready();
  clock.advance(10_000);
  expect(await received(2)).toEqual(["READY=1", "WATCHDOG=1"]);
  expect(lines).toEqual([
    "warn: watchdog: too tight: 20000 ms wake us every 10000 ms; WatchdogSec=40 or more is kinder",
  ]);
  manager[Symbol.dispose]();
});

test("a watchdog of many weeks is fed no more often than it must be", async () => {
  const { manager, clock } = await managerIn({ WATCHDOG_USEC: "9000000000000000000" });
  manager.ready();
  clock.advance(2 ** 31 - 2);
  expect(await received(1)).toEqual(["READY=1"]);
  clock.advance(1);
  expect(await received(1)).toEqual(["WATCHDOG=1"]);
  manager[Symbol.dispose]();
});

test("a watchdog for another process is not ours to feed", async () => {
  const { manager, clock } = await managerIn({ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" });
  manager.ready();
  expect(clock.waiting).toBe(0);
  expect(await received(1)).toEqual(["READY=1"]);
});

test("no child inherits the variables", async () => {
  const { variables } = await managerIn({ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" });
  expect(variables).toEqual({ HOME: "/" });
});

test("without systemd nothing is said and no timer runs", async () => {
  const { manager, clock, lines } = await managerIn({ NOTIFY_SOCKET: "", WATCHDOG_USEC: "60000000" });
  manager.ready();
  manager.reloading();
  manager.status("well");
  manager.stopping();
  expect([clock.waiting, lines]).toEqual([0, []]);
});

test("a systemd that is gone is a line in the log, and no more", async () => {
  const { manager, lines } = await managerIn({ NOTIFY_SOCKET: folder.join("nobody") });
  manager.ready();
  expect(lines).toEqual(["warn: READY not told: native.failed: sendto: ENOENT"]);
});

test.each([
  ["NOTIFY_SOCKET", "socket", 'NOTIFY_SOCKET="socket": expected is a path or, beginning with @, an abstract name'],
  ["NOTIFY_SOCKET", "@", 'NOTIFY_SOCKET="@": expected is a path or, beginning with @, an abstract name'],
  ["WATCHDOG_USEC", "soon", 'WATCHDOG_USEC="soon": expected is a number of microseconds'],
  ["WATCHDOG_USEC", "0", 'WATCHDOG_USEC="0": expected is a number of microseconds'],
  ["WATCHDOG_PID", "-1", 'WATCHDOG_PID="-1": expected is a process id'],
])("%s=%s is refused with what is allowed", async (name, value, message) => {
  await expect(managerIn({ WATCHDOG_USEC: "60000000", [name]: value })).rejects.toMatchObject({
    name: "ConfigError",
    message,
  });
});
