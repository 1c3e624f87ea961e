// What the viewer does to the screen and with its pointer, from a real viewer's library to an X client in the guest.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Button, MouseMode, type SpiceClient } from "../integration/peers/spice-client.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import {
  complaints,
  connectViewer,
  copyBothWays,
  daemonLog,
  installProduct,
  readStatus,
  reconnect,
  waitForAgent,
} from "./product.ts";
import {
  type InputDevice,
  type InputEvent,
  type InputWatch,
  openPointerWindow,
  type Point,
  type PointerWindow,
  pointerPosition,
  watchInput,
} from "./watch.ts";

const MOUSE_STATE = 0;
/** linux/input-event-codes.h */
const EV_KEY = 1;
const EV_REL = 2;
const EV_ABS = 3;
const BTN = { LEFT: 0x110, RIGHT: 0x111, MIDDLE: 0x112, SIDE: 0x113, EXTRA: 0x114 } as const;
const REL_WHEEL = 8;
/** SPICE's numbers, beyond those of `Button`. */
const SIDE = 6;
const EXTRA = 7;

let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;
let input: InputWatch;

beforeAll(async () => {
  // A second card that cannot be told sizes: the server then leaves MONITORS_CONFIG to the agent, for all cards.
  guest = await startGuest({ graphics: "virtio-gpu", maxOutputs: 2, extraArgs: ["-device", "bochs-display"] });
  await guest.waitForBoot();
  await installProduct(guest);
  desktop = await Desktop.start(guest);
  await waitForAgent(guest, desktop);
  viewer = await connectViewer(guest);
  input = await watchInput(guest, "spice vdagent tablet");
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
});

/** The one there is now. */
async function tablet(): Promise<InputDevice> {
  const found = await until("the tablet", async () => (await input.devices()).at(-1), 20_000, 200);
  return found;
}

const screenText = (): Promise<string> => desktop.output(["xrandr", "--current"]);

async function waitForPointer(x: number, y: number): Promise<void> {
  let at: Point | undefined;
  const arrived = async (): Promise<boolean> => {
    at = await pointerPosition(desktop);
    return at.x === x && at.y === y;
  };
  await until(`the pointer to be at ${x},${y}`, arrived, 10_000, 50).catch((error: unknown) => {
    throw new Error(`${error}: it is at ${at?.x},${at?.y}`, { cause: error });
  });
}

/**
 * Puts the viewer's pointer to places of a display, and sees that it is right there for an X client. Without an error: one
 * of a single pixel would be another monitor at an edge.
 */
async function checkPlaces(
  display: number,
  offset: Point,
  places: readonly (readonly [number, number])[],
): Promise<void> {
  for (const [x, y] of places) {
    await viewer.position(x, y, display);
    await waitForPointer(offset.x + x, offset.y + y);
  }
}

/** What came in at the tablet since a number of events, without SYN and axes. */
async function pressed(from: number): Promise<string[]> {
  const events: readonly InputEvent[] = (await input.events()).slice(from);
  return events.filter(({ type }) => type === EV_KEY || type === EV_REL).map(({ code, value }) => `${code} ${value}`);
}

describe("the screen", () => {
  test("rows 27, 28: the viewer's size, to the pixel", async () => {
    const { sentMs } = await viewer.setDisplays([{ width: 1283, height: 721 }]);
    const { atMs } = await viewer.waitForMonitors([{ width: 1283, height: 721 }], {
      sinceMs: sentMs,
      timeoutMs: 20_000,
    });
    console.log(`1283x721: the viewer saw it after ${Math.round(atMs - sentMs)} ms`);
    expect(await screenText()).toMatch(/current 1283 x 721,.*\nVirtual-1 connected primary 1283x721\+0\+0/m);
  });
});

describe("the pointer on one monitor", () => {
  test("row 17: a device with a name, two axes over the whole screen, five buttons and a wheel", async () => {
    // One less than the last pixel: see uinput-tablet.ts.
    expect(await tablet()).toMatchObject({ name: "spice vdagent tablet", abs: { 0: [0, 1281], 1: [0, 719] } });
    const devices = (await guest.output(["cat", "/proc/bus/input/devices"])).split("\n\n");
    const ours = devices.find((text) => text.includes('"spice vdagent tablet"')) ?? "";
    // KEY: bits 0x110 to 0x114; REL: bit 8; ABS: bits 0 and 1; PROP: not a touch screen.
    for (const line of ["B: KEY=1f0000 0 0 0 0", "B: REL=100", "B: ABS=3", "B: PROP=0"]) expect(ours).toContain(line);
    expect(viewer.mouseMode).toBe(MouseMode.CLIENT);
  });

  test("is where the viewer's is: corners, centre, odd places", async () => {
    await checkPlaces(0, { x: 0, y: 0 }, [
      [0, 0],
      [1282, 0],
      [0, 720],
      [1282, 720],
      [641, 360],
      [1, 1],
      [333, 77],
      [1281, 719],
    ]);
  });

  test("rows 20, 21: all buttons, side and extra too, and the wheel", async () => {
    await using window: PointerWindow = await openPointerWindow(desktop);
    const at = { x: window.area.x + 200, y: window.area.y + 150 };
    await viewer.position(at.x, at.y);
    const inside = async (): Promise<boolean> => (await window.events()).some(({ kind }) => kind === "motion");
    await until("the window to see the pointer", inside, 10_000, 100);
    const from = (await input.events()).length;
    const clicks = async (): Promise<string[]> =>
      (await window.events()).filter(({ kind }) => kind !== "motion").map(({ kind, button }) => `${kind} ${button}`);
    // One after the other: libinput holds back a release that comes too soon, and the next press overtakes it.
    for (const [index, button] of [...Object.values(Button), SIDE, EXTRA].entries()) {
      await viewer.click(button);
      await until(`click ${index + 1}`, async () => (await clicks()).length === 2 * (index + 1), 10_000, 50);
    }
    // X calls the two on the side 8 and 9.
    expect(await clicks()).toEqual([1, 2, 3, 4, 5, 8, 9].flatMap((n) => [`press ${n}`, `release ${n}`]));
    const keys = [BTN.LEFT, BTN.MIDDLE, BTN.RIGHT].flatMap((code) => [`${code} 1`, `${code} 0`]);
    const sides = [BTN.SIDE, BTN.EXTRA].flatMap((code) => [`${code} 1`, `${code} 0`]);
    expect(await pressed(from)).toEqual([...keys, `${REL_WHEEL} 1`, `${REL_WHEEL} -1`, ...sides]);
    for (const event of await window.events()) expect(event.at).toEqual(at);
  });

  test("row 21: a wheel that is held turns once", async () => {
    const from = (await input.events()).length;
    await viewer.press(Button.UP);
    await viewer.position(400, 300);
    await viewer.position(410, 300);
    await viewer.releaseButton(Button.UP);
    await waitForPointer(410, 300);
    expect(await pressed(from)).toEqual([`${REL_WHEEL} 1`]);
  });

  test("a drag: the button stays down from here to there", async () => {
    await using window = await openPointerWindow(desktop);
    await viewer.position(window.area.x + 20, window.area.y + 20);
    await viewer.press(Button.LEFT);
    await viewer.position(window.area.x + 120, window.area.y + 90);
    await viewer.releaseButton(Button.LEFT);
    const release = async () => (await window.events()).find(({ kind }) => kind === "release");
    const { at } = await until("the button to be released", release, 10_000, 200);
    const press = (await window.events()).find(({ kind }) => kind === "press");
    expect([at.x - (press?.at.x ?? 0), at.y - (press?.at.y ?? 0)]).toEqual([100, 70]);
  });

  test("row 25: a button held by a viewer that leaves is released", async () => {
    await viewer.position(640, 600);
    const from = (await input.events()).length;
    await viewer.press(Button.LEFT);
    await until("the button to be down", async () => (await pressed(from)).length > 0, 10_000, 100);
    await viewer.disconnect();
    await until("the button to be up", async () => (await pressed(from)).length > 1, 10_000, 100);
    expect(await pressed(from)).toEqual([`${BTN.LEFT} 1`, `${BTN.LEFT} 0`]);
    await reconnect(guest, viewer);
  });
});

describe("two monitors", () => {
  test("row 28: the viewer's arrangement; row 23: the device follows it", async () => {
    const displays = [
      { width: 1283, height: 721 },
      { width: 801, height: 603, x: 1283, y: 50 },
    ];
    const before = (await input.devices()).length;
    await viewer.setDisplays(displays);
    const isThere = async (): Promise<boolean> => (await screenText()).includes("current 2084 x 721");
    await until("both monitors", isThere, 20_000, 200);
    const text = await screenText();
    expect(text).toMatch(/^Virtual-1 connected primary 1283x721\+0\+0/m);
    expect(text).toMatch(/^Virtual-2 \w+ 801x603\+1283\+50/m);
    await until("a new device", async () => (await input.devices()).length > before, 10_000, 100);
    expect((await tablet()).abs).toEqual({ 0: [0, 2082], 1: [0, 719] });
  });

  test("row 18: the pointer is where the viewer's is, on each", async () => {
    await checkPlaces(1, { x: 1283, y: 50 }, [
      // Above these is no monitor: one pixel higher, and X puts the pointer elsewhere.
      [0, 0],
      [800, 0],
      [0, 602],
      [800, 602],
      [400, 301],
      [333, 77],
    ]);
    await checkPlaces(0, { x: 0, y: 0 }, [
      [0, 0],
      [1282, 720],
      [641, 360],
      [1, 719],
    ]);
  });

  test("row 22: a place on a display that is not there is dropped, and the next one is not", async () => {
    await viewer.position(100, 100, 0);
    const from = (await input.events()).length;
    await viewer.position(300, 300, 9);
    await viewer.position(200, 200, 0);
    await waitForPointer(200, 200);
    const axes = (await input.events()).slice(from).filter(({ type }) => type === EV_ABS);
    expect(axes.map(({ value }) => value)).not.toContain(300);
  });

  test("back to one: row 23, and the pointer is right", async () => {
    await viewer.setDisplays([{ width: 1024, height: 768 }]);
    const isThere = async (): Promise<boolean> => (await screenText()).includes("current 1024 x 768");
    await until("one monitor", isThere, 20_000, 200);
    await until("its device", async () => (await tablet()).abs[0]?.[1] === 1022, 10_000, 100);
    await checkPlaces(0, { x: 0, y: 0 }, [
      [1023, 767],
      [511, 383],
      [7, 760],
    ]);
    expect(await complaints(guest)).toBe("");
  });
});

test("row 26: without uinput all else works, nobody is promised a pointer, and the log says what to do", async () => {
  // README: what takes the device from the daemon.
  const dropIn = "[Service]\nDeviceAllow=\nDeviceAllow=char-virtio-portsdev rw\n";
  await guest.writeFile("/etc/systemd/system/tsvdagentd.service.d/override.conf", dropIn);
  await guest.output(["systemctl", "daemon-reload"]);
  await guest.output(["systemctl", "restart", "tsvdagentd.service"]);
  await waitForAgent(guest, desktop);
  await viewer.waitForAgent(20_000);
  const later = async (): Promise<boolean> => !(await viewer.hasCapability(MOUSE_STATE));
  await until("the capability to be gone", later, 10_000, 100);
  expect((await readStatus(guest)).pointer).toEqual({ device: "/dev/uinput", state: "unavailable" });
  expect(await daemonLog(guest)).toMatch(/pointer\.unavailable: \/dev\/uinput: .*agent-mouse=off/);
  expect(await guest.output(["cat", "/proc/bus/input/devices"])).not.toContain("spice vdagent tablet");
  await copyBothWays(viewer, desktop, "without a pointer");
  await viewer.setDisplays([{ width: 1111, height: 777 }]);
  await viewer.waitForMonitors([{ width: 1111, height: 777 }], { timeoutMs: 20_000 });

  // The other half of README's advice: told in the configuration, nothing is missed.
  await guest.writeFile("/etc/tsvdagent/config.toml", '[pointer]\ndevice = "none"\n');
  await guest.output(["systemctl", "reload", "tsvdagentd.service"]);
  await until("no pointer", async () => (await readStatus(guest)).pointer.state === "off", 20_000, 250);
});
