/** Texts and a picture pasted and copied, each way: time, and what the largest text costs. */
import { rmSync } from "node:fs";
import { watchMemoryPeak } from "../integration/peers/memory-peak.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, sleep } from "../integration/peers/until.ts";
import { copyFile, pasteToFile } from "../integration/peers/x-clipboard.ts";
import { type ContentFile, makePictures, makeTexts } from "./content-file.ts";
import { measureInPairs } from "./pairs.ts";
import { activityOf } from "./process-facts.ts";
import { type AgentName, agentNames, type Goal, newSeries, type Series } from "./series.ts";
import type { Path, Side, Sides } from "./side.ts";

/** VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD. */
const CLIPBOARD = 0;
const PICTURE_MIB = 20;
/** For a grab to be known everywhere: users are not quicker. */
const SETTLE_MS = 300;
const TIMEOUT_MS = 60_000;

export interface ClipboardOptions {
  readonly runs: number;
  readonly sizesMib: readonly number[];
  readonly path: Path;
  /** Ours is two processes. */
  readonly isPair: boolean;
}

interface Direction {
  readonly name: string;
  readonly what: string;
  readonly goal: Goal;
  readonly transfer: (side: Side, content: ContentFile, dir: TempDir) => Promise<number>;
}

export function measureViewerToGuest(sides: Sides, options: ClipboardOptions): Promise<Series[]> {
  const goal: Goal = { kind: "speed", atLeast: 1.2 };
  return measure(sides, options, {
    name: "viewer-to-guest",
    what: "viewer → guest",
    goal,
    transfer: viewerToGuest,
  });
}

export function measureGuestToViewer(sides: Sides, options: ClipboardOptions): Promise<Series[]> {
  const goal: Goal = { kind: "speed", atLeast: options.isPair ? 0.8 : 1 };
  return measure(sides, options, {
    name: "guest-to-viewer",
    what: "guest → viewer",
    goal,
    transfer: guestToViewer,
  });
}

async function measure(sides: Sides, options: ClipboardOptions, direction: Direction): Promise<Series[]> {
  const { runs, sizesMib, path } = options;
  const { name, what, goal, transfer } = direction;
  using dir = makeTempDir("bench");
  for (const agent of agentNames) await sides[agent].connect(path);
  const all: Series[] = [];
  const largestMib = Math.max(...sizesMib);
  for (const mib of sizesMib) {
    const texts = await makeTexts(dir, mib);
    const series = newSeries({ name: `${name}-${mib}`, what: `${what}, ${mib} MiB of text`, unit: "ms", goal });
    const costs = new Costs(direction, mib);
    await measureInPairs(series, runs, (agent, run) =>
      costs.of(agent, sides[agent], () => transfer(sides[agent], texts[run % 2 === 0 ? 0 : 1], dir)),
    );
    for (const { file } of texts) rmSync(file);
    all.push(series);
    if (mib === largestMib) all.push(...costs.series);
  }
  const pictures = await makePictures(dir, PICTURE_MIB);
  const series = newSeries({ name: `${name}-picture`, what: `${what}, PNG of ${PICTURE_MIB} MiB`, unit: "ms", goal });
  await measureInPairs(series, runs, (agent, run) => transfer(sides[agent], pictures[run % 2 === 0 ? 0 : 1], dir));
  for (const { file } of pictures) rmSync(file);
  return [...all, series];
}

/** What a transfer takes of all of an agent's processes. */
class Costs {
  readonly #mib: number;
  readonly #cpu: Series;
  readonly #peak: Series;

  constructor({ name, what }: Direction, mib: number) {
    this.#mib = mib;
    this.#cpu = newSeries({ name: `${name}-cpu`, what: `${what}, ${mib} MiB of text: CPU per 100 MiB`, unit: "s" });
    this.#peak = newSeries({
      name: `${name}-peak`,
      what: `${what}, ${mib} MiB of text: memory at its peak, RSS`,
      unit: "MiB",
      goal: { kind: "time", atMost: 1 },
    });
  }

  get series(): readonly Series[] {
    return [this.#cpu, this.#peak];
  }

  async of(agent: AgentName, { pids }: Side, transfer: () => Promise<number>): Promise<number> {
    const peaks = pids.map(watchMemoryPeak);
    const before = activityOf(pids).cpuMs;
    const ms = await transfer();
    this.#cpu.samples[agent].push(((activityOf(pids).cpuMs - before) / 1000 / this.#mib) * 100);
    this.#peak.samples[agent].push(peaks.reduce((sum, peak) => sum + peak.peakMib(), 0));
    return ms;
  }
}

/** From the start of xclip in the guest to its end. */
async function viewerToGuest({ viewer, display }: Side, content: ContentFile, dir: TempDir): Promise<number> {
  const { type, target } = content;
  await viewer.provide(CLIPBOARD, type, { mode: "data", file: content.file });
  await viewer.grab(CLIPBOARD, [type]);
  await sleep(SETTLE_MS);
  const file = dir.join("pasted");
  const { ms, md5 } = await pasteToFile(display, file, { target, timeoutMs: TIMEOUT_MS });
  rmSync(file);
  if (md5 !== content.md5) throw new Error("what was pasted is not what was copied");
  return ms;
}

/** From the viewer's request to the last byte. */
async function guestToViewer({ viewer, display }: Side, content: ContentFile): Promise<number> {
  const { type, target } = content;
  const sinceMs = monotonicMs();
  await using _owner = await copyFile(display, content.file, { target });
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === CLIPBOARD, { sinceMs });
  await sleep(SETTLE_MS);
  const { ms, md5, file } = await viewer.request(CLIPBOARD, type, { timeoutMs: TIMEOUT_MS });
  rmSync(file, { force: true });
  if (md5 !== content.md5) throw new Error("what was pasted is not what was copied");
  return ms;
}
