// Which displays the viewer wants, as a layout of the guest's outputs: checked, moved to the origin, bounded.
import { BackendError } from "../support/errors.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";

/** A rectangle of the desktop for one display, pixels. */
export interface Head {
  /** SPICE display id; the guest's output of the same index shows it. */
  readonly displayId: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
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
  readonly outputs: number;
  readonly minWidth: number;
  readonly minHeight: number;
  readonly maxWidth: number;
  readonly maxHeight: number;
}

export interface DisplayState {
  readonly limits: DisplayLimits;
  /** What is on now, in the order of the outputs. */
  readonly layout: Layout;
}

/** A desktop whose displays can be arranged. Implemented for each way to do it, in desktop/display. */
export interface DesktopDisplay {
  state(): Promise<DisplayState>;
  /** All or nothing: throws a BackendError with the old layout in force. */
  apply(layout: Layout): Promise<void>;
}

/**
 * The layout a request amounts to; undefined when it switches everything off, which is not done.
 * Throws a BackendError that says why it cannot be had.
 */
export function layoutFor(config: MonitorsConfig, limits: DisplayLimits): Layout | undefined {
  const wanted = config.monitors
    .map(({ width, height, x, y }, displayId) => ({ displayId, width, height, x, y }))
    .filter(({ width, height }) => width > 0 && height > 0);
  const heads = wanted.filter(({ displayId }) => displayId < limits.outputs);
  if (wanted.length === 0) return undefined;
  if (heads.length === 0) {
    throw new BackendError("monitors.no-output", `display ${wanted[0]?.displayId} of ${limits.outputs} outputs`);
  }
  for (const head of heads) checkSize("display", head.width, head.height, limits);
  const placed = atOrigin(positioned(heads, config.usePosition));
  const width = Math.max(...placed.map((head) => head.x + head.width));
  const height = Math.max(...placed.map((head) => head.y + head.height));
  checkSize("desktop", width, height, limits);
  return { heads: placed, width, height };
}

/** Every head a multiple of 8 wide, as older drivers want it: what to try when the exact size is refused. */
export function roundedLayout(layout: Layout): Layout {
  // Nothing would be left of a narrower one.
  if (layout.heads.some((head) => head.width < 8)) return layout;
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
  return (
    b !== undefined &&
    a.displayId === b.displayId &&
    a.x === b.x &&
    a.y === b.y &&
    a.width === b.width &&
    a.height === b.height
  );
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
  let x = 0;
  return heads.map((head) => {
    const moved = { ...head, x, y: 0 };
    x += head.width;
    return moved;
  });
}

function overlap(heads: readonly Head[]): readonly [Head, Head] | undefined {
  for (const [index, a] of heads.entries()) {
    for (const b of heads.slice(index + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      if (!apart) return [a, b];
    }
  }
  return undefined;
}

/** Left and top edges at 0, whatever corner of the world the viewer counts from. */
function atOrigin(heads: readonly Head[]): readonly Head[] {
  const left = Math.min(...heads.map((head) => head.x));
  const top = Math.min(...heads.map((head) => head.y));
  return heads.map((head) => ({ ...head, x: head.x - left, y: head.y - top }));
}
