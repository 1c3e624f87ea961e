// The machine stands still or sleeps: what was said before and after is not lost.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { sleep, until } from "../integration/peers/until.ts";
import type { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import {
  copyBothWays,
  copyIn,
  daemonLog,
  daemonPid,
  md5,
  pasteIn,
  readStatus,
  startViewedGuest,
  targetsIn,
  type ViewedGuest,
  viewerCopies,
} from "./product.ts";
import { pointerPosition } from "./watch.ts";

const TEXT = 1;

let viewed: ViewedGuest;
let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;
let pids: readonly number[];

beforeAll(async () => {
  viewed = await startViewedGuest();
  ({ guest, desktop, viewer } = viewed);
  await works("before");
  pids = await agents();
});

afterAll(async () => {
  await viewed?.[Symbol.asyncDispose]();
});

async function agents(): Promise<readonly number[]> {
  return [await daemonPid(guest), ...(await readStatus(guest)).sessions.map(({ pid }) => pid)];
}

let places = 0;

/** At the first try: copied both ways, and the pointer where the viewer's is. */
async function works(mark: string): Promise<void> {
  await viewer.waitForAgent(10_000);
  await copyBothWays(viewer, desktop, mark);
  places += 1;
  const at = { x: 100 + 50 * places, y: 700 - 30 * places };
  await viewer.position(at.x, at.y);
  const arrived = async (): Promise<boolean> => {
    const { x, y } = await pointerPosition(desktop);
    return Math.abs(x - at.x) <= 1 && Math.abs(y - at.y) <= 1;
  };
  await until(`the pointer to be at ${at.x},${at.y}`, arrived, 10_000, 100);
}

async function untilPasted(text: string): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await targetsIn(desktop)).includes("UTF8_STRING") && (await pasteIn(desktop))?.md5 === md5(text);
  await until(`"${text}" in the desktop`, isThere, 15_000, 200);
}

async function viewerGets(text: string): Promise<void> {
  const same = async (): Promise<boolean> => (await viewer.request(0, TEXT, { timeoutMs: 10_000 })).md5 === md5(text);
  await until(`"${text}" at the viewer`, () => same().catch(() => false), 15_000, 500);
}

test("suspend to RAM and system_wakeup: the port is opened anew, and what was copied before is still on offer", async () => {
  await using _copied = await copyIn(desktop, "copied before the sleep");
  const asked = guest.run(["systemctl", "suspend"], { timeoutMs: 60_000 });
  await guest.qmp.waitFor("SUSPEND", 30_000);
  await viewerCopies(viewer, "marked by the viewer meanwhile", 1);
  await sleep(5000);
  await guest.qmp.wakeup();
  await asked;
  await desktop.untilUp();
  const anew = async (): Promise<boolean> => /port: port.reopened: the machine has slept/.test(await daemonLog(guest));
  await until("the port to be opened anew", anew, 20_000, 250);
  await viewer.waitForAgent(20_000);
  await viewerGets("copied before the sleep");
  await works("after the sleep");
  expect(await agents()).toEqual(pids);
});

test("stop and cont: what the viewer does meanwhile arrives, what was copied before stays", async () => {
  await using _copied = await copyIn(desktop, "copied before the stop");
  await guest.qmp.stop();
  await viewerCopies(viewer, "marked by the viewer meanwhile", 1);
  await viewer.position(333, 222);
  await sleep(10_000);
  await guest.qmp.cont();
  await viewerGets("copied before the stop");
  const marked = async (): Promise<boolean> =>
    (await pasteIn(desktop, "primary"))?.md5 === md5("marked by the viewer meanwhile");
  await until("the viewer's marked text", marked, 15_000, 200);
  await works("after the stop");
  await viewerCopies(viewer, "copied by the viewer");
  await guest.qmp.stop();
  await guest.qmp.cont();
  await untilPasted("copied by the viewer");
  expect(await agents()).toEqual(pids);
});

test("savevm and loadvm: what was copied before the snapshot is on offer again, and all of it works", async () => {
  await using _copied = await copyIn(desktop, "copied before the snapshot");
  await viewerGets("copied before the snapshot");
  await guest.qmp.saveState("before");
  await works("what the guest will know nothing of");
  await guest.qmp.loadState("before");
  await viewer.waitForAgent(10_000);
  await viewerGets("copied before the snapshot");
  await works("after the snapshot");
  expect(await agents()).toEqual(pids);
});
