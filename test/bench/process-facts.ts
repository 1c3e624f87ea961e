/** What the kernel knows about processes (proc(5)). Only Linux has it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** proc(5) counts CPU time in these where nothing finer is to be had. */
const TICK_MS = 10;

export interface Memory {
  /** Resident, what is shared with others included. MiB. */
  readonly rssMib: number;
  /** Shared pages divided by the number of processes that share them. MiB. */
  readonly pssMib: number;
  /** In no other process. MiB. */
  readonly privateMib: number;
  /** The same, of the process that has most of it. */
  readonly largestPrivateMib: number;
}

export interface Activity {
  readonly cpuMs: number;
  /** How often a thread went to sleep by itself: about how often it was woken. */
  readonly voluntarySwitches: number;
}

/** These processes and all that descend from them. */
export function familyOf(pids: readonly number[]): readonly number[] {
  const family = new Set(pids);
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = orElse(() => Number(statFields(Number(entry))[1]), undefined);
    if (parent !== undefined) parents.set(Number(entry), parent);
  }
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

export function memoryOf(pids: readonly number[]): Memory {
  const texts = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"));
  const mib = (field: string): number => texts.reduce((sum, text) => sum + numberAfter(text, field), 0) / 1024;
  const privates = texts.map(
    (text) => (numberAfter(text, "Private_Clean") + numberAfter(text, "Private_Dirty")) / 1024,
  );
  return {
    rssMib: mib("Rss"),
    pssMib: mib("Pss"),
    privateMib: privates.reduce((sum, each) => sum + each, 0),
    largestPrivateMib: Math.max(0, ...privates),
  };
}

/** Since they were started, threads that have ended since not included. */
export function activityOf(pids: readonly number[]): Activity {
  // A program's helper may have ended since the pids were had.
  const running = pids.filter((pid) => existsSync(`/proc/${pid}`));
  const threads = running.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((tid) => `/proc/${pid}/task/${tid}`));
  const switches = threads.map((path) =>
    numberAfter(readFileSync(`${path}/status`, "latin1"), "voluntary_ctxt_switches"),
  );
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    cpuMs: orElse(() => sum(threads.map(exactCpuMs)), sum(running.map(cpuMs))),
    voluntarySwitches: sum(switches),
  };
}

/** -20 to 19; less is more urgent. */
export function nicenessOf(pid: number): number {
  return Number(statFields(pid)[16]);
}

/** schedstat counts nanoseconds; not every kernel is built with it. */
function exactCpuMs(threadPath: string): number {
  return Number(readFileSync(`${threadPath}/schedstat`, "latin1").split(" ", 1)[0]) / 1e6;
}

function cpuMs(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** The fields from the third (state) on: the second, the name, may contain blanks. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function numberAfter(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

function orElse<T>(get: () => T, otherwise: T): T {
  try {
    return get();
  } catch {
    return otherwise;
  }
}
