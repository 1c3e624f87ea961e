// How large the viewer's pixels are, so that the guest's letters can be as large as the viewer's own.
import type { Layout } from "../../features/monitors.ts";
import type { MonitorsConfig } from "../../wire/monitors-config.ts";

const MM_PER_INCH = 25.4;
/** Beyond these nobody can read, and the millimetres are nonsense. */
const MIN_DPI = 48;
const MAX_DPI = 480;

/** Dots per inch of the first display that is on and whose millimetres are known; undefined: of none. */
export function viewersDpi({ monitors }: MonitorsConfig, { heads }: Layout): number | undefined {
  for (const { displayId } of heads) {
    const { width = 0, physical } = monitors[displayId] ?? {};
    if (physical === undefined || physical.widthMm === 0) continue;
    const dpi = Math.round((width * MM_PER_INCH) / physical.widthMm);
    if (dpi >= MIN_DPI && dpi <= MAX_DPI) return dpi;
  }
  return undefined;
}
