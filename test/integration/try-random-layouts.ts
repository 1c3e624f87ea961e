/** Random layouts through the display code on a real X server; another client of the server is the judge. */
import { expect } from "vitest";
import { DisplayFollower } from "../../src/desktop/display/display-follower.ts";
import { RandrDisplay } from "../../src/desktop/display/randr.ts";
import { XConnection } from "../../src/desktop/x11/x-connection.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { DesktopGeometry } from "../../src/wire/link/messages.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { RandomLayouts } from "./peers/random-layouts.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

export interface RandomRun {
  readonly monitors: number;
  readonly count: number;
  readonly seed: number;
}

export async function tryRandomLayouts({ monitors, count, seed }: RandomRun): Promise<void> {
  await using xorg = await startXorgDummy();
  const never = new AbortController().signal;
  await using x = await XConnection.open(xorg.display, never);
  await using judge = await XConnection.open(xorg.display, never);
  if (x.randr === undefined) throw new Error("no RandR");
  const { log, lines } = recordingLog();
  let told: ((geometry: DesktopGeometry) => void) | undefined;
  let faults: (string | undefined)[] = [];
  const events = {
    geometry: (geometry: DesktopGeometry) => told?.(geometry),
    fault: (error: Error | undefined) => void faults.push(error?.message),
  };
  const display = new RandrDisplay(x, x.randr, log);
  await using follower = new DisplayFollower(display, events, {
    clock: systemClock,
    log,
    resize: true,
    desktopsOwn: () => undefined,
  });
  const layouts = new RandomLayouts(seed, monitors, 8192, 4096);
  let before = await shown(judge);
  for (let index = 0; index < count; index += 1) {
    const { config, expected } = layouts.next();
    const what = `layout ${index} of seed ${seed}: ${JSON.stringify(config.monitors)}\n${lines.slice(-3).join("\n")}`;
    faults = [];
    const geometry = await new Promise<DesktopGeometry>((resolve) => {
      told = resolve;
      follower.request(config);
    });
    const now = await shown(judge);
    if (expected === undefined) {
      expect(now, what).toEqual(before);
      const isAllOff = config.monitors.every(({ width }) => width === 0);
      expect(faults.length, what).toBe(isAllOff ? 0 : 1);
    } else {
      const wanted = [...expected, ...Array.from({ length: now.outputs.length - expected.length }, () => "off")];
      expect(now.outputs, what).toEqual(wanted);
      expect(now.size, what).toBe(sizeOf(expected));
      expect(faults.at(-1), what).toBeUndefined();
    }
    // Row 35: what is told, for the pointer, is what is there.
    const heads = geometry.displays.map(({ width, height, x: left, y: top }) => `${width}x${height}+${left}+${top}`);
    expect(heads, what).toEqual(now.outputs.filter((one) => one !== "off"));
    before = now;
  }
}

/** What any other client sees: the desktop's size, and of each output its place or "off". */
async function shown(x: XConnection): Promise<{ readonly size: string; readonly outputs: readonly string[] }> {
  const { randr } = x;
  if (randr === undefined) throw new Error("no RandR");
  const resources = await x.ask<import("x11").ScreenResources>((callback) =>
    randr.GetScreenResourcesCurrent(x.root, callback),
  );
  const outputs = await Promise.all(
    resources.outputs.map(async (id) => {
      const output = await x.ask<import("x11").OutputInfo>((callback) => randr.GetOutputInfo(id, 0, callback));
      if (output.crtc === 0) return "off";
      const crtc = await x.ask<import("x11").CrtcInfo>((callback) => randr.GetCrtcInfo(output.crtc, 0, callback));
      return `${crtc.width}x${crtc.height}+${crtc.x}+${crtc.y}`;
    }),
  );
  const { width, height } = await x.rootSize();
  return { size: `${width}x${height}`, outputs };
}

function sizeOf(expected: readonly string[]): string {
  const numbers = expected.filter((one) => one !== "off").map((one) => one.split(/[x+]/).map(Number));
  const width = Math.max(...numbers.map(([w = 0, , left = 0]) => w + left));
  const height = Math.max(...numbers.map(([, h = 0, , top = 0]) => h + top));
  return `${width}x${height}`;
}
