// Mode lines against those that `cvt -r` prints (VESA CVT 1.1, reduced blanking), and sizes that no monitor has.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modeTiming } from "../../../src/desktop/display/mode-timing.ts";

const MHZ = 1e6;

describe("known modes", () => {
  test('"1920x1080R" 138.50 1920 1968 2000 2080 1080 1083 1088 1111', () => {
    // The sync is 10 lines long here for every shape, and 5 in the standard for 16 to 9; nothing looks at it.
    expect(modeTiming(1920, 1080)).toEqual({
      width: 1920,
      height: 1080,
      dot_clock: 138.5 * MHZ,
      h_sync_start: 1968,
      h_sync_end: 2000,
      h_total: 2080,
      v_sync_start: 1083,
      v_sync_end: 1093,
      v_total: 1111,
    });
  });

  test('"1280x720R" 63.75 1280 1328 1360 1440 720 723 728 741', () => {
    const timing = modeTiming(1280, 720);
    expect(timing).toMatchObject({
      h_sync_start: 1328,
      h_sync_end: 1360,
      h_total: 1440,
      v_sync_start: 723,
      v_total: 741,
    });
    expect(timing.dot_clock).toBeGreaterThanOrEqual(63.75 * MHZ);
    expect(timing.dot_clock).toBeLessThanOrEqual(64 * MHZ);
  });

  test('"1024x768R" 56.00 1024 1072 1104 1184 768 771 775 790', () => {
    expect(modeTiming(1024, 768)).toMatchObject({ dot_clock: 56 * MHZ, h_total: 1184, v_total: 790 });
  });
});

test.each([
  [1003, 701],
  [1, 1],
  [321, 201],
  [1365, 767],
  [8192, 4320],
])("%i by %i is that wide and that high, not rounded to what a monitor could show", (width, height) => {
  expect(modeTiming(width, height)).toMatchObject({ width, height, h_total: width + 160 });
});

test("whatever the size, the parts are in order, fit their fields and make 60 Hz as far as a clock can", () => {
  const pixels = fc.integer({ min: 1, max: 32767 });
  fc.assert(
    fc.property(pixels, pixels, (width, height) => {
      const timing = modeTiming(width, height);
      const { dot_clock, h_sync_start, h_sync_end, h_total, v_sync_start, v_sync_end, v_total } = timing;
      for (const value of Object.values(timing)) expect(Number.isInteger(value)).toBe(true);
      const across = [width, h_sync_start, h_sync_end, h_total, 0xffff];
      const down = [height, v_sync_start, v_sync_end, v_total, 0xffff];
      for (const order of [across, down]) expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(v_total - v_sync_end).toBeGreaterThanOrEqual(6);
      expect(dot_clock % 250_000).toBe(0);
      expect(dot_clock).toBeLessThanOrEqual(0xffffffff);
      const hz = dot_clock / (h_total * v_total);
      expect(hz).toBeLessThanOrEqual(60);
      // A small mode has a slow clock, and the clock goes in steps.
      if (60 * h_total * v_total <= 0xffffffff) expect(hz).toBeGreaterThan(60 - 250_000 / (h_total * v_total));
    }),
  );
});
