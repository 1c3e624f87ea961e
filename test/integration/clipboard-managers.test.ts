// Clipboard managers keep what others copy by taking it over: that must not come back to the viewer as a copy of its own.
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { type Agent, startAgentOf } from "./peers/agent.ts";
import { startClipboardManager } from "./peers/clipboard-manager.ts";
import { OddApplication } from "./peers/odd-application.ts";
import { makePicture, pictureDifference } from "./peers/pixbuf.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { monotonicMs, sleep, until } from "./peers/until.ts";
import { clipboardTargets, copyFile, md5OfFile, pasteToFile } from "./peers/x-clipboard.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, IMAGE_JPG: JPG } = ClipboardType;
/** For a manager to do what it does: they look every half second at the latest. */
const QUIET_MS = 2000;

let xspice: Xspice;
let viewer: SpiceClient;
let agent: Agent;
let folder: TempDir;

beforeEach(async () => {
  folder = makeTempDir("clipboard-managers");
  xspice = await startXspice();
  viewer = await SpiceClient.start();
  agent = await startAgentOf(xspice);
  await viewer.connect(xspice.spicePort);
  await viewer.waitForAgent();
  await agent.untilLogged(/display: connected/);
});

afterEach(async () => {
  await agent?.[Symbol.asyncDispose]();
  await viewer?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

function textFile(name: string, text: string): string {
  const file = folder.join(name);
  writeFileSync(file, text);
  return file;
}

async function viewerCopies(file: string): Promise<void> {
  await viewer.provide(0, TEXT, { mode: "data", file });
  await viewer.grab(0, [TEXT]);
}

async function grabsWithin(ms: number, sinceMs: number): Promise<number> {
  await sleep(ms);
  return viewer.events.all("clipboard-grab", sinceMs).filter(({ selection }) => selection === 0).length;
}

describe.each(["parcellite", "xfce4-clipman"] as const)("row 64: with %s", (name) => {
  test("the viewer's text does not come back to it; copies of either side still pass", async () => {
    await using manager = await startClipboardManager(name, xspice.display, folder.join("home"));
    for (const word of ["first", "second", "first"]) {
      const file = textFile("viewer", `the viewer's ${word} text: Grüße 🙂`);
      const sinceMs = monotonicMs();
      await viewerCopies(file);
      // It looks at what is copied as soon as it is.
      await viewer.waitFor("clipboard-request", ({ selection }) => selection === 0, { sinceMs });
      expect(await grabsWithin(QUIET_MS, sinceMs)).toBe(0);
      const pasted = await pasteToFile(xspice.display, folder.join("pasted"), {});
      expect(pasted.md5).toBe(await md5OfFile(file));
    }
    const own = textFile("guest", "the guest's own text");
    const sinceMs = monotonicMs();
    const owner = await copyFile(xspice.display, own);
    await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
    expect((await viewer.request(0, TEXT)).md5).toBe(await md5OfFile(own));
    expect(await grabsWithin(QUIET_MS, sinceMs)).toBeLessThanOrEqual(2);
    await owner[Symbol.asyncDispose]();
    // The other keeps only what an application asks it to.
    if (name === "parcellite") {
      const md5 = await md5OfFile(own);
      // The viewer may ask while nobody has it.
      await until("the text to be kept", async () => (await viewer.request(0, TEXT)).md5 === md5, 5000);
    }
    expect(manager.exit).toBeUndefined();
  });

  test("what the viewer gives up stays in the guest, and does not come back to the viewer", async () => {
    await using _manager = await startClipboardManager(name, xspice.display, folder.join("home"));
    const file = textFile("viewer", "what the viewer has had");
    const sinceMs = monotonicMs();
    await viewerCopies(file);
    await viewer.waitFor("clipboard-request", ({ selection }) => selection === 0, { sinceMs });
    await sleep(QUIET_MS);
    await viewer.release(0);
    await until("the manager to take over", async () => (await clipboardTargets(xspice.display)).length > 0, 5000);
    expect(await grabsWithin(QUIET_MS, sinceMs)).toBe(0);
    expect((await pasteToFile(xspice.display, folder.join("pasted"), {})).md5).toBe(await md5OfFile(file));
  });
});

describe.each([
  ["xfce4-clipman", "with the viewer's own bytes"],
  ["diodon", "encoded anew"],
] as const)("row 64: with %s", (name, how) => {
  test.each([
    ["png", PNG],
    ["bmp", BMP],
    ["jpeg", JPG],
  ] as const)(
    `a %s that the viewer gives up stays in the guest, ${how}, and does not come back; the next viewer is told`,
    async (format, type) => {
      await using manager = await startClipboardManager(name, xspice.display, folder.join("home"));
      const file = folder.join(format);
      await makePicture(file, format, 333, 77);
      const sinceMs = monotonicMs();
      await viewer.provide(0, type, { mode: "data", file });
      await viewer.grab(0, [type]);
      await viewer.waitFor("clipboard-request", ({ selection }) => selection === 0, { sinceMs });
      await sleep(QUIET_MS);
      await viewer.release(0);
      await until("the manager to take over", async () => (await clipboardTargets(xspice.display)).length > 0, 5000);
      expect(await grabsWithin(QUIET_MS, sinceMs)).toBe(0);
      const pasted = folder.join("pasted");
      await pasteToFile(xspice.display, pasted, { target: "image/png" });
      expect(await pictureDifference(pasted, file)).toBeLessThanOrEqual(format === "jpeg" ? 6 : 0);
      await viewer.disconnect();
      await viewer.connect(xspice.spicePort);
      await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
      const received = await viewer.request(0, PNG);
      expect(received.type).toBe(PNG);
      expect(await pictureDifference(received.file, file)).toBeLessThanOrEqual(format === "jpeg" ? 6 : 0);
      expect(manager.exit).toBeUndefined();
    },
  );
});

describe("row 64: with an application that takes over what it has pasted", () => {
  const TARGET = "UTF8_STRING";

  async function takesOver(manager: OddApplication, but?: string): Promise<void> {
    await until("it to be on offer", async () => (await clipboardTargets(xspice.display)).includes(TARGET), 5000);
    const text = await manager.paste(TARGET);
    await manager.own({ targets: [TARGET], answers: { [TARGET]: but ?? text } });
  }

  test("the viewer is not told, nor when it gives up its own; the next one is", async () => {
    await using manager = await OddApplication.start(xspice.display);
    const file = textFile("viewer", "the viewer's text ".repeat(1000));
    const sinceMs = monotonicMs();
    await viewerCopies(file);
    await takesOver(manager);
    expect(await grabsWithin(QUIET_MS, sinceMs)).toBe(0);
    await viewer.release(0);
    expect(await grabsWithin(QUIET_MS, sinceMs)).toBe(0);
    expect((await pasteToFile(xspice.display, folder.join("pasted"), {})).md5).toBe(await md5OfFile(file));
    await viewer.disconnect();
    await viewer.connect(xspice.spicePort);
    await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
    expect((await viewer.request(0, TEXT)).md5).toBe(await md5OfFile(file));
  });

  test("of another text every viewer is told, and of the same when another application copies it", async () => {
    await using manager = await OddApplication.start(xspice.display);
    const file = textFile("viewer", "the viewer's text");
    const sinceMs = monotonicMs();
    await viewerCopies(file);
    await takesOver(manager, "the guest's own");
    await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
    expect((await viewer.request(0, TEXT)).bytes).toBe("the guest's own".length);

    const again = monotonicMs();
    await viewerCopies(file);
    await until("it to be on offer", async () => (await clipboardTargets(xspice.display)).includes("STRING"), 5000);
    await pasteToFile(xspice.display, folder.join("pasted"), {});
    await using _owner = await copyFile(xspice.display, folder.join("pasted"));
    await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs: again });
  });
});
