// What a notification server says at moments at which no real one says it twice; daily life is in the integration tests.
import { afterEach, beforeEach, expect, test } from "vitest";
import { TransferNotice } from "../../../../src/desktop/downloads/transfer-notice.ts";
import { noProgress } from "../../../../src/features/transfer-progress.ts";
import { MessageBus } from "../../../../src/support/bus/message-bus.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { type FakeConnection, fakeBus, settled } from "../../support/bus/fake-connection.ts";

const NAME = "org.freedesktop.Notifications";
const SERVER = { sender: ":1.5", path: "/org/freedesktop/Notifications", interface: NAME };

let did: string[];
let notice: TransferNotice;
let connection: FakeConnection;

beforeEach(async () => {
  did = [];
  const clock = new ManualClock();
  const { log } = recordingLog();
  const fake = fakeBus(() => clock.nowMs());
  notice = new TransferNotice({
    bus: new MessageBus({ address: "unix:path=/b", clock, log, connect: fake.connect }),
    clock,
    log,
    cancel: () => did.push("cancel"),
    openFolder: () => did.push("open"),
    over: () => did.push("over"),
  });
  notice.finish({ ...noProgress(0), saved: 1, lastName: "a.txt" }, "Downloads");
  await settled();
  connection = fake.connections[0] as FakeConnection;
  connection.answer("GetCapabilities", ["actions"]);
  await settled();
  connection.answer("GetNameOwner", SERVER.sender);
  await settled();
  expect(connection.calls.at(-1)?.member).toBe("Notify");
});

afterEach(async () => {
  await notice[Symbol.asyncDispose]();
});

test("a button that is pressed in the same moment as the number is told does what it says", async () => {
  connection.answer("Notify", 7);
  connection.handlers.signal({ ...SERVER, member: "ActionInvoked", body: [7, "open"] });
  await settled();
  expect(did).toEqual(["open"]);
});

test("closed in that moment, it is over", async () => {
  connection.answer("Notify", 7);
  connection.handlers.signal({ ...SERVER, member: "NotificationClosed", body: [7, 2] });
  await settled();
  expect(did).toEqual(["over"]);
});

test("another program's button and a stranger's signal do nothing", async () => {
  connection.answer("Notify", 7);
  connection.handlers.signal({ ...SERVER, member: "ActionInvoked", body: [6, "open"] });
  connection.handlers.signal({ ...SERVER, sender: ":1.6", member: "ActionInvoked", body: [7, "open"] });
  await settled();
  expect(did).toEqual([]);
});
