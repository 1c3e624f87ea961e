// The displays follow the viewer: which wish is tried, what stays when it is refused, and what is told afterwards.
import { describe, expect, test } from "vitest";
import { DisplayFollower } from "../../../src/desktop/display/display-follower.ts";
import type { DesktopDisplay, DisplayState, Layout } from "../../../src/features/monitors.ts";
import { BackendError, type BackendErrorCode } from "../../../src/support/errors.ts";
import type { DesktopGeometry } from "../../../src/wire/link/messages.ts";
import type { MonitorsConfig } from "../../../src/wire/monitors-config.ts";
import { recordingLog } from "../../fakes/recording-log.ts";

function layoutOf(width: number, height: number): Layout {
  return { heads: [{ displayId: 0, x: 0, y: 0, width, height }], width, height };
}

function wish(width: number, height: number): MonitorsConfig {
  return { monitors: [{ width, height, depth: 32, x: 0, y: 0 }], usePosition: true };
}

/** A desktop that takes its time, and refuses what it is told to refuse. */
class FakeDisplay implements DesktopDisplay {
  layout = layoutOf(1024, 768);
  readonly tried: string[] = [];
  /** Why a layout is refused, by its size; undefined takes it. */
  refuses: (size: string) => BackendErrorCode | undefined = () => undefined;
  /** Why its state cannot be had; undefined: it can. */
  lost: BackendErrorCode | undefined;

  async state(): Promise<DisplayState> {
    await tick();
    if (this.lost !== undefined) throw new BackendError(this.lost, "no state");
    const limits = { outputs: 4, minWidth: 8, minHeight: 8, maxWidth: 4096, maxHeight: 4096 };
    return { limits, layout: this.layout };
  }

  async apply(layout: Layout): Promise<void> {
    const size = `${layout.width}x${layout.height}`;
    this.tried.push(size);
    await tick();
    const reason = this.refuses(size);
    if (reason !== undefined) throw new BackendError(reason, "refused");
    this.layout = layout;
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await tick();
}

interface Following extends AsyncDisposable {
  readonly display: FakeDisplay;
  readonly follower: DisplayFollower;
  readonly told: DesktopGeometry[];
  /** What was told of the wishes' faults: codes, and `undefined` where there is none any more. */
  readonly faults: (BackendErrorCode | undefined)[];
  readonly lines: readonly string[];
  /** Wishes, one after the other, each settled. */
  ask(...sizes: readonly (readonly [number, number])[]): Promise<void>;
}

function following(): Following {
  const display = new FakeDisplay();
  const told: DesktopGeometry[] = [];
  const faults: (BackendErrorCode | undefined)[] = [];
  const { log, lines } = recordingLog();
  const events = {
    geometry: (geometry: DesktopGeometry) => void told.push(geometry),
    fault: (error: BackendError | undefined) => void faults.push(error?.code),
  };
  const follower = new DisplayFollower(display, events, log);
  return {
    display,
    follower,
    told,
    faults,
    lines,
    ask: async (...sizes) => {
      for (const [width, height] of sizes) {
        follower.request(wish(width, height));
        await settled();
      }
    },
    [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
  };
}

const widths = (told: readonly DesktopGeometry[]): number[] => told.map(({ width }) => width);

describe("row 28: a wish is made true", () => {
  test("the size is set and told, display by display", async () => {
    await using all = following();
    await all.ask([1280, 720]);
    expect(all.display.tried).toEqual(["1280x720"]);
    expect(all.told).toEqual([
      { width: 1280, height: 720, displays: [{ displayId: 0, x: 0, y: 0, width: 1280, height: 720 }] },
    ]);
    expect(all.lines).toEqual(["info: layout set: 0:1280x720+0+0"]);
  });

  test("an odd size is set as it is where the desktop can", async () => {
    await using all = following();
    await all.ask([1003, 701]);
    expect(all.display.tried).toEqual(["1003x701"]);
  });

  test("row 29: and rounded where it cannot", async () => {
    await using all = following();
    all.display.refuses = (size) => (size === "1003x701" ? "monitors.refused" : undefined);
    await all.ask([1003, 701]);
    expect(all.display.tried).toEqual(["1003x701", "1000x701"]);
    expect(widths(all.told)).toEqual([1000]);
  });

  test("what is there already is not set again, but told again", async () => {
    await using all = following();
    await all.ask([1024, 768], [1024, 768]);
    expect(all.display.tried).toEqual([]);
    expect(widths(all.told)).toEqual([1024, 1024]);
  });

  test("of 20 wishes in a row the first is begun and the newest wins", async () => {
    await using all = following();
    for (let index = 0; index < 20; index += 1) all.follower.request(wish(800 + 10 * index, 600));
    await settled();
    expect(all.display.tried).toEqual(["800x600", "990x600"]);
    expect(widths(all.told)).toEqual([800, 990]);
  });

  test("a wish in the middle of another is served after it", async () => {
    await using all = following();
    all.follower.request(wish(800, 600));
    await tick();
    await tick();
    all.follower.request(wish(640, 480));
    all.follower.request(wish(1280, 800));
    await settled();
    expect(all.display.tried).toEqual(["800x600", "1280x800"]);
  });
});

describe("row 35: geometry is told after every wish, whatever became of it", () => {
  test.each<[string, MonitorsConfig, RegExp]>([
    ["too large", wish(5000, 600), /^error: layout kept: monitors.too-large: /],
    ["too small", wish(4, 4), /^error: layout kept: monitors.too-small: /],
    ["row 32: everything off", wish(0, 0), /^info: layout kept: the viewer has every display off$/],
    [
      "overlapping",
      { monitors: [...wish(800, 600).monitors, ...wish(800, 600).monitors], usePosition: true },
      /^error: layout kept: monitors.overlap/,
    ],
  ])("%s: the old layout stays, and is told", async (_, config, line) => {
    await using all = following();
    all.follower.request(config);
    await settled();
    expect(all.display.tried).toEqual([]);
    expect(all.display.layout).toEqual(layoutOf(1024, 768));
    expect(widths(all.told)).toEqual([1024]);
    expect(all.lines).toEqual([expect.stringMatching(line)]);
  });

  test("a change by somebody else is told", async () => {
    await using all = following();
    await all.ask([800, 600]);
    all.display.layout = layoutOf(640, 480);
    all.follower.changed();
    await settled();
    expect(widths(all.told)).toEqual([800, 640]);
  });

  test("a change that is none is told once only, and the first of all is told", async () => {
    await using all = following();
    for (let turn = 0; turn < 3; turn += 1) {
      all.follower.changed();
      await settled();
    }
    expect(widths(all.told)).toEqual([1024]);
  });

  test("changes that our own setting brings about are not told twice", async () => {
    await using all = following();
    all.follower.request(wish(800, 600));
    await tick();
    for (let turn = 0; turn < 10; turn += 1) {
      all.follower.changed();
      await tick();
    }
    await settled();
    expect(widths(all.told)).toEqual([800]);
  });
});

describe("row 33: what is refused", () => {
  const refusing = (): Following => {
    const all = following();
    all.display.refuses = (size) => (size.endsWith("x701") ? "monitors.refused" : undefined);
    return all;
  };

  test("is tried once, exact and rounded, however often it is asked for; the old layout stays and is told", async () => {
    await using all = refusing();
    await all.ask([1003, 701], [1003, 701], [1003, 701]);
    expect(all.display.tried).toEqual(["1003x701", "1000x701"]);
    expect(all.display.layout).toEqual(layoutOf(1024, 768));
    expect(widths(all.told)).toEqual([1024, 1024, 1024]);
    expect(all.lines).toHaveLength(2);
    expect(all.lines[0]).toBe("error: layout 0:1003x701+0+0 not set: monitors.refused: refused");
  });

  test("a round one is tried once, for rounding would not change it", async () => {
    await using all = refusing();
    await all.ask([1000, 701]);
    expect(all.display.tried).toEqual(["1000x701"]);
  });

  test("another wish is tried, and after it the first once more: much may have changed", async () => {
    await using all = refusing();
    await all.ask([1000, 701], [800, 600], [1000, 701]);
    expect(all.display.tried).toEqual(["1000x701", "800x600", "1000x701"]);
    expect(widths(all.told)).toEqual([1024, 800, 800]);
  });

  test("exact, and taken rounded: the exact one is not tried again", async () => {
    await using all = following();
    all.display.refuses = (size) => (size.startsWith("1003") ? "monitors.refused" : undefined);
    await all.ask([1003, 700], [1003, 700]);
    expect(all.display.tried).toEqual(["1003x700", "1000x700"]);
    expect(widths(all.told)).toEqual([1000, 1000]);
  });

  test("what rounds to what is there is not set again", async () => {
    await using all = following();
    all.display.refuses = () => "monitors.refused";
    await all.ask([1027, 768], [1027, 768]);
    expect(all.display.tried).toEqual(["1027x768"]);
    expect(widths(all.told)).toEqual([1024, 1024]);
  });
});

describe("why a wish was not fulfilled", () => {
  test("is told when the rules refuse it and when the desktop does, and that it is over when one is fulfilled", async () => {
    await using all = following();
    await all.ask([5000, 600]);
    expect(all.faults).toEqual(["monitors.too-large"]);
    all.display.refuses = (size) => (size === "1000x701" ? "monitors.refused" : undefined);
    await all.ask([1000, 701]);
    expect(all.faults).toEqual(["monitors.too-large", "monitors.refused"]);
    await all.ask([800, 600]);
    expect(all.faults.at(-1)).toBeUndefined();
  });

  test("is over too when the exact size was refused and the rounded one taken", async () => {
    await using all = following();
    all.display.refuses = (size) => (size === "1003x701" ? "monitors.refused" : undefined);
    await all.ask([1003, 701]);
    expect(all.faults).toEqual(["monitors.refused", undefined]);
  });

  test("is over when the viewer comes to want what is there", async () => {
    await using all = following();
    await all.ask([5000, 600], [1024, 768]);
    expect(all.faults.at(-1)).toBeUndefined();
  });
});

describe("a desktop that goes away", () => {
  test("in the middle: the rounded size is not tried, and the size is no refused one", async () => {
    await using all = following();
    all.display.refuses = () => "display.lost";
    await all.ask([1003, 701]);
    expect(all.display.tried).toEqual(["1003x701"]);
    all.display.refuses = () => undefined;
    await all.ask([1003, 701]);
    expect(all.display.tried).toEqual(["1003x701", "1003x701"]);
  });

  test("a state that cannot be had is logged, and the next wish is served", async () => {
    await using all = following();
    all.display.lost = "display.request-failed";
    await all.ask([800, 600]);
    expect(all.lines).toEqual(["warn: display.request-failed: no state"]);
    expect(all.told).toEqual([]);
    all.display.lost = undefined;
    await all.ask([800, 600]);
    expect(widths(all.told)).toEqual([800]);
  });

  test("a wish that came while the state could not be had is served all the same", async () => {
    await using all = following();
    all.display.lost = "display.request-failed";
    all.follower.request(wish(640, 480));
    all.follower.request(wish(800, 600));
    await tick();
    all.display.lost = undefined;
    await settled();
    expect(all.display.tried).toEqual(["800x600"]);
  });
});

describe("when it ends", () => {
  test("what was begun is finished, what was not is not begun", async () => {
    const all = following();
    all.follower.request(wish(800, 600));
    all.follower.request(wish(640, 480));
    await all.follower[Symbol.asyncDispose]();
    expect(all.display.tried).toEqual(["800x600"]);
    all.follower.request(wish(320, 200));
    await settled();
    expect(all.display.tried).toEqual(["800x600"]);
  });

  test("ending what does nothing takes no time", async () => {
    await following().follower[Symbol.asyncDispose]();
  });
});
