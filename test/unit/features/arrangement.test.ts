// Rectangles that keep to each other: whatever sizes they get, none covers another.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrangedLike, overlap, type Rectangle, withoutGaps } from "../../../src/features/arrangement.ts";
import { noTurn, ontoDesktop, turnedSize } from "../../../src/features/turned-display.ts";

const r = (width: number, height: number, x: number, y: number): Rectangle => ({ x, y, width, height });

describe("new sizes in an old arrangement", () => {
  test.each<[string, readonly Rectangle[], readonly Rectangle[], readonly Rectangle[]]>([
    [
      "side by side",
      [r(900, 700, 0, 0), r(640, 480, 0, 0)],
      [r(800, 600, 0, 0), r(640, 480, 800, 0)],
      [r(900, 700, 0, 0), r(640, 480, 900, 0)],
    ],
    [
      "the other way round",
      [r(900, 700, 0, 0), r(640, 480, 0, 0)],
      [r(800, 600, 640, 0), r(640, 480, 0, 0)],
      [r(900, 700, 640, 0), r(640, 480, 0, 0)],
    ],
    [
      "stacked, with an offset",
      [r(900, 700, 0, 0), r(640, 480, 0, 0)],
      [r(800, 600, 0, 0), r(640, 480, 100, 600)],
      [r(900, 700, 0, 0), r(640, 480, 100, 700)],
    ],
    [
      "in one place: a row",
      [r(900, 700, 0, 0), r(640, 480, 0, 0)],
      [r(800, 600, 0, 0), r(800, 600, 0, 0)],
      [r(900, 700, 0, 0), r(640, 480, 900, 0)],
    ],
  ])("%s", (_, sized, old, expected) => {
    expect(arrangedLike(sized, old)).toEqual(expected);
  });

  const side = fc.integer({ min: 1, max: 4000 });
  const place = fc.integer({ min: -4000, max: 8000 });
  const pair = fc.record({ width: side, height: side, x: place, y: place, newWidth: side, newHeight: side });

  test("no two share a place, and nothing is as it was only if no size was changed", () => {
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 6 }), (pairs) => {
        const old = pairs.map(({ width, height, x, y }) => r(width, height, x, y));
        const sized = pairs.map(({ newWidth, newHeight }) => r(newWidth, newHeight, 0, 0));
        const moved = arrangedLike(sized, old);
        expect(overlap(moved)).toBeUndefined();
        expect(moved.map(({ width, height }) => [width, height])).toEqual(
          pairs.map((one) => [one.newWidth, one.newHeight]),
        );
        if (overlap(old) === undefined) expect(arrangedLike(old, old)).toEqual(old);
        expect(overlap(withoutGaps(moved))).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a place of the picture on the desktop", () => {
  const size = { width: 1000, height: 700 };
  test.each<[string, number, readonly number[], readonly [number, number], readonly [number, number]]>([
    ["as it is", 1, noTurn.transform, [10, 20], [10, 20]],
    // xrandr's "left": what is at the upper left of the desktop is at the lower left of the picture.
    ["turned left", 2, noTurn.transform, [0, 699], [0, 0]],
    ["turned left, the other corner", 2, noTurn.transform, [999, 0], [699, 999]],
    ["upside down", 4, noTurn.transform, [0, 0], [999, 699]],
    ["turned right", 8, noTurn.transform, [999, 0], [0, 0]],
    ["mirrored", 1 | 16, noTurn.transform, [0, 5], [999, 5]],
    ["turned left and mirrored", 2 | 16, noTurn.transform, [0, 699], [699, 0]],
    ["at half the size", 1, [0.5, 0, 0, 0, 0.5, 0, 0, 0, 1], [999, 698], [499, 349]],
    ["at twice the size", 1, [2, 0, 0, 0, 2, 0, 0, 0, 1], [10, 20], [21, 41]],
  ])("%s", (_, rotation, transform, [x, y], [atX, atY]) => {
    expect(ontoDesktop(x, y, size, { rotation, transform })).toEqual({ x: atX, y: atY });
  });
});

describe("a picture on the desktop", () => {
  test.each<[string, number, readonly number[], readonly [number, number]]>([
    ["as it is", 1, noTurn.transform, [1283, 721]],
    ["on its side", 2, noTurn.transform, [721, 1283]],
    ["upside down and mirrored", 4 | 16, noTurn.transform, [1283, 721]],
    ["at three quarters", 1, [0.75, 0, 0, 0, 0.75, 0, 0, 0, 1], [963, 541]],
    ["at twice the size, on its side", 8, [2, 0, 0, 0, 2, 0, 0, 0, 1], [1442, 2566]],
  ])("%s", (_, rotation, transform, [width, height]) => {
    expect(turnedSize({ width: 1283, height: 721 }, { rotation, transform })).toEqual({ width, height });
  });
});
