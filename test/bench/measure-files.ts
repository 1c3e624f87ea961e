/** Files dropped on the viewer: one that is large, and very many that are small. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { md5OfFile } from "../integration/peers/x-clipboard.ts";
import { measureInPairs } from "./pairs.ts";
import { newSeries, type Series } from "./series.ts";
import type { Side, Sides } from "./side.ts";

/** 100 MB as people count them. */
const LARGE_BYTES = 100_000_000;
const SMALL_FILES = 1000;
const SMALL_BYTES = 1000;
const TIMEOUT_MS = 120_000;
/** All small ones are the same work each time. */
const SMALL_RUNS = 3;

export async function measureFiles(sides: Sides, runs: number): Promise<Series[]> {
  using dir = makeTempDir("bench-files");
  for (const side of [sides.ours, sides.theirs]) await side.connect("direct");
  const large = newSeries({
    name: "file-large",
    what: "file, 100 MB",
    unit: "ms",
    goal: { kind: "speed", atLeast: 1.2 },
  });
  const file = dir.join("large");
  writeFileSync(file, randomBytes(LARGE_BYTES));
  const md5 = await md5OfFile(file);
  await measureInPairs(large, runs, async (agent) => {
    const { viewer, saveDir } = sides[agent];
    const [over] = await viewer.dropAndWait([file], TIMEOUT_MS);
    if (over === undefined || over.error !== null) throw new Error(over?.error ?? "no answer");
    const saved = join(saveDir, "large");
    if ((await md5OfFile(saved)) !== md5) throw new Error("what has arrived is not what was dropped");
    rmSync(saved);
    return over.ms;
  });
  rmSync(file);
  const missing = newSeries({
    name: "files-missing",
    what: `${SMALL_FILES} files at once: not arrived`,
    unit: "files",
    goal: { kind: "ours", atMost: 0 },
  });
  const small = newSeries({ name: "files-small", what: `${SMALL_FILES} files at once: the last is over`, unit: "ms" });
  mkdirSync(dir.join("small"));
  const files = Array.from({ length: SMALL_FILES }, (_, index) => dir.join(`small/${index}`));
  for (const each of files) writeFileSync(each, randomBytes(SMALL_BYTES));
  await measureInPairs(missing, Math.min(runs, SMALL_RUNS), async (agent) => {
    small.samples[agent].push(await dropAll(sides[agent], files));
    return SMALL_FILES - (await arrivedOf(sides[agent], files));
  });
  return [large, missing, small];
}

async function dropAll({ viewer }: Side, files: readonly string[]): Promise<number> {
  const over = await viewer.dropAndWait(files, TIMEOUT_MS);
  return Math.max(...over.map(({ ms }) => ms));
}

/** How many are there, and as they were; they are gone afterwards. */
async function arrivedOf({ saveDir }: Side, files: readonly string[]): Promise<number> {
  let arrived = 0;
  for (const [index, file] of files.entries()) {
    const saved = join(saveDir, `${index}`);
    if (existsSync(saved) && (await md5OfFile(saved)) === (await md5OfFile(file))) arrived += 1;
  }
  for (const name of readdirSync(saveDir)) rmSync(join(saveDir, name));
  return arrived;
}
