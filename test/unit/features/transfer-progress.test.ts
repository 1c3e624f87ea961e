import { describe, expect, test } from "vitest";
import { CANCELLED, failedWith, SAVED } from "../../../src/features/file-outcome.ts";
import { doneText, isOver, noProgress, runningText, withEnd } from "../../../src/features/transfer-progress.ts";

const MB = 1_000_000;
const begun = { ...noProgress(1000), underWay: 2, waiting: 3, allBytes: 100 * MB };

describe("while files come", () => {
  test("says how many bytes of how many, which file, and how long it will take at this speed", () => {
    expect(runningText({ ...begun, doneBytes: 25 * MB, saved: 1 }, 6000)).toEqual({
      title: "Receiving 6 files",
      body: "25.0 MB of 100 MB, file 2 of 6, 15 s left",
      percent: 25,
    });
  });

  test("of one file alone", () => {
    expect(runningText({ ...noProgress(0), underWay: 1, allBytes: 999 }, 10)).toEqual({
      title: "Receiving a file",
      body: "0 bytes of 999 bytes",
      percent: 0,
    });
  });

  test.each([
    [1, "99 s left"],
    [60, "99 min left"],
    [90, "3 h left"],
  ])("a long time is told in what it is long in: %i", (factor, text) => {
    const progress = { ...noProgress(0), underWay: 1, doneBytes: MB, allBytes: MB + 99 * MB * factor };
    expect(runningText(progress, 1000).body).toContain(text);
  });

  test("is not over as long as one waits", () => {
    expect(isOver({ ...begun, underWay: 0 })).toBe(false);
    expect(isOver({ ...begun, waiting: 0 })).toBe(false);
    expect(isOver({ ...begun, underWay: 0, waiting: 0 })).toBe(true);
  });

  test("what has failed no longer counts in bytes, and is told", () => {
    const after = withEnd({ ...begun, doneBytes: 30 * MB }, failedWith(10), 60 * MB, 10 * MB);
    expect(after).toMatchObject({ underWay: 1, doneBytes: 20 * MB, allBytes: 40 * MB });
    expect(runningText(after, 2000)).toMatchObject({
      body: "20.0 MB of 40.0 MB, file 1 of 4, 1 s left, 1 failed: name not allowed",
      percent: 50,
    });
  });
});

describe("in the end", () => {
  test("one file is told by its name, without what could turn the line around", () => {
    const saved = withEnd({ ...noProgress(0), underWay: 1 }, SAVED, 5, 5, "a\n\u202etxt.exe 👩‍👩‍👧");
    expect(doneText(saved, "Downloads")).toEqual({
      title: "File received",
      body: "a\ufffd\ufffdtxt.exe 👩‍👩‍👧",
      percent: 100,
    });
  });

  test("several by their number, and what failed by reason", () => {
    let progress = { ...noProgress(0), underWay: 5, doneBytes: 1500, allBytes: 1500 };
    for (const outcome of [SAVED, SAVED, CANCELLED, failedWith(10), failedWith(10)])
      progress = { ...progress, ...withEnd(progress, outcome, 0, 0, "x") };
    expect(doneText(progress, "Downloads")).toEqual({
      title: "2 files received",
      body: "1.5 kB in Downloads\n1 failed: cancelled, 2 failed: name not allowed",
      percent: 100,
    });
  });

  test("none", () => {
    const failed = withEnd({ ...noProgress(0), underWay: 1 }, failedWith(0), 0, 0);
    expect(doneText(failed, "Downloads")).toEqual({ title: "No file received", body: "1 failed: failed", percent: 0 });
  });
});
