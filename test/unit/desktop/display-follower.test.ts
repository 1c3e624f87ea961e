// The displays follow the viewer: which wish is tried, what stays when it is refused, and what is told afterwards.
import { describe, expect, test } from "vitest";
import { DisplayFollower, type FollowerOptions } from "../../../src/desktop/display/display-follower.ts";
import type { DesktopDisplay, DisplayState, Head, Layout, PluggedDisplay } from "../../../src/features/monitors.ts";
import type { Turn } from "../../../src/features/turned-display.ts";
import { BackendError, type BackendErrorCode } from "../../../src/support/errors.ts";
import type { DesktopGeometry } from "../../../src/wire/link/messages.ts";
import type { MonitorsConfig } from "../../../src/wire/monitors-config.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
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
  displays: readonly number[] = [0, 1, 2, 3];
  plugged: readonly PluggedDisplay[] = [];
  turns: ReadonlyMap<number, Turn> = new Map();
  readonly dpis: (number | undefined)[] = [];
  readonly tried: string[] = [];
  /** Why a layout is refused, by its size; undefined takes it. */
  refuses: (size: string) => BackendErrorCode | undefined = () => undefined;
  /** Why its state cannot be had; undefined: it can. */
  lost: BackendErrorCode | undefined;

  async state(): Promise<DisplayState> {
    await tick();
    if (this.lost !== undefined) throw new BackendError(this.lost, "no state");
    const limits = { displays: this.displays, minWidth: 8, minHeight: 8, maxWidth: 4096, maxHeight: 4096 };
    return { limits, layout: this.layout, turns: this.turns, plugged: this.plugged };
  }

  async apply(layout: Layout, dpi?: number): Promise<void> {
    const size = `${layout.width}x${layout.height}`;
    this.dpis.push(dpi);
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
  readonly clock: ManualClock;
  /** Another program that arranges displays. */
  owner: string | undefined;
  /** Wishes, one after the other, each settled. */
  ask(...sizes: readonly (readonly [number, number])[]): Promise<void>;
}

function following(options: Partial<FollowerOptions> = {}): Following {
  const display = new FakeDisplay();
  const told: DesktopGeometry[] = [];
  const faults: (BackendErrorCode | undefined)[] = [];
  const { log, lines } = recordingLog();
  const events = {
    geometry: (geometry: DesktopGeometry) => void told.push(geometry),
    fault: (error: BackendError | undefined) => void faults.push(error?.code),
  };
  const clock = new ManualClock();
  const desktopsOwn = (): string | undefined => all.owner;
  const follower = new DisplayFollower(display, events, { clock, log, resize: true, desktopsOwn, ...options });
  const all: Following = {
    clock,
    owner: undefined,
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
  return all;
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
    all.clock.advance(5000);
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

const plug = (
  displayId: number,
  width: number,
  height: number,
  suggested?: { x: number; y: number },
): PluggedDisplay => ({
  displayId,
  preferred: { width, height },
  suggested,
});
const heads = (...rectangles: readonly (readonly [number, number, number, number])[]): Layout => ({
  heads: rectangles.map(([width, height, x, y], displayId): Head => ({ displayId, width, height, x, y })),
  width: Math.max(...rectangles.map(([width, , x]) => x + width)),
  height: Math.max(...rectangles.map(([, height, , y]) => y + height)),
});

/** The card has something plugged in, and the X server tells of it. */
async function plugged(all: Following, ...displays: readonly PluggedDisplay[]): Promise<void> {
  all.display.plugged = displays;
  all.follower.changed();
  await settled();
}

/** Another program arranges the displays. */
async function undo(all: Following, layout: Layout): Promise<void> {
  all.display.layout = layout;
  all.follower.changed();
  await settled();
}

describe("row 38: what the card has plugged in", () => {
  test("is set at once where no desktop does it, once", async () => {
    await using all = following();
    await plugged(all, plug(0, 1283, 721));
    for (let turn = 0; turn < 3; turn += 1) await plugged(all, plug(0, 1283, 721));
    expect(all.display.tried).toEqual(["1283x721"]);
    expect(widths(all.told)).toEqual([1283]);
  });

  test("lies where the card says the viewer has it", async () => {
    await using all = following();
    await plugged(all, plug(0, 800, 600, { x: 640, y: 20 }), plug(1, 640, 480, { x: 0, y: 0 }));
    expect(all.display.layout).toEqual(heads([800, 600, 640, 20], [640, 480, 0, 0]));
  });

  test("without such a word stands to the right of what is on", async () => {
    await using all = following();
    await plugged(all, plug(0, 800, 600), plug(1, 640, 480));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
    await plugged(all, plug(0, 900, 700), plug(1, 640, 480), plug(2, 320, 200));
    expect(all.display.layout).toEqual(heads([900, 700, 0, 0], [640, 480, 900, 0], [320, 200, 1540, 0]));
  });

  test("that X shows all in one place at its start, gets a place for each", async () => {
    await using all = following();
    all.display.layout = heads([800, 600, 0, 0], [640, 480, 0, 0]);
    await plugged(all, plug(0, 800, 600), plug(1, 640, 480));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
  });

  test("and unplugged again goes; nothing at all plugged in changes nothing", async () => {
    await using all = following();
    await plugged(all, plug(0, 800, 600), plug(1, 640, 480));
    await plugged(all, plug(0, 800, 600), { displayId: 1, preferred: undefined, suggested: undefined });
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0]));
    await plugged(all, { displayId: 0, preferred: undefined, suggested: undefined });
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0]));
  });

  test("30 sizes in a row end on the last, and none is set twice", async () => {
    await using all = following();
    for (let step = 0; step < 30; step += 1) {
      all.display.plugged = [plug(0, 800 + step, 600)];
      all.follower.changed();
      if (step % 7 === 0) await tick();
    }
    await settled();
    expect(all.display.layout.width).toBe(829);
    expect(new Set(all.display.tried).size).toBe(all.display.tried.length);
  });

  test("does not matter once it is switched off in the configuration", async () => {
    await using all = following({ resize: false });
    await plugged(all, plug(0, 800, 600));
    expect(all.display.tried).toEqual([]);
    expect(widths(all.told)).toEqual([1024]);
  });

  test("a display of another card stays as it is", async () => {
    await using all = following();
    all.display.layout = heads([1024, 768, 0, 0], [640, 480, 1024, 0]);
    await plugged(all, plug(0, 800, 600));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
  });

  test("too large is told, and the old layout stays", async () => {
    await using all = following();
    await plugged(all, plug(0, 5000, 600));
    expect(all.display.tried).toEqual([]);
    expect(all.faults).toEqual(["monitors.too-large"]);
  });

  test("a message of the viewer counts more than what was plugged in before", async () => {
    await using all = following();
    await plugged(all, plug(0, 800, 600));
    await all.ask([1280, 720]);
    await plugged(all, plug(0, 800, 600));
    expect(all.display.tried).toEqual(["800x600", "1280x720"]);
  });
});

describe("a desktop that arranges displays itself", () => {
  test("gets half a second, and what it has done by then stays, wherever it has put the displays", async () => {
    await using all = following();
    all.owner = "org.xfce.SettingsDaemon";
    await plugged(all, plug(0, 800, 600), plug(1, 640, 480));
    expect(all.display.tried).toEqual([]);
    all.display.layout = heads([800, 600, 0, 480], [640, 480, 0, 0]);
    all.clock.advance(500);
    await settled();
    expect(all.display.tried).toEqual([]);
    expect(all.lines.at(-1)).toMatch(/layout left to org.xfce.SettingsDaemon/);
  });

  test("is not waited for where the viewer's layout cannot be had, and that is told once", async () => {
    await using all = following();
    all.owner = "org.xfce.SettingsDaemon";
    await plugged(all, plug(0, 5000, 600));
    expect(all.faults).toEqual(["monitors.too-large"]);
    expect(all.lines.filter((line) => line.includes("layout kept"))).toHaveLength(1);
  });

  test("and is not waited for longer", async () => {
    await using all = following();
    all.owner = "org.xfce.SettingsDaemon";
    await plugged(all, plug(0, 800, 600));
    all.clock.advance(499);
    await settled();
    expect(all.display.tried).toEqual([]);
    all.clock.advance(1);
    await settled();
    expect(all.display.tried).toEqual(["800x600"]);
  });

  test("what is plugged in meanwhile gets half a second of its own", async () => {
    await using all = following();
    all.owner = "org.mate.SettingsDaemon";
    await plugged(all, plug(0, 800, 600));
    all.clock.advance(400);
    await plugged(all, plug(0, 900, 600));
    all.clock.advance(100);
    await settled();
    expect(all.display.tried).toEqual([]);
    all.clock.advance(500);
    await settled();
    expect(all.display.tried).toEqual(["900x600"]);
  });
});

describe("a program that undoes what is set", () => {
  test("is countered three times; then that is told and it has its way", async () => {
    await using all = following();
    await all.ask([800, 600]);
    for (let turn = 0; turn < 5; turn += 1) await undo(all, layoutOf(640, 480));
    expect(all.display.tried).toEqual(["800x600", "800x600", "800x600", "800x600"]);
    expect(all.display.layout).toEqual(layoutOf(640, 480));
    expect(all.faults.at(-1)).toBe("monitors.contested");
    expect(all.lines.filter((line) => line.startsWith("error"))).toHaveLength(1);
    await all.ask([900, 600]);
    expect(all.display.tried.at(-1)).toBe("900x600");
    expect(all.faults.at(-1)).toBeUndefined();
  });

  test("a person who does it later is not", async () => {
    await using all = following();
    await all.ask([800, 600]);
    all.clock.advance(2001);
    await undo(all, layoutOf(640, 480));
    expect(all.display.tried).toEqual(["800x600"]);
    expect(all.display.layout).toEqual(layoutOf(640, 480));
  });
});

describe("what the user has chosen survives a resize", () => {
  const two = (width: number): MonitorsConfig => ({
    monitors: [
      { width, height: 600, depth: 32, x: 0, y: 0 },
      { width: 640, height: 480, depth: 32, x: width, y: 0 },
    ],
    usePosition: true,
  });
  const request = async (all: Following, config: MonitorsConfig): Promise<void> => {
    all.follower.request(config);
    await settled();
  };

  test("who is left of whom, by message", async () => {
    await using all = following();
    await request(all, two(800));
    await undo(all, heads([800, 600, 640, 0], [640, 480, 0, 0]));
    await request(all, two(900));
    expect(all.display.layout).toEqual(heads([900, 600, 640, 0], [640, 480, 0, 0]));
  });

  test("who is above whom, by hotplug, though the card says where the viewer has it", async () => {
    await using all = following();
    const displays = (width: number) => [plug(0, width, 600, { x: 0, y: 0 }), plug(1, 640, 480, { x: width, y: 0 })];
    await plugged(all, ...displays(800));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
    await undo(all, heads([800, 600, 0, 480], [640, 480, 0, 0]));
    await plugged(all, ...displays(900));
    expect(all.display.layout).toEqual(heads([900, 600, 0, 480], [640, 480, 0, 0]));
  });

  test("a display more, and the viewer's arrangement is back", async () => {
    await using all = following();
    await request(all, two(800));
    await undo(all, heads([800, 600, 640, 0], [640, 480, 0, 0]));
    await all.ask([800, 600]);
    await request(all, two(800));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
  });

  test("what was asked of an output that was not there is done when it comes", async () => {
    await using all = following();
    all.display.displays = [0];
    await undo(all, layoutOf(1024, 768));
    await request(all, two(800));
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0]));
    all.clock.advance(60_000);
    all.display.displays = [0, 1];
    await undo(all, all.display.layout);
    expect(all.display.layout).toEqual(heads([800, 600, 0, 0], [640, 480, 800, 0]));
  });

  test("a display on its side is as high as the viewer's window is wide", async () => {
    await using all = following();
    all.display.turns = new Map([[0, { rotation: 2, transform: [1, 0, 0, 0, 1, 0, 0, 0, 1] }]]);
    await request(all, two(800));
    expect(all.display.layout.heads[0]).toEqual({
      ...{ displayId: 0, x: 0, y: 0, width: 600, height: 800 },
      picture: { width: 800, height: 600 },
    });
    expect(all.display.layout.heads[1]).toMatchObject({ x: 600, width: 640 });
    // For the pointer.
    expect(all.told.at(-1)?.displays.map(({ turned }) => turned?.rotation)).toEqual([2, undefined]);
  });
});

describe("row 40: the viewer's pixels", () => {
  const sized = (widthMm: number): MonitorsConfig => ({
    monitors: [{ width: 1920, height: 1080, depth: 32, x: 0, y: 0, physical: { widthMm, heightMm: 200 } }],
    usePosition: true,
  });

  test.each([
    ["of 13 inches are told", 286, [171]],
    ["of unknown size are not", 0, []],
    ["of a wall are not", 5000, []],
  ])("%s", async (_, widthMm, expected) => {
    const told: number[] = [];
    await using all = following({ setDpi: async (dpi) => void told.push(dpi) });
    all.follower.request(sized(widthMm));
    await settled();
    expect(told).toEqual(expected);
    expect(all.display.dpis).toEqual([expected[0]]);
  });

  test("are nobody's affair unless asked for", async () => {
    await using all = following();
    all.follower.request(sized(286));
    await settled();
    expect(all.display.dpis).toEqual([undefined]);
  });
});
