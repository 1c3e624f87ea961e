/** What was measured of one thing, for both agents, and what is wanted of it. */
import { type Summary, summarize } from "./statistics.ts";

export type AgentName = "ours" | "theirs";
export const agentNames: readonly AgentName[] = ["ours", "theirs"];

export type Goal =
  /** Our time is at most so many times theirs. */
  | { readonly kind: "time"; readonly atMost: number }
  /** Our speed is at least so many times theirs. */
  | { readonly kind: "speed"; readonly atLeast: number }
  /** Our own median, whatever theirs is. */
  | { readonly kind: "ours"; readonly atMost: number };

export interface Series {
  /** For --only and JSON: words and hyphens. */
  readonly name: string;
  readonly what: string;
  /** Of the samples: less is better in all of them. */
  readonly unit: "ms" | "s" | "MiB" | "voluntary" | "files";
  readonly goal?: Goal;
  readonly samples: Readonly<Record<AgentName, number[]>>;
  /** Runs that gave no sample, and why. */
  readonly failures: { readonly agent: AgentName; readonly run: number; readonly message: string }[];
}

export function newSeries(start: Pick<Series, "name" | "what" | "unit" | "goal">): Series {
  return { ...start, samples: { ours: [], theirs: [] }, failures: [] };
}

export interface Verdict {
  readonly ours: Summary | undefined;
  readonly theirs: Summary | undefined;
  /** Of the medians: times ours / theirs, speeds the other way round. Undefined if one is missing, or zero below. */
  readonly ratio: number | undefined;
  /** Undefined if nothing is wanted. What could not be measured is not met. */
  readonly met: boolean | undefined;
}

export function judge({ samples, goal }: Series): Verdict {
  const ours = summarize(samples.ours);
  const theirs = summarize(samples.theirs);
  const [over, under] = goal?.kind === "speed" ? [theirs, ours] : [ours, theirs];
  const ratio =
    over === undefined || under === undefined || under.median === 0 ? undefined : over.median / under.median;
  return { ours, theirs, ratio, met: goal === undefined ? undefined : isMet(goal, ours, ratio) };
}

function isMet(goal: Goal, ours: Summary | undefined, ratio: number | undefined): boolean {
  switch (goal.kind) {
    case "time":
      return ratio !== undefined && ratio <= goal.atMost;
    case "speed":
      return ratio !== undefined && ratio >= goal.atLeast;
    case "ours":
      return ours !== undefined && ours.median <= goal.atMost;
  }
}
