// End to end without a VM: a real SPICE viewer (spice-gtk), a real SPICE server (Xspice), and the built agent between.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { type Agent, startAgentOf } from "./peers/agent.ts";
import { OddApplication } from "./peers/odd-application.ts";
import { makePicture, pictureDifference } from "./peers/pixbuf.ts";
import { Button, SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { monotonicMs, until } from "./peers/until.ts";
import { clipboardTargets, copyFile, md5OfFile, pasteToFile } from "./peers/x-clipboard.ts";
import { pointerPosition, watchButtons } from "./peers/x-pointer.ts";
import { readScreen } from "./peers/x-screen.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, IMAGE_TIFF: TIFF, IMAGE_JPG: JPG } = ClipboardType;
const MIB = 1024 * 1024;

let xspice: Xspice;
let viewer: SpiceClient;
let agent: Agent;
let folder: TempDir;

beforeAll(async () => {
  folder = makeTempDir("xspice-test");
  xspice = await startXspice();
  viewer = await SpiceClient.start();
  agent = await startAgentOf(xspice);
  await viewer.connect(xspice.spicePort, { maxClipboardBytes: -1 });
  await viewer.waitForAgent();
  await agent.untilLogged(/display: connected/);
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await viewer?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

/** Text of exactly so many bytes, with characters beyond the BMP where there is room for one. */
async function textFile(name: string, bytes: number): Promise<string> {
  const file = folder.join(name);
  const text = Buffer.alloc(bytes, "😀 a line of text, ž漢字\n");
  // A character cut in two at the end would be no text any more.
  let end = bytes;
  while (end > 0 && ((text[end - 1] ?? 0) & 0x80) !== 0) end -= 1;
  text.fill(".", end);
  await writeFile(file, text);
  return file;
}

async function viewerToGuest(file: string): Promise<void> {
  await viewer.provide(0, TEXT, { mode: "data", file });
  await viewer.grab(0, [TEXT]);
  const isOffered = async () => (await clipboardTargets(xspice.display)).includes("UTF8_STRING");
  await until("the viewer's text to be on offer", isOffered, 20_000);
  const pasted = await pasteToFile(xspice.display, folder.join("pasted"), { timeoutMs: 60_000 });
  expect(pasted.md5).toBe(await md5OfFile(file));
}

async function guestToViewer(file: string): Promise<void> {
  const sinceMs = monotonicMs();
  await using _ = await copyFile(xspice.display, file);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  const received = await viewer.request(0, TEXT, { timeoutMs: 60_000 });
  expect([received.type, received.md5]).toEqual([TEXT, await md5OfFile(file)]);
}

test.each([
  [640, 480],
  [1283, 721],
  [1366, 768],
  [1920, 1080],
  [3840, 2160],
  [1024, 768],
])("row 28: the viewer sees %ix%i, exactly", async (width, height) => {
  const { sentMs } = await viewer.setDisplays([{ width, height }]);
  await viewer.waitForMonitors([{ width, height }], { sinceMs: sentMs });
  const screen = await readScreen(xspice.display);
  expect([screen.width, screen.height]).toEqual([width, height]);
});

test("20 resizes in a row end on the last", async () => {
  for (let step = 1; step <= 20; step += 1)
    await viewer.setDisplays([{ width: 800 + step * 11, height: 600 + step * 3 }]);
  await viewer.waitForMonitors([{ width: 1020, height: 660 }], { timeoutMs: 10_000 });
});

test.each([1, 1024, MIB, 20 * MIB])(
  "text of %i bytes is the same on both sides, both ways",
  async (bytes) => {
    const file = await textFile(`text-${bytes}`, bytes);
    await viewerToGuest(file);
    await guestToViewer(file);
  },
  120_000,
);

describe.each([
  ["png", PNG],
  ["bmp", BMP],
  ["tiff", TIFF],
  ["jpeg", JPG],
] as const)("row 44: pictures: %s", (format, type) => {
  test("goes both ways byte for byte, and as PNG", async () => {
    const file = folder.join(`picture.${format}`);
    await makePicture(file, format, 640, 400);
    await viewer.provide(0, type, { mode: "data", file });
    await viewer.grab(0, [type]);
    const isOffered = async () => (await clipboardTargets(xspice.display)).includes(`image/${format}`);
    await until("the viewer's picture to be on offer", isOffered, 20_000);
    const same = folder.join("same");
    const asPng = folder.join("as-png");
    await pasteToFile(xspice.display, same, { target: `image/${format}` });
    await pasteToFile(xspice.display, asPng, { target: "image/png" });
    expect(await md5OfFile(same)).toBe(await md5OfFile(file));
    expect(await pictureDifference(asPng, file)).toBeLessThanOrEqual(format === "jpeg" ? 6 : 0);

    const sinceMs = monotonicMs();
    await using _ = await copyFile(xspice.display, file, { target: `image/${format}` });
    const { types } = await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
    expect(types).toEqual([...new Set([PNG, type])]);
    const received = await viewer.request(0, type);
    expect([received.type, received.md5]).toEqual([type, await md5OfFile(file)]);
    const png = await viewer.request(0, PNG);
    expect(png.type).toBe(PNG);
    expect(await pictureDifference(png.file, file)).toBeLessThanOrEqual(format === "jpeg" ? 6 : 0);
  });
});

describe("the pointer", () => {
  test("rows 18, 24: goes where the viewer puts it", async () => {
    const { sentMs } = await viewer.setDisplays([{ width: 1020, height: 660 }]);
    await viewer.waitForMonitors([{ width: 1020, height: 660 }], { sinceMs: sentMs });
    for (const [x, y] of [
      [0, 0],
      [321, 123],
      [1019, 659],
    ] as const) {
      await viewer.position(x, y);
      await until(
        `the pointer at ${x},${y}`,
        async () => {
          const at = await pointerPosition(xspice.display);
          return at.x === x && at.y === y;
        },
        20_000,
      );
    }
  });

  test("rows 20, 21, 24: clicks and turns its wheel", async () => {
    await using watch = await watchButtons(xspice.display);
    for (const button of Object.values(Button)) {
      await viewer.click(button);
      await watch.press(button);
      await watch.release(button);
    }
    expect(watch.events.filter(({ kind }) => kind === "press").map(({ button }) => button)).toEqual([1, 2, 3, 4, 5]);
  });
});

test("a viewer that leaves in the middle of a paste and comes back finds everything at work", async () => {
  const file = await textFile("large", 20 * MIB);
  await viewer.provide(0, TEXT, { mode: "data", file });
  await viewer.grab(0, [TEXT]);
  const isOffered = async () => (await clipboardTargets(xspice.display)).includes("UTF8_STRING");
  await until("the viewer's text to be on offer", isOffered, 20_000);
  await using application = await OddApplication.start(xspice.display);
  // Some of it has come.
  expect(await application.beginPaste("UTF8_STRING")).toBe("INCR");
  await viewer.disconnect();
  // It is cut off; what it is not is hung.
  const bytes = await application.takeRest();
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(20 * MIB);
  await viewer.connect(xspice.spicePort, { maxClipboardBytes: -1 });
  await viewer.waitForAgent();
  const small = await textFile("small", 1024);
  await viewerToGuest(small);
  await guestToViewer(small);
  const { sentMs } = await viewer.setDisplays([{ width: 1111, height: 777 }]);
  await viewer.waitForMonitors([{ width: 1111, height: 777 }], { sinceMs: sentMs });
});

test("the agent may end and start again while the viewer stays: row 61 with it, what is copied is offered anew", async () => {
  const file = await textFile("kept", 1000);
  const sinceMs = monotonicMs();
  await using _ = await copyFile(xspice.display, file);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  await agent[Symbol.asyncDispose]();
  // After a resize Xspice takes some seconds to notice that an agent is gone, whichever agent it is.
  await viewer.waitForNoAgent(30_000);
  const restartMs = monotonicMs();
  agent = await startAgentOf(xspice);
  await viewer.waitForAgent();
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs: restartMs });
  const received = await viewer.request(0, TEXT);
  expect(await readFile(received.file)).toEqual(await readFile(file));
  await viewerToGuest(await textFile("after", 5000));
  const { sentMs } = await viewer.setDisplays([{ width: 1283, height: 721 }]);
  await viewer.waitForMonitors([{ width: 1283, height: 721 }], { sinceMs: sentMs });
});
