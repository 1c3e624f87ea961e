/** Start of the agent until the viewer has it. */
import { sleep } from "../integration/peers/until.ts";
import { measureInPairs } from "./pairs.ts";
import { newSeries, type Series } from "./series.ts";
import type { Sides } from "./side.ts";

/** For the server and the desktop to calm down after the last agent left. */
const PAUSE_MS = 500;

export async function measureStart(sides: Sides, runs: number): Promise<Series[]> {
  const series = newSeries({
    name: "start",
    what: "start of the agent → viewer has its announcement",
    unit: "ms",
    goal: { kind: "ours", atMost: 1000 },
  });
  await measureInPairs(series, runs, async (name) => {
    await sides[name].stopAgent();
    await sleep(PAUSE_MS);
    return sides[name].startAgent();
  });
  return [series];
}
