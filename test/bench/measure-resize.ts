/** Monitors message sent until the viewer sees its size. */
import type { WantedDisplay } from "../integration/peers/spice-client.ts";
import { sleep } from "../integration/peers/until.ts";
import { measureInPairs } from "./pairs.ts";
import { type AgentName, agentNames, newSeries, type Series } from "./series.ts";
import type { Side, Sides } from "./side.ts";

const GOAL = { kind: "time", atMost: 1.5 } as const;
/** Widths that Debian's agent can do: it rounds down to 8. */
const KNOWN: readonly [WantedDisplay, WantedDisplay] = [
  { width: 1024, height: 768 },
  { width: 1280, height: 800 },
];
/** A resize takes milliseconds, and so does noise: more samples than of what takes seconds. */
const REPEAT = 3;
/** Longer than anything of the last resize can still be on its way. */
const PAUSE_MS = 300;

export async function measureResize(sides: Sides, runs: number): Promise<Series[]> {
  for (const name of agentNames) {
    await sides[name].connect("proxy");
    // Both sizes exist from here on; creating them is what the second series is about.
    for (const size of KNOWN) await resize(sides[name], size);
  }
  const known = newSeries({ name: "resize", what: "resize to a size used before", unit: "ms", goal: GOAL });
  await measureInPairs(known, runs * REPEAT, (name, run) => resize(sides[name], KNOWN[run % 2 === 0 ? 0 : 1]));
  const fresh = newSeries({ name: "resize-new", what: "resize to a new size", unit: "ms", goal: GOAL });
  const freshSize = (_: AgentName, run: number): WantedDisplay => ({ width: 808 + 8 * run, height: 601 + run });
  await measureInPairs(fresh, runs * REPEAT, (name, run) => resize(sides[name], freshSize(name, run)));
  return [known, fresh];
}

async function resize({ viewer }: Side, size: WantedDisplay): Promise<number> {
  await sleep(PAUSE_MS);
  const { sentMs } = await viewer.setDisplays([size]);
  const { atMs } = await viewer.waitForMonitors([size], { sinceMs: sentMs });
  return atMs - sentMs;
}
