import { describe, expect, test } from "vitest";
import { orderOfRun } from "./pairs.ts";
import { type Goal, judge, newSeries, type Series } from "./series.ts";
import { summarize } from "./statistics.ts";
import { resultTable, textTable } from "./table.ts";

function series(ours: number[], theirs: number[], goal?: Goal): Series {
  const empty = newSeries({ name: "paste", what: "paste", unit: "ms", ...(goal === undefined ? {} : { goal }) });
  return { ...empty, samples: { ours, theirs } };
}

describe("summary of samples", () => {
  test("is the one in the middle of an odd number, in whatever order they came", () => {
    expect(summarize([9, 1, 100])).toEqual({ median: 9, min: 1, max: 100 });
  });

  test("is the mean of the two in the middle of an even number", () => {
    expect(summarize([4, 1, 3, 100])).toEqual({ median: 3.5, min: 1, max: 100 });
  });

  test("is nothing without samples", () => {
    expect(summarize([])).toBeUndefined();
  });
});

describe("verdict", () => {
  test("compares times as ours / theirs", () => {
    expect(judge(series([15], [10], { kind: "time", atMost: 1.5 }))).toMatchObject({ ratio: 1.5, met: true });
    expect(judge(series([16], [10], { kind: "time", atMost: 1.5 }))).toMatchObject({ ratio: 1.6, met: false });
  });

  test("compares speeds the other way round", () => {
    expect(judge(series([10], [12], { kind: "speed", atLeast: 1.2 }))).toMatchObject({ ratio: 1.2, met: true });
    expect(judge(series([12], [10], { kind: "speed", atLeast: 1 }))).toMatchObject({ met: false });
  });

  test("looks at ours alone if that is what is wanted", () => {
    expect(judge(series([900], [], { kind: "ours", atMost: 1000 }))).toMatchObject({ ratio: undefined, met: true });
  });

  test("is not met by what could not be measured, and absent if nothing is wanted", () => {
    expect(judge(series([], [10], { kind: "time", atMost: 1.5 })).met).toBe(false);
    expect(judge(series([1], [0]))).toMatchObject({ ratio: undefined, met: undefined });
  });
});

describe("order of a pair", () => {
  test("changes with each run", () => {
    expect([0, 1, 2].map(orderOfRun)).toEqual([
      ["ours", "theirs"],
      ["theirs", "ours"],
      ["ours", "theirs"],
    ]);
  });
});

describe("table", () => {
  test("has columns as wide as their longest cell, and no blanks at the end", () => {
    expect(
      textTable([
        ["a", "bb", ""],
        ["aaa", "b", "c"],
      ]),
    ).toBe("a    bb\naaa  b   c");
  });

  test("shows medians, their spread, the ratio and the verdict", () => {
    const text = resultTable([series([5, 4, 6], [100, 300, 200], { kind: "speed", atLeast: 1.2 }), series([], [1])]);
    expect(text.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["", "ours", "theirs", "ours/theirs", "wanted", "met"],
      ["paste", "5.00 ms (4.00..6.00)", "200 ms (100..300)", "40.00 speed", "≥ 1.2 speed", "yes"],
      ["paste", "failed", "1.00 ms", "–"],
    ]);
  });
});
