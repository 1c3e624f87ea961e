/** The few numbers that are left of many samples. */

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Undefined without samples. With an even number of them the median is the mean of the two in the middle. */
export function summarize(samples: readonly number[]): Summary | undefined {
  const sorted = [...samples].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || upper === undefined || lower === undefined) return undefined;
  return { median: (lower + upper) / 2, min, max };
}
