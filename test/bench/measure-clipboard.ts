/** Text pasted and copied, each way. */
import { rmSync } from "node:fs";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, sleep } from "../integration/peers/until.ts";
import { copyFile, pasteToFile } from "../integration/peers/x-clipboard.ts";
import { measureInPairs } from "./pairs.ts";
import { agentNames, type Goal, newSeries, type Series } from "./series.ts";
import type { Path, Side, Sides } from "./side.ts";
import { makeTexts, type TextFile } from "./text-file.ts";

/** VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD and VD_AGENT_CLIPBOARD_UTF8_TEXT. */
const CLIPBOARD = 0;
const UTF8_TEXT = 1;
/** For a grab to be known everywhere: users are not quicker. */
const SETTLE_MS = 300;
const TIMEOUT_MS = 60_000;

export interface ClipboardOptions {
  readonly runs: number;
  readonly sizesMib: readonly number[];
  readonly path: Path;
}

type Transfer = (side: Side, text: TextFile, dir: TempDir) => Promise<number>;

export function measureViewerToGuest(sides: Sides, options: ClipboardOptions): Promise<Series[]> {
  const direction = { name: "viewer-to-guest", what: "viewer → guest", goal: { kind: "speed", atLeast: 1.2 } } as const;
  return measure(sides, options, direction, viewerToGuest);
}

export function measureGuestToViewer(sides: Sides, options: ClipboardOptions): Promise<Series[]> {
  const direction = { name: "guest-to-viewer", what: "guest → viewer", goal: { kind: "speed", atLeast: 1 } } as const;
  return measure(sides, options, direction, guestToViewer);
}

async function measure(
  sides: Sides,
  { runs, sizesMib, path }: ClipboardOptions,
  { name, what, goal }: { readonly name: string; readonly what: string; readonly goal: Goal },
  transfer: Transfer,
): Promise<Series[]> {
  using dir = makeTempDir("bench");
  for (const agent of agentNames) await sides[agent].connect(path);
  const all: Series[] = [];
  for (const mib of sizesMib) {
    const texts = await makeTexts(dir, mib);
    const series = newSeries({ name: `${name}-${mib}`, what: `${what}, ${mib} MiB of text`, unit: "ms", goal });
    await measureInPairs(series, runs, (agent, run) => transfer(sides[agent], texts[run % 2 === 0 ? 0 : 1], dir));
    for (const { file } of texts) rmSync(file);
    all.push(series);
  }
  return all;
}

/** From the start of xclip in the guest to its end. */
async function viewerToGuest({ viewer, display }: Side, text: TextFile, dir: TempDir): Promise<number> {
  await viewer.provide(CLIPBOARD, UTF8_TEXT, { mode: "data", file: text.file });
  await viewer.grab(CLIPBOARD, [UTF8_TEXT]);
  await sleep(SETTLE_MS);
  const file = dir.join("pasted");
  const { ms, md5 } = await pasteToFile(display, file, { timeoutMs: TIMEOUT_MS });
  rmSync(file);
  if (md5 !== text.md5) throw new Error("what was pasted is not what was copied");
  return ms;
}

/** From the viewer's request to the last byte. */
async function guestToViewer({ viewer, display }: Side, text: TextFile): Promise<number> {
  const sinceMs = monotonicMs();
  await using _owner = await copyFile(display, text.file);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === CLIPBOARD, { sinceMs });
  await sleep(SETTLE_MS);
  const { ms, md5, file } = await viewer.request(CLIPBOARD, UTF8_TEXT, { timeoutMs: TIMEOUT_MS });
  rmSync(file, { force: true });
  if (md5 !== text.md5) throw new Error("what was pasted is not what was copied");
  return ms;
}
