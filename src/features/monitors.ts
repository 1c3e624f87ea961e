// Which displays the viewer wants, as a layout of the guest's outputs: checked, without gaps, at the origin, bounded.
import { BackendError } from "../support/errors.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";
import { arrangedLike, atOrigin, inRow, overlap, type Rectangle, withoutGaps } from "./arrangement.ts";
import { isPlain, type Size, type Turn, turnedSize } from "./turned-display.ts";

/** A rectangle of the desktop for one display, pixels. */
export interface Head extends Rectangle {
  /** SPICE display id. */
  readonly displayId: number;
  /** What the viewer sees of it, where the user has turned or scaled the display; absent where it is the rectangle. */
  readonly picture?: Size;
}

/** What is to be on; every other output is to be off. */
export interface Layout {
  readonly heads: readonly Head[];
  /** The whole desktop, pixels. */
  readonly width: number;
  readonly height: number;
}

/** What the desktop can do. */
export interface DisplayLimits {
  /** Those that have an output. */
  readonly displays: readonly number[];
  readonly minWidth: number;
  readonly minHeight: number;
  readonly maxWidth: number;
  readonly maxHeight: number;
}

/** What the host's graphics card says of one of its displays: how the viewer resizes where no message reaches us. */
export interface PluggedDisplay {
  readonly displayId: number;
  /** The card's first preferred mode; undefined: nothing is plugged in. */
  readonly preferred: Size | undefined;
  /** Where the viewer has it, on cards that tell. */
  readonly suggested: { readonly x: number; readonly y: number } | undefined;
}

export interface DisplayState {
  readonly limits: DisplayLimits;
  /** What is on now, in the order of the displays. */
  readonly layout: Layout;
  /** How the user has turned and scaled displays. */
  readonly turns: ReadonlyMap<number, Turn>;
  /** Displays of cards that tell us by hotplug. */
  readonly plugged: readonly PluggedDisplay[];
}

/** A desktop whose displays can be arranged. Implemented for each way to do it, in desktop/display. */
export interface DesktopDisplay {
  state(): Promise<DisplayState>;
  /** All or nothing: throws a BackendError with the old layout in force. `dpi`: what the desktop is told of its pixels. */
  apply(layout: Layout, dpi?: number): Promise<void>;
}

/**
 * The layout a request amounts to; undefined when it switches everything off, which is not done.
 * Throws a BackendError that says why it cannot be had.
 */
export function layoutFor(
  config: MonitorsConfig,
  { limits, turns }: Pick<DisplayState, "limits" | "turns">,
): Layout | undefined {
  const wanted = config.monitors
    .map(({ width, height, x, y }, displayId) => ({ displayId, width, height, x, y }))
    .filter(({ width, height }) => width > 0 && height > 0);
  if (wanted.length === 0) return undefined;
  const heads = wanted.filter(({ displayId }) => limits.displays.includes(displayId));
  if (heads.length === 0) {
    throw new BackendError(
      "monitors.no-output",
      `display ${wanted[0]?.displayId} of ${limits.displays.length} outputs`,
    );
  }
  return boundedLayout(turned(positioned(heads, config.usePosition), turns), limits);
}

/** The same displays in the arrangement that they have now, which is the user's. Throws as `boundedLayout`. */
export function rearranged(layout: Layout, { layout: now, limits }: Pick<DisplayState, "layout" | "limits">): Layout {
  const old = layout.heads.flatMap(({ displayId }) => now.heads.filter((head) => head.displayId === displayId));
  if (old.length !== layout.heads.length || old.length !== now.heads.length) return layout;
  return boundedLayout(arrangedLike(layout.heads, old), limits);
}

/** Throws a BackendError that says what is too large or too small. */
export function boundedLayout(heads: readonly Head[], limits: DisplayLimits): Layout {
  for (const head of heads) checkSize("display", head.width, head.height, limits);
  const placed = atOrigin(withoutGaps(heads));
  const width = Math.max(...placed.map((head) => head.x + head.width));
  const height = Math.max(...placed.map((head) => head.y + head.height));
  checkSize("desktop", width, height, limits);
  return { heads: placed, width, height };
}

/** Rectangles of pictures become those of the desktop; where a side has changed, the others move along. */
export function turned(heads: readonly Head[], turns: ReadonlyMap<number, Turn>): readonly Head[] {
  const plain = (head: Head): boolean => isPlain(turns.get(head.displayId));
  if (heads.every(plain)) return heads;
  const resized = heads.map((head): Head => {
    const turn = turns.get(head.displayId);
    if (turn === undefined || isPlain(turn)) return head;
    const picture = { width: head.width, height: head.height };
    return { ...head, ...turnedSize(picture, turn), picture };
  });
  return arrangedLike(resized, heads);
}

/** Every head a multiple of 8 wide, as older drivers want it: what to try when the exact size is refused. */
export function roundedLayout(layout: Layout): Layout {
  // Nothing would be left of a narrower one, and what is turned has its width on the other side.
  if (layout.heads.some((head) => head.width < 8 || head.picture !== undefined)) return layout;
  const heads = layout.heads.map((head) => ({ ...head, x: head.x & ~7, width: head.width & ~7 }));
  return { ...layout, heads, width: Math.max(...heads.map((head) => head.x + head.width)) };
}

export function sameLayout(a: Layout, b: Layout): boolean {
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.heads.length === b.heads.length &&
    a.heads.every((head, index) => sameHead(head, b.heads[index]))
  );
}

function sameHead(a: Head, b: Head | undefined): boolean {
  return b !== undefined && a.displayId === b.displayId && samePlace(a, b) && samePicture(a, b);
}

function samePlace(a: Head, b: Head): boolean {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

function samePicture(a: Head, b: Head): boolean {
  const [one, other] = [a.picture ?? a, b.picture ?? b];
  return one.width === other.width && one.height === other.height;
}

function checkSize(what: string, width: number, height: number, limits: DisplayLimits): void {
  if (width > limits.maxWidth || height > limits.maxHeight) {
    const most = `${limits.maxWidth}x${limits.maxHeight}`;
    throw new BackendError("monitors.too-large", `${what} of ${width}x${height}, at most ${most}`);
  }
  if (width < limits.minWidth || height < limits.minHeight) {
    const least = `${limits.minWidth}x${limits.minHeight}`;
    throw new BackendError("monitors.too-small", `${what} of ${width}x${height}, at least ${least}`);
  }
}

/** Positions that are not meant and cannot be right give way to a row from left to right. */
function positioned(heads: readonly Head[], usePosition: boolean): readonly Head[] {
  const clash = overlap(heads);
  if (clash === undefined) return heads;
  if (usePosition) {
    throw new BackendError("monitors.overlap", `displays ${clash[0].displayId} and ${clash[1].displayId} overlap`);
  }
  return inRow(heads);
}
