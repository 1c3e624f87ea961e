/** How much memory a process took at most (proc(5)). */
import { readFileSync, writeFileSync } from "node:fs";

export interface MemoryPeak {
  readonly pid: number;
  /** MiB that it has grown by at most since. */
  grownMib(): number;
  /** MiB that it had at most since. */
  peakMib(): number;
}

export function watchMemoryPeak(pid: number): MemoryPeak {
  // 5: the peak is counted from what it has now.
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const before = statusMib(pid, "VmRSS");
  const peakMib = (): number => statusMib(pid, "VmHWM");
  return { pid, peakMib, grownMib: () => peakMib() - before };
}

function statusMib(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) / 1024;
}
