/** The screen of a guest in QEMU: from the viewer's wish to what it sees, and how much of that is ours. */
import { writeFileSync } from "node:fs";
import { sleep } from "../integration/peers/until.ts";
import { drag, layoutsSet, reactionsMs, resizeMs, startHotplugGuest } from "../vm/hotplug.ts";
import { machineFacts } from "./machine.ts";
import { summarize } from "./statistics.ts";

/** Under TCG, ms. */
const SEEN_WITHIN_MS = 500;
const OURS_WITHIN_MS = 50;
/** Longer than the guest has anything left to do of the last resize. */
const PAUSE_MS = 700;
const DRAG = { steps: 30, overMs: 1500, from: { width: 800, height: 600 } } as const;

interface GuestResult {
  readonly card: "qxl" | "virtio-gpu";
  /** From the viewer's sending to its seeing. */
  readonly seenMs: readonly number[];
  /** From the X server's event to our request. */
  readonly oursMs: readonly number[];
  readonly drag: { readonly set: number; readonly isLast: boolean; readonly twice: number };
}

/** Prints and writes what it finds; the exit code is 1 if something could not be measured. */
export async function benchGuest({ runs, json }: { readonly runs: number; readonly json: string }): Promise<number> {
  const results: GuestResult[] = [];
  for (const card of ["qxl", "virtio-gpu"] as const) {
    console.error(`guest with ${card}: booting`);
    results.push(await measure(card, runs));
  }
  for (const { card, seenMs, oursMs, drag: dragged } of results) {
    console.log(`${card}: sent → the viewer sees it: ${figures(seenMs, SEEN_WITHIN_MS)}`);
    console.log(`${card}: of which from the X server's event to our request: ${figures(oursMs, OURS_WITHIN_MS)}`);
    const end = dragged.isLast ? "ends on the last" : "DOES NOT END ON THE LAST";
    console.log(
      `${card}: ${DRAG.steps} sizes in ${DRAG.overMs} ms: ${dragged.set} set, ${dragged.twice} twice, ${end}`,
    );
  }
  writeFileSync(
    json,
    `${JSON.stringify({ date: new Date().toISOString(), machine: machineFacts(), results }, null, 2)}\n`,
  );
  console.log(`all samples are in ${json}`);
  return 0;
}

async function measure(card: GuestResult["card"], runs: number): Promise<GuestResult> {
  await using all = await startHotplugGuest({ graphics: card });
  // The first few run code that V8 has not seen before.
  for (let run = 0; run < 3; run += 1) await resizeMs(all.viewer, { width: 900 + 8 * run, height: 640 });
  const before = reactionsMs(await all.log()).length;
  const seenMs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    await sleep(PAUSE_MS);
    seenMs.push(await resizeMs(all.viewer, { width: 1001 + 7 * run, height: 701 + 3 * run }));
  }
  await sleep(PAUSE_MS);
  const log = await all.log();
  const oursMs = reactionsMs(log).slice(before);
  const last = await drag(all.viewer, DRAG.steps, DRAG.overMs, DRAG.from);
  await sleep(3000);
  const set = layoutsSet(await all.log()).slice(layoutsSet(log).length);
  const isLast = (await all.shown()).heads.join() === `${last.width}x${last.height}+0+0`;
  return { card, seenMs, oursMs, drag: { set: set.length, isLast, twice: set.length - new Set(set).size } };
}

function figures(values: readonly number[], limitMs: number): string {
  const summary = summarize(values);
  if (summary === undefined) throw new Error("the agent's log tells of no resize");
  const [middle, least, most] = [summary.median, summary.min, summary.max].map(Math.round);
  const verdict = summary.median <= limitMs ? "yes" : "NO";
  return `${middle} ms (${least}..${most}, ${values.length} samples), wanted at most ${limitMs}: ${verdict}`;
}
