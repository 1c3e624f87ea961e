// Row 98: the viewer's folder is found by mDNS while it is served, through a real Avahi.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MessageBus } from "../../src/support/bus/message-bus.ts";
import { systemClock } from "../../src/support/clock.ts";
import { Announcement } from "../../src/system/shared-folder/announcement.ts";
import type { ListenAddress } from "../../src/system/shared-folder/dav-proxy.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { Avahi } from "./peers/avahi.ts";
import { startChezdav } from "./peers/chezdav.ts";
import { TestBus } from "./peers/message-bus.ts";
import { serveFolder } from "./peers/shared-folder.ts";
import { until } from "./peers/until.ts";

const TYPE = "_webdav._tcp";
const NAME = "Spice client folder";
/** Avahi probes for a second before a name is its own. */
const PROBED_MS = 10_000;

let bus: TestBus;
const held: AsyncDisposable[] = [];
beforeEach(async () => {
  bus = await TestBus.start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const resource of held.splice(0).reverse()) await resource[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
});

function hold<T extends AsyncDisposable>(resource: T): T {
  held.push(resource);
  return resource;
}

const at = (port: number, host = "127.0.0.1"): ListenAddress => ({ host, port });

function announcement(): { announcement: Announcement; lines: readonly string[] } {
  const { log, lines } = recordingLog();
  const own = new MessageBus({ address: bus.address, clock: systemClock, log });
  return { announcement: hold(new Announcement(own, systemClock, log)), lines };
}

const untilAnnounced = (of: Announcement, name: string): Promise<unknown> =>
  until(`to be announced as ${name}`, () => of.report.name === name, PROBED_MS);

test("row 98: it is found at its port of the loopback while it is served, and not after", async () => {
  const avahi = hold(await Avahi.start(bus));
  const { announcement: folder, lines } = announcement();
  folder.set([at(9843), at(9843, "::1")]);
  await untilAnnounced(folder, NAME);
  expect(folder.report.fault).toBeNull();
  const [found, ...others] = await avahi.find(TYPE);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ name: NAME, address: "127.0.0.1", port: 9843 });
  expect(found?.text).toContain('"path=/"');
  folder.set([]);
  await until("it to be gone", async () => (await avahi.find(TYPE)).length === 0, PROBED_MS);
  expect(folder.report.name).toBeNull();
  folder.set([at(9843), at(9843, "::1")]);
  await untilAnnounced(folder, NAME);
  expect(lines.filter((line) => line.startsWith("warn"))).toEqual([]);
});

test("where the name is taken, it has a number", async () => {
  const avahi = hold(await Avahi.start(bus));
  const first = announcement().announcement;
  first.set([at(9843)]);
  await untilAnnounced(first, NAME);
  const second = announcement().announcement;
  // The first of its addresses that the name leads to.
  second.set([at(9845, "127.0.0.2"), at(9844), at(9846)]);
  await untilAnnounced(second, `${NAME} #2`);
  const ports = (await avahi.find(TYPE)).map(({ name, port }) => `${name}: ${port}`);
  expect(ports.sort()).toEqual([`${NAME} #2: 9844`, `${NAME}: 9843`]);
});

test("where only other addresses are served, it is not announced, and `status` says why", async () => {
  const avahi = hold(await Avahi.start(bus));
  const { announcement: folder } = announcement();
  folder.set([at(9843, "127.0.0.2")]);
  await until("the reason", () => folder.report.fault?.startsWith("mdns.no-address") === true, PROBED_MS);
  expect(await avahi.find(TYPE)).toEqual([]);
});

test("row 98: without Avahi it waits for it without a word, and comes back with it and with the bus", async () => {
  const { announcement: folder, lines } = announcement();
  folder.set([at(9843), at(9843, "::1")]);
  expect(folder.report).toEqual({ name: null, fault: "Avahi does not run" });
  const first = await Avahi.start(bus);
  await untilAnnounced(folder, NAME);
  expect(lines.filter((line) => line.startsWith("warn"))).toEqual([]);
  await first[Symbol.asyncDispose]();
  await until("Avahi to be missed", () => folder.report.fault === "Avahi does not run", PROBED_MS);
  expect(folder.report.name).toBeNull();
  const second = await Avahi.start(bus);
  await untilAnnounced(folder, NAME);
  await second[Symbol.asyncDispose]();
  await bus.kill();
  await bus.restart();
  hold(await Avahi.start(bus));
  await untilAnnounced(folder, NAME);
});

test("the folder of a viewer is announced as long as it is served", async () => {
  vi.stubEnv("DBUS_SYSTEM_BUS_ADDRESS", bus.address);
  const avahi = hold(await Avahi.start(bus));
  const viewer = hold(await startChezdav());
  const { folder, host, port, untilListening } = hold(await serveFolder(viewer.port, { announce: true }));
  const announced = (): boolean => folder.report.announced?.name === NAME;
  await until("the folder to be announced", announced, PROBED_MS);
  expect(await avahi.find(TYPE)).toMatchObject([{ name: NAME, port }]);
  await host.leave();
  await until("it to be gone", async () => (await avahi.find(TYPE)).length === 0, PROBED_MS);
  expect(folder.report.announced).toBeNull();
  await host.comeBack();
  await untilListening();
  await until("the folder to be announced", announced, PROBED_MS);
});
