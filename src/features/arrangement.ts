// Rectangles on a plane that no two share: what lies right of or below what, gaps, and new sizes in an old arrangement.

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** From left to right, in the order given. */
export function inRow<R extends Rectangle>(rectangles: readonly R[]): readonly R[] {
  let x = 0;
  return rectangles.map((rectangle) => {
    const moved = { ...rectangle, x, y: 0 };
    x += rectangle.width;
    return moved;
  });
}

/** Left and top edges at 0, whatever corner of the world they were counted from. */
export function atOrigin<R extends Rectangle>(rectangles: readonly R[]): readonly R[] {
  const left = Math.min(...rectangles.map(({ x }) => x));
  const top = Math.min(...rectangles.map(({ y }) => y));
  return rectangles.map((rectangle) => ({ ...rectangle, x: rectangle.x - left, y: rectangle.y - top }));
}

/** Two that share a place, if any do. */
export function overlap<R extends Rectangle>(rectangles: readonly R[]): readonly [R, R] | undefined {
  for (const [index, a] of rectangles.entries()) {
    for (const b of rectangles.slice(index + 1)) if (isBeside(a, b) && isLevel(a, b)) return [a, b];
  }
  return undefined;
}

/** Strips of the plane from edge to edge on which nothing lies are taken out: no pointer would get across. */
export function withoutGaps<R extends Rectangle>(rectangles: readonly R[]): readonly R[] {
  const x = closing(rectangles.map((one) => [one.x, one.x + one.width]));
  const y = closing(rectangles.map((one) => [one.y, one.y + one.height]));
  return rectangles.map((one) => ({ ...one, x: one.x - x(one.x), y: one.y - y(one.y) }));
}

/** How far a place moves when what no interval covers is taken out. */
function closing(intervals: readonly (readonly [number, number])[]): (place: number) => number {
  const gaps: { readonly end: number; readonly width: number }[] = [];
  let reached: number | undefined;
  for (const [from, to] of [...intervals].sort(([a], [b]) => a - b)) {
    if (reached !== undefined && from > reached) gaps.push({ end: from, width: from - reached });
    reached = Math.max(reached ?? to, to);
  }
  return (place) => gaps.reduce((sum, gap) => (gap.end <= place ? sum + gap.width : sum), 0);
}

/**
 * Rectangles of new sizes, arranged as others of the same indexes: what touched or lay right of or below another still
 * does. Where the old ones share a place, as mirrored displays do, or nothing else comes of it: a row.
 */
export function arrangedLike<R extends Rectangle>(sized: readonly R[], old: readonly Rectangle[]): readonly R[] {
  if (overlap(old) !== undefined) return inRow(sized);
  const x = placed(sized, old, "x", "width", isLevel);
  const y = placed(sized, old, "y", "height", isBeside);
  const moved = sized.map((one, index) => ({ ...one, x: x[index] ?? 0, y: y[index] ?? 0 }));
  if (overlap(moved) === undefined) return moved;
  const order = [...old.keys()].sort((a, b) => (old[a]?.x ?? 0) - (old[b]?.x ?? 0));
  const row = inRow(order.map((index) => sized[index] as R));
  return sized.map((_, index) => row[order.indexOf(index)] as R);
}

/** Along one axis: after all that came before it in its own lane, keeping the distance; else where it was. */
function placed(
  sized: readonly Rectangle[],
  old: readonly Rectangle[],
  at: "x" | "y",
  length: "width" | "height",
  sharesLane: (a: Rectangle, b: Rectangle) => boolean,
): readonly number[] {
  const places: number[] = [];
  for (const index of [...old.keys()].sort((a, b) => (old[a]?.[at] ?? 0) - (old[b]?.[at] ?? 0))) {
    const one = old[index] as Rectangle;
    const before = [...old.entries()].filter(
      ([other, rectangle]) =>
        other !== index &&
        places[other] !== undefined &&
        rectangle[at] + rectangle[length] <= one[at] &&
        sharesLane(rectangle, one),
    );
    const after = before.map(([other, rectangle]) => {
      const distance = one[at] - (rectangle[at] + rectangle[length]);
      return (places[other] ?? 0) + (sized[other]?.[length] ?? 0) + distance;
    });
    places[index] = after.length === 0 ? one[at] : Math.max(...after);
  }
  return places;
}

/** They have a row of pixels in common. */
function isLevel(a: Rectangle, b: Rectangle): boolean {
  return a.y < b.y + b.height && b.y < a.y + a.height;
}

/** They have a column of pixels in common. */
function isBeside(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width;
}
