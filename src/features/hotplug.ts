// The layout that the host's graphics cards ask for: in QEMU a viewer's wish ends at the card, and the kernel plugs its displays.
import type { MonitorsConfig } from "../wire/monitors-config.ts";
import { arrangedLike, inRow, overlap } from "./arrangement.ts";
import { boundedLayout, type DisplayState, type Head, type Layout, turned } from "./monitors.ts";
import type { Size } from "./turned-display.ts";

export interface HotplugWishes {
  /** What the viewer said last, where its messages reach us. */
  readonly viewer: MonitorsConfig | undefined;
  /** The user has moved displays since: their arrangement counts for more than the viewer's. */
  readonly isUsersArrangement: boolean;
}

/**
 * Every display that is plugged in, in its card's preferred mode; undefined when none is. Displays of other cards stay as
 * they are. Throws a BackendError that says why it cannot be had.
 */
export function hotplugLayout(state: DisplayState, wishes: HotplugWishes): Layout | undefined {
  const { plugged, layout, limits, turns } = state;
  const pictures = new Map<number, Size>();
  for (const { displayId, preferred } of plugged) if (preferred !== undefined) pictures.set(displayId, preferred);
  if (pictures.size === 0) return undefined;
  const isCards = (id: number): boolean => plugged.some(({ displayId }) => displayId === id);
  const others = layout.heads.filter(({ displayId }) => !isCards(displayId));
  for (const { displayId, picture, width, height } of others) pictures.set(displayId, picture ?? { width, height });
  const heads = [...pictures]
    .sort(([a], [b]) => a - b)
    .map(([id, size]): Head => ({ displayId: id, x: 0, y: 0, ...size }));

  const places = viewersPlaces(heads, state, wishes);
  if (places !== undefined) return boundedLayout(turned(places, turns), limits);
  const resized = heads.flatMap((head) => turned([head], turns));
  return boundedLayout(asTheyAre(resized, layout.heads), limits);
}

/** The heads where the viewer has them, if that is known of all, is no nonsense, and the user does not have it otherwise. */
function viewersPlaces(
  heads: readonly Head[],
  { plugged }: DisplayState,
  { viewer, isUsersArrangement }: HotplugWishes,
): readonly Head[] | undefined {
  if (isUsersArrangement) return undefined;
  const suggested = heads.map((head) => {
    const at = plugged.find(({ displayId }) => displayId === head.displayId)?.suggested;
    return at === undefined ? undefined : { ...head, ...at };
  });
  if (isWhole(suggested) && overlap(suggested) === undefined) return suggested;
  const told = heads.map(({ displayId }) => viewer?.monitors[displayId]).map((one) => (one?.width ? one : undefined));
  if (isWhole(told) && overlap(told) === undefined) return arrangedLike(heads, told);
  return undefined;
}

/** Those that are on keep their arrangement, those that come stand to the right of them. */
function asTheyAre(heads: readonly Head[], now: readonly Head[]): readonly Head[] {
  const isOn = (head: Head): boolean => now.some(({ displayId }) => displayId === head.displayId);
  const staying = heads.filter(isOn);
  const old = staying.map(({ displayId }) => now.find((head) => head.displayId === displayId) as Head);
  if (overlap(old) !== undefined) return inRow(heads);
  const kept = arrangedLike(staying, old);
  const right = Math.max(0, ...kept.map(({ x, width }) => x + width));
  const coming = inRow(heads.filter((head) => !isOn(head))).map((head) => ({ ...head, x: head.x + right }));
  return [...kept, ...coming].sort((a, b) => a.displayId - b.displayId);
}

/** The displays are on in the sizes wanted; where they lie may be somebody's choice. */
export function showsSamePictures(a: Layout, b: Layout): boolean {
  const pictures = ({ heads }: Layout): string =>
    heads
      .map(
        ({ displayId, picture, width, height }) =>
          `${displayId}:${picture?.width ?? width}x${picture?.height ?? height}`,
      )
      .join();
  return pictures(a) === pictures(b);
}

/** The displays are the same, but one lies elsewhere: somebody has arranged them. */
export function isRearranged(now: Layout, set: Layout): boolean {
  return (
    now.heads.length === set.heads.length &&
    now.heads.every(({ displayId }, index) => displayId === set.heads[index]?.displayId) &&
    now.heads.some(({ x, y }, index) => x !== set.heads[index]?.x || y !== set.heads[index]?.y)
  );
}

function isWhole<T>(values: readonly (T | undefined)[]): values is readonly T[] {
  return !values.includes(undefined);
}
