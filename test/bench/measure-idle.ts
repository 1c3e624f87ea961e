/** What the agents need when nobody wants anything of them. Both at once: idle processes do not disturb each other. */
import { sleep } from "../integration/peers/until.ts";
import { runOn } from "../integration/peers/x-programs.ts";
import { activityOf, type Memory, memoryOf } from "./process-facts.ts";
import { agentNames, type Goal, newSeries, type Series } from "./series.ts";
import type { Side, Sides } from "./side.ts";

const QUIET_MS = 10_000;
const SIZE = { width: 1280, height: 800 };

/** Of the two halves in processes of their own, MiB: 65 MB together, 16 MB in each that no other has. */
const PAIR_PSS: Goal = { kind: "ours", atMost: 62 };
const PAIR_PRIVATE: Goal = { kind: "ours", atMost: 15.3 };

export interface IdleOptions {
  readonly seconds: number;
  /** Ours is two processes. */
  readonly isPair: boolean;
  /** Large texts went through the agents as they are now: what they kept of them is worth a look first. */
  readonly afterTexts: boolean;
}

export async function measureIdle(sides: Sides, { seconds, isPair, afterTexts }: IdleOptions): Promise<Series[]> {
  const all: Series[] = [];
  if (afterTexts) {
    await quiet("after the texts");
    all.push(...memorySeries(sides, "after-texts", "memory after the texts"));
  }
  await startAnew(sides, forgetGtk);
  await quiet("on a new desktop");
  all.push(...memorySeries(sides, "idle-first", "memory, idle, on a new desktop"));
  await startAnew(sides, async () => {});
  await quiet("idle");

  console.error(`\nidle for ${seconds} s`);
  const cpu = newSeries({ name: "idle-cpu", what: `CPU time in ${seconds} s, idle`, unit: "ms" });
  const wakes = newSeries({ name: "idle-switches", what: `context switches in ${seconds} s, idle`, unit: "voluntary" });
  const pids = { ours: sides.ours.pids, theirs: sides.theirs.pids };
  const before = { ours: activityOf(pids.ours), theirs: activityOf(pids.theirs) };
  await sleep(seconds * 1000);
  for (const name of agentNames) {
    const after = activityOf(pids[name]);
    cpu.samples[name].push(after.cpuMs - before[name].cpuMs);
    wakes.samples[name].push(after.voluntarySwitches - before[name].voluntarySwitches);
  }
  const goals = isPair ? { pssMib: PAIR_PSS, largestPrivateMib: PAIR_PRIVATE } : {};
  return [...all, ...memorySeries(sides, "idle", `memory, idle for ${seconds} s`, goals), cpu, wakes];
}

/**
 * The first program with GTK on a desktop, which theirs may be, loads Mesa to find out what OpenGL can do, and leaves
 * the answer to the others in this property. It is the larger part of its memory.
 */
async function forgetGtk({ display }: Side): Promise<void> {
  await runOn(display, "xprop", ["-root", "-remove", "GDK_VISUALS"]).catch(() => {});
}

async function startAnew(sides: Sides, prepare: (side: Side) => Promise<void>): Promise<void> {
  const one = async (side: Side): Promise<void> => {
    await side.connect("proxy");
    await side.stopAgent();
    await prepare(side);
    await side.startAgent();
    const { sentMs } = await side.viewer.setDisplays([SIZE]);
    await side.viewer.waitForMonitors([SIZE], { sinceMs: sentMs });
    await side.connect("direct");
  };
  await Promise.all(agentNames.map((name) => one(sides[name])));
}

async function quiet(what: string): Promise<void> {
  console.error(`\n${what}: ${QUIET_MS / 1000} s of quiet`);
  await sleep(QUIET_MS);
}

type Goals = Partial<Readonly<Record<keyof Memory, Goal>>>;

function memorySeries(sides: Sides, name: string, what: string, goals: Goals = {}): Series[] {
  const memory = { ours: memoryOf(sides.ours.pids), theirs: memoryOf(sides.theirs.pids) };
  const series = (field: keyof Memory, short: string, long: string): Series => {
    const goal = goals[field];
    const start = { name: `${name}-${short}`, what: `${what}: ${long}`, unit: "MiB" } as const;
    const one = newSeries(goal === undefined ? start : { ...start, goal });
    for (const agent of agentNames) one.samples[agent].push(memory[agent][field]);
    return one;
  };
  return [
    series("pssMib", "pss", "PSS"),
    series("privateMib", "private", "private"),
    series("largestPrivateMib", "largest-private", "private, largest process"),
    series("rssMib", "rss", "RSS"),
  ];
}
