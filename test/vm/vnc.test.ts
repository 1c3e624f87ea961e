// QEMU's own agent end: a VNC viewer copies, pastes, moves and clicks, and no SPICE is there at all.
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../integration/peers/until.ts";
import type { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import {
  complaints,
  copyIn,
  daemonLog,
  daemonPid,
  md5,
  pasteIn,
  startDesktopGuest,
  targetsIn,
  textOf,
} from "./product.ts";
import { VncViewer } from "./vnc-viewer.ts";
import { openPointerWindow, pointerPosition } from "./watch.ts";

let guest: Guest;
let desktop: Desktop;
let viewer: VncViewer;

beforeAll(async () => {
  ({ guest, desktop } = await startDesktopGuest({ graphics: "virtio-gpu", host: "qemu-vdagent" }, { log: "debug" }));
  viewer = await VncViewer.start(guest.vncSocket);
});

afterAll(async () => {
  console.log((await daemonLog(guest)).slice(-6000));
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
});

async function fromGuest(text: string): Promise<void> {
  await using _copied = await copyIn(desktop, text);
  await until("the guest's text at the viewer", async () => (await viewer.pastes())?.md5 === md5(text), 20_000, 200);
}

/**
 * The protocol of VNC has CR LF for the end of a line and a NUL for the end of the text, and QEMU 7.2 hands both on as if
 * they were text.
 */
const asQemuHands = (text: string): string => `${text.replaceAll("\n", "\r\n")}\0`;

async function fromViewer(text: string): Promise<void> {
  await using _copied = await viewer.copies(text);
  const isThere = async (): Promise<boolean> =>
    (await targetsIn(desktop)).includes("UTF8_STRING") && (await pasteIn(desktop))?.md5 === md5(asQemuHands(text));
  await until("the viewer's text in the guest", isThere, 20_000, 200);
}

test.each([
  ["a few characters of every length", "ž漢字😀"],
  // TigerVNC takes no more from its own desktop (MaxCutText).
  ["200 KiB", textOf(200 * 1024).toString()],
])("text is copied both ways: %s", async (_, text) => {
  await fromGuest(`${text} from the guest`);
  await fromViewer(`${text} from the viewer`);
});

test("again and again, each side in turn", async () => {
  for (let n = 1; n <= 5; n++) {
    await fromGuest(`the guest's ${n}`);
    await fromViewer(`the viewer's ${n}`);
  }
});

test("the pointer is where the viewer's is, and clicks", async () => {
  await using window = await openPointerWindow(desktop);
  const at = { x: window.area.x + 123, y: window.area.y + 77 };
  await viewer.moveTo(at.x, at.y);
  let seen = { x: -1, y: -1 };
  const arrived = async (): Promise<boolean> => {
    seen = await pointerPosition(desktop);
    return Math.abs(seen.x - at.x) <= 1 && Math.abs(seen.y - at.y) <= 1;
  };
  await until(`the pointer to be at ${at.x},${at.y}`, arrived, 10_000, 100).catch((error: unknown) => {
    throw new Error(`${error}: it is at ${seen.x},${seen.y}`, { cause: error });
  });
  await viewer.click(1);
  const clicks = async (): Promise<string[]> =>
    (await window.events()).filter(({ kind }) => kind !== "motion").map(({ kind, button }) => `${kind} ${button}`);
  await until("the click", async () => (await clicks()).length === 2, 10_000, 100);
  expect(await clicks()).toEqual(["press 1", "release 1"]);
});

test("a viewer that leaves, and another that comes, find everything at work", async () => {
  const pid = await daemonPid(guest);
  await viewer[Symbol.asyncDispose]();
  viewer = await VncViewer.start(guest.vncSocket);
  await fromGuest("for the second viewer");
  await fromViewer("from the second viewer");
  expect(await daemonPid(guest)).toBe(pid);
  expect(await complaints(guest)).toBe("");
});
