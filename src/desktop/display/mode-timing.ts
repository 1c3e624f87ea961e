// Timings for a mode of any size: CVT with reduced blanking (VESA CVT 1.1), 60 Hz.
// A virtual display looks at width and height only, so unlike the standard's the width need not be a multiple of 8.

export interface ModeTiming {
  readonly width: number;
  readonly height: number;
  /** Hz. */
  readonly dot_clock: number;
  readonly h_sync_start: number;
  readonly h_sync_end: number;
  readonly h_total: number;
  readonly v_sync_start: number;
  readonly v_sync_end: number;
  readonly v_total: number;
}

const REFRESH_HZ = 60;
const H_BLANK = 160;
const H_FRONT_PORCH = 48;
const H_SYNC = 32;
const V_FRONT_PORCH = 3;
const V_SYNC = 10;
const MIN_V_BACK_PORCH = 6;
const MIN_V_BLANK_SECONDS = 460e-6;
const CLOCK_STEP_HZ = 250_000;
/** The field is 32 bits wide; beyond some 8300 by 8300 pixels a mode is slower than 60 Hz. */
const MAX_CLOCK_HZ = 0xffffffff;

/** Pixels in, at most 65535 - 160 wide. */
export function modeTiming(width: number, height: number): ModeTiming {
  const lineSeconds = (1 / REFRESH_HZ - MIN_V_BLANK_SECONDS) / height;
  const blankLines = Math.floor(MIN_V_BLANK_SECONDS / lineSeconds) + 1;
  const vTotal = height + Math.max(blankLines, V_FRONT_PORCH + V_SYNC + MIN_V_BACK_PORCH);
  const hTotal = width + H_BLANK;
  return {
    width,
    height,
    dot_clock: Math.floor(Math.min(REFRESH_HZ * vTotal * hTotal, MAX_CLOCK_HZ) / CLOCK_STEP_HZ) * CLOCK_STEP_HZ,
    h_sync_start: width + H_FRONT_PORCH,
    h_sync_end: width + H_FRONT_PORCH + H_SYNC,
    h_total: hTotal,
    v_sync_start: height + V_FRONT_PORCH,
    v_sync_end: height + V_FRONT_PORCH + V_SYNC,
    v_total: vTotal,
  };
}
