/** The results as text. */
import { type Goal, judge, type Series } from "./series.ts";
import type { Summary } from "./statistics.ts";

const HEAD = ["", "ours", "theirs", "ours/theirs", "wanted", "met"] as const;

/** Lines of columns, each as wide as its longest cell. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function resultTable(all: readonly Series[]): string {
  return textTable([HEAD, ...all.map(row)]);
}

function row(series: Series): string[] {
  const { ours, theirs, ratio, met } = judge(series);
  return [
    series.what,
    spread(ours, series.unit),
    spread(theirs, series.unit),
    ratio === undefined ? "–" : `${ratio.toFixed(2)}${series.goal?.kind === "speed" ? " speed" : ""}`,
    wanted(series.goal, series.unit),
    met === undefined ? "" : met ? "yes" : "NO",
  ];
}

function spread(summary: Summary | undefined, unit: string): string {
  if (summary === undefined) return "failed";
  const { median, min, max } = summary;
  const range = min === max ? "" : ` (${short(min)}..${short(max)})`;
  return `${short(median)} ${unit}${range}`;
}

function wanted(goal: Goal | undefined, unit: string): string {
  switch (goal?.kind) {
    case undefined:
      return "";
    case "time":
      return `≤ ${goal.atMost.toFixed(1)}`;
    case "speed":
      return `≥ ${goal.atLeast.toFixed(1)} speed`;
    case "ours":
      return `ours ≤ ${goal.atMost} ${unit}`;
  }
}

/** Three digits that mean something; noise has no more. */
function short(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
