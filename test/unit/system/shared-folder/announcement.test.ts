// An Avahi that says what the test says: failures that it tells at once, and those that it tells later.
import { beforeEach, expect, test } from "vitest";
import type { BusCall, BusSignal } from "../../../../src/support/bus/bus-connection.ts";
import { BusRefusal } from "../../../../src/support/bus/pending-call.ts";
import { Announcement, type AnnouncementBus } from "../../../../src/system/shared-folder/announcement.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { settled } from "../../support/bus/fake-connection.ts";

const ESTABLISHED = 2;
const FAILURE = 4;

let clock: ManualClock;
let calls: BusCall[];
let groups: number;
let refuses: boolean;
let tell: (signal: BusSignal) => void;
let announcement: Announcement;

beforeEach(async () => {
  clock = new ManualClock();
  calls = [];
  groups = 0;
  refuses = false;
  const bus: AnnouncementBus = {
    call: async (call) => {
      calls.push(call);
      if (refuses) throw new BusRefusal(call, "org.freedesktop.Avahi.TooManyObjectsError", "no");
      return call.member === "EntryGroupNew" ? [`/group${++groups}`] : [];
    },
    subscribe: (_, listener) => {
      tell = listener;
      return { [Symbol.dispose]: () => {} };
    },
    watchName: (_, listener) => {
      queueMicrotask(() => listener(":1.5"));
      return { [Symbol.dispose]: () => {} };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  announcement = new Announcement(bus, clock, recordingLog().log);
  await settled();
});

const state = async (value: number, why = ""): Promise<void> => {
  const path = `/group${groups}`;
  tell({
    sender: ":1.5",
    path,
    interface: "org.freedesktop.Avahi.EntryGroup",
    member: "StateChanged",
    body: [value, why],
  });
  await settled();
};
const pass = async (ms: number): Promise<void> => {
  clock.advance(ms);
  await settled();
};
/** Interface, protocol, flags, name, type, domain, host, port. */
const added = (): unknown[] =>
  calls.filter(({ member }) => member === "AddService").map(({ body }) => body?.slice(0, 8));
const NAME = "Spice client folder";
const V4 = { host: "127.0.0.1", port: 9843 };
const V6 = { host: "::1", port: 9843 };

test("a failure that is told later is tried again after 1, 2, 4 s, and is over with a success", async () => {
  announcement.set([V4]);
  await settled();
  for (const [tries, pauseMs] of [1000, 2000, 4000].entries()) {
    await state(FAILURE, "no network");
    expect(announcement.report).toEqual({ name: null, fault: "mdns.failed: Avahi: no network" });
    await pass(pauseMs - 1);
    expect(groups).toBe(tries + 1);
    await pass(1);
    expect(groups).toBe(tries + 2);
  }
  // What has failed is given back.
  expect(calls.filter(({ member }) => member === "Free")).toHaveLength(3);
  await state(ESTABLISHED);
  expect(announcement.report).toEqual({ name: NAME, fault: null });
  await state(FAILURE, "again");
  await pass(1000);
  expect(groups).toBe(5);
});

test("a refusal is tried again, too, after a minute at most; not when the folder is gone", async () => {
  refuses = true;
  announcement.set([V4]);
  await settled();
  for (let n = 0; n < 10; n++) await pass(60_000);
  const tries = calls.length;
  expect(tries).toBeGreaterThan(10);
  announcement.set([]);
  await pass(120_000);
  expect(calls).toHaveLength(tries);
  expect(clock.waiting).toBe(0);
});

test.each([
  [[V4, V6], -1, 9843],
  [[V4], 0, 9843],
  [[V6], 1, 9843],
  [[{ host: "127.0.0.2", port: 1 }, V6, { host: "127.0.0.1", port: 2 }], 1, 9843],
])("served at %j it is announced for protocol %i", async (addresses, protocol, port) => {
  announcement.set(addresses);
  await settled();
  expect(added()).toEqual([[1, protocol, 0, NAME, "_webdav._tcp", "", "", port]]);
});

test("served where the loopback's name does not lead, it is not announced, and not tried again", async () => {
  announcement.set([{ host: "127.0.0.2", port: 9843 }]);
  await settled();
  expect(announcement.report.fault).toBe("mdns.no-address: it is served neither at 127.0.0.1 nor at ::1");
  expect(added()).toEqual([]);
  expect(clock.waiting).toBe(0);
});
