/** What a viewer and a desktop do with each other when everything works: one function, one thing seen on both sides. */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { ClipboardType } from "../../../src/wire/agent-constants.ts";
import type { SpiceClient } from "./spice-client.ts";
import type { TempDir } from "./temp-dir.ts";
import { monotonicMs, until } from "./until.ts";
import { clipboardTargets, copyFile, md5OfFile, pasteToFile } from "./x-clipboard.ts";
import { readScreen } from "./x-screen.ts";

const TEXT = ClipboardType.UTF8_TEXT;
const SOON_MS = 20_000;
const PASTE_MS = 60_000;

export interface Ends {
  readonly viewer: SpiceClient;
  /** As in $DISPLAY. */
  readonly display: string;
  readonly dir: TempDir;
}

/** A file of so many bytes of UTF-8. */
export async function textFile(dir: TempDir, name: string, bytes: number): Promise<string> {
  const text = Buffer.alloc(bytes, "a line of text, ž漢字 😀\n");
  // No character may be cut in two at the end.
  text.fill(".", Math.max(0, bytes - 4));
  for (let end = bytes - 5; end >= 0 && (text[end] ?? 0) > 0x7f; end -= 1) text[end] = 0x2e;
  const file = dir.join(name);
  await writeFile(file, text);
  return file;
}

export async function resize({ viewer, display }: Ends, width: number, height: number): Promise<void> {
  const { sentMs } = await viewer.setDisplays([{ width, height }]);
  await viewer.waitForMonitors([{ width, height }], { sinceMs: sentMs, timeoutMs: SOON_MS });
  const screen = await readScreen(display);
  expect([screen.width, screen.height]).toEqual([width, height]);
}

/** The viewer copies the file, and it is on offer in the guest. */
export async function offerToGuest({ viewer, display }: Ends, file: string): Promise<void> {
  await viewer.provide(0, TEXT, { mode: "data", file });
  await viewer.grab(0, [TEXT]);
  const isOffered = async () => (await clipboardTargets(display)).includes("UTF8_STRING");
  await until("the viewer's text to be on offer", isOffered, SOON_MS);
}

/** An application of the guest pastes, and gets the file. */
export async function pasteInGuest({ display, dir }: Ends, file: string): Promise<void> {
  const pasted = await pasteToFile(display, dir.join("pasted"), { timeoutMs: PASTE_MS });
  expect(pasted.md5).toBe(await md5OfFile(file));
}

export async function guestToViewer({ viewer, display }: Ends, file: string): Promise<void> {
  const sinceMs = monotonicMs();
  await using _ = await copyFile(display, file);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs });
  const received = await viewer.request(0, TEXT, { timeoutMs: PASTE_MS });
  expect([received.type, received.md5]).toEqual([TEXT, await md5OfFile(file)]);
}
