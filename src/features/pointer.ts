// The viewer's pointer as input events of an absolute device: MOUSE_STATE and the desktop's geometry in, events out.
import { MouseButton } from "../wire/agent-constants.ts";
import type { DisplayGeometry } from "../wire/link/messages.ts";
import type { MouseState } from "../wire/mouse-state.ts";
import { ontoDesktop } from "./turned-display.ts";

/** One `struct input_event` of linux/input.h without its time. */
export interface InputEvent {
  readonly type: number;
  readonly code: number;
  readonly value: number;
}

/** linux/input-event-codes.h */
const EV_SYN = 0;
const EV_KEY = 1;
const EV_REL = 2;
const EV_ABS = 3;
const SYN_REPORT = 0;
const REL_WHEEL = 8;
const ABS_X = 0;
const ABS_Y = 1;

const keyOfButton: readonly (readonly [number, number])[] = [
  [MouseButton.LEFT, 0x110],
  [MouseButton.RIGHT, 0x111],
  [MouseButton.MIDDLE, 0x112],
  [MouseButton.SIDE, 0x113],
  [MouseButton.EXTRA, 0x114],
];

export interface PointerState {
  /** Where the pointer was put last, pixels on the whole desktop; undefined when it may be anywhere. */
  readonly x: number | undefined;
  readonly y: number | undefined;
  readonly buttons: number;
  readonly displays: readonly DisplayGeometry[];
}

export type PointerInput =
  | { readonly kind: "host-moved"; readonly mouse: MouseState }
  | { readonly kind: "geometry-reported"; readonly displays: readonly DisplayGeometry[] }
  | { readonly kind: "viewer-left" };

/** Where a session cannot tell: one display at the origin, as large as need be. */
const anyDisplay: DisplayGeometry = { displayId: 0, x: 0, y: 0, width: 0x8000, height: 0x8000 };

export const restingPointer: PointerState = { x: undefined, y: undefined, buttons: 0, displays: [anyDisplay] };

export function pointerStep(state: PointerState, input: PointerInput): readonly [PointerState, readonly InputEvent[]] {
  switch (input.kind) {
    case "geometry-reported":
      return geometryReported(state, input.displays.length === 0 ? [anyDisplay] : input.displays);
    case "host-moved":
      return moved(state, input.mouse);
    case "viewer-left": {
      // A button held while the viewer goes would stay down for ever.
      if (state.buttons === 0) return [state, []];
      return [{ ...state, buttons: 0 }, [...buttonEvents(state.buttons, 0), report]];
    }
    default:
      return input satisfies never;
  }
}

function geometryReported(state: PointerState, displays: readonly DisplayGeometry[]): readonly [PointerState, []] {
  if (sameDisplays(state.displays, displays)) return [state, []];
  // The desktop may have pushed the pointer to another place.
  return [{ ...state, x: undefined, y: undefined, displays }, []];
}

/** The device has not taken the events: it is where it was, and what was pressed there is still pressed. */
export function pointerMissed(before: PointerState): PointerState {
  return { ...before, x: undefined, y: undefined };
}

/** Pixels of the whole desktop. */
export function desktopSize({ displays }: PointerState): { readonly width: number; readonly height: number } {
  return {
    width: Math.max(1, ...displays.map((display) => display.x + display.width)),
    height: Math.max(1, ...displays.map((display) => display.y + display.height)),
  };
}

/** Whether a display with this id is part of the desktop; a state for any other is dropped. */
export function knowsDisplay(state: PointerState, displayId: number): boolean {
  return displayOf(state, displayId) !== undefined;
}

function sameDisplays(a: readonly DisplayGeometry[], b: readonly DisplayGeometry[]): boolean {
  const keys = ["displayId", "x", "y", "width", "height"] as const;
  const turn = (display: DisplayGeometry | undefined): string => JSON.stringify(display?.turned) ?? "";
  return (
    a.length === b.length &&
    a.every(
      (display, index) => keys.every((key) => display[key] === b[index]?.[key]) && turn(display) === turn(b[index]),
    )
  );
}

const report: InputEvent = { type: EV_SYN, code: SYN_REPORT, value: 0 };

function displayOf(state: PointerState, displayId: number): DisplayGeometry | undefined {
  return state.displays.find((display) => display.displayId === displayId && display.width > 0 && display.height > 0);
}

function moved(state: PointerState, mouse: MouseState): readonly [PointerState, readonly InputEvent[]] {
  const display = displayOf(state, mouse.displayId);
  if (display === undefined) return [state, []];
  const { turned } = display;
  const at = turned === undefined ? mouse : ontoDesktop(mouse.x, mouse.y, turned, turned);
  const x = display.x + Math.max(0, Math.min(at.x, display.width - 1));
  const y = display.y + Math.max(0, Math.min(at.y, display.height - 1));
  const events: InputEvent[] = [];
  if (x !== state.x) events.push({ type: EV_ABS, code: ABS_X, value: x });
  if (y !== state.y) events.push({ type: EV_ABS, code: ABS_Y, value: y });
  events.push(...buttonEvents(state.buttons, mouse.buttons), ...wheelEvents(state.buttons, mouse.buttons), report);
  return [{ ...state, x, y, buttons: mouse.buttons }, events];
}

function buttonEvents(before: number, after: number): InputEvent[] {
  const changed = before ^ after;
  return keyOfButton
    .filter(([mask]) => (changed & mask) !== 0)
    .map(([mask, key]) => ({ type: EV_KEY, code: key, value: (after & mask) === 0 ? 0 : 1 }));
}

/** A turn of the wheel is a press and a release of a button; the press is the turn. */
function wheelEvents(before: number, after: number): InputEvent[] {
  const pressed = after & ~before;
  const events: InputEvent[] = [];
  if ((pressed & MouseButton.UP) !== 0) events.push({ type: EV_REL, code: REL_WHEEL, value: 1 });
  if ((pressed & MouseButton.DOWN) !== 0) events.push({ type: EV_REL, code: REL_WHEEL, value: -1 });
  return events;
}
