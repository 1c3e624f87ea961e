// The viewer's pointer as input events: what moves, what clicks, and what is dropped.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  desktopSize,
  type InputEvent,
  knowsDisplay,
  type PointerState,
  pointerStep,
  restingPointer,
} from "../../../src/features/pointer.ts";
import { MouseButton } from "../../../src/wire/agent-constants.ts";
import type { MouseState } from "../../../src/wire/mouse-state.ts";

const syn: InputEvent = { type: 0, code: 0, value: 0 };
const absX = (value: number): InputEvent => ({ type: 3, code: 0, value });
const absY = (value: number): InputEvent => ({ type: 3, code: 1, value });
const key = (code: number, value: number): InputEvent => ({ type: 1, code, value });
const wheel = (value: number): InputEvent => ({ type: 2, code: 8, value });

/** Two displays side by side, and a third that is off. */
const desktop: PointerState = {
  ...restingPointer,
  displays: [
    { displayId: 0, x: 0, y: 0, width: 1024, height: 768 },
    { displayId: 1, x: 1024, y: 0, width: 800, height: 600 },
    { displayId: 2, x: 0, y: 0, width: 0, height: 0 },
  ],
};

function mouse(state: Partial<MouseState>): MouseState {
  return { x: 0, y: 0, buttons: 0, displayId: 0, ...state };
}

const at = (x: number, y: number, buttons = 0): PointerState => ({ ...desktop, x, y, buttons });

const { UP, DOWN, LEFT, RIGHT, MIDDLE, SIDE, EXTRA } = MouseButton;

test.each<[string, PointerState, Partial<MouseState>, readonly InputEvent[]]>([
  ["row 18: a display's offset is added", at(0, 0), { x: 10, y: 20, displayId: 1 }, [absX(1034), absY(20), syn]],
  ["row 18: the first display has none", at(0, 0), { x: 10, y: 20 }, [absX(10), absY(20), syn]],
  ["row 19: only the axis that changed is told: x", at(10, 20), { x: 11, y: 20 }, [absX(11), syn]],
  ["row 19: only the axis that changed is told: y", at(10, 20), { x: 10, y: 21 }, [absY(21), syn]],
  ["row 19: the same state again is a report of nothing", at(10, 20), { x: 10, y: 20 }, [syn]],
  ["row 19: the same spot told by another display is the same spot", at(1024, 0), { x: 0, y: 0, displayId: 1 }, [syn]],
  ["row 20: left", at(0, 0), { buttons: LEFT }, [key(0x110, 1), syn]],
  ["row 20: right", at(0, 0), { buttons: RIGHT }, [key(0x111, 1), syn]],
  ["row 20: middle", at(0, 0), { buttons: MIDDLE }, [key(0x112, 1), syn]],
  ["row 20: side", at(0, 0), { buttons: SIDE }, [key(0x113, 1), syn]],
  ["row 20: extra", at(0, 0), { buttons: EXTRA }, [key(0x114, 1), syn]],
  ["row 20: side let go", at(0, 0, SIDE), { buttons: 0 }, [key(0x113, 0), syn]],
  ["row 20: a button held stays held", at(0, 0, LEFT), { x: 5, buttons: LEFT }, [absX(5), syn]],
  [
    "row 20: one goes up in the moment another goes down",
    at(0, 0, LEFT),
    { buttons: RIGHT },
    [key(0x110, 0), key(0x111, 1), syn],
  ],
  [
    "row 20: the pointer is there before the button is down",
    at(0, 0),
    { x: 3, buttons: LEFT },
    [absX(3), key(0x110, 1), syn],
  ],
  ["bits that are no button are none", at(0, 0), { buttons: 0xffffff01 }, [syn]],
  ["row 21: the wheel up", at(0, 0), { buttons: UP }, [wheel(1), syn]],
  ["row 21: the wheel down", at(0, 0), { buttons: DOWN }, [wheel(-1), syn]],
  ["row 21: still up is no second turn", at(0, 0, UP), { buttons: UP }, [syn]],
  ["row 21: from up to down is one turn down", at(0, 0, UP), { buttons: DOWN }, [wheel(-1), syn]],
  ["row 21: back to rest is no turn", at(0, 0, DOWN), { buttons: 0 }, [syn]],
  ["row 21: the wheel while a button is held", at(0, 0, LEFT), { buttons: LEFT | UP }, [wheel(1), syn]],
  ["row 22: an unknown display: nothing at all", at(0, 0), { x: 5, y: 5, buttons: LEFT, displayId: 9 }, []],
  ["row 22: a display that is off: nothing at all", at(0, 0), { x: 5, y: 5, buttons: LEFT, displayId: 2 }, []],
  ["past the right edge is the last column of that display", at(0, 0), { x: 5000, y: 5 }, [absX(1023), absY(5), syn]],
  ["past the lower edge is its last row", at(0, 0), { y: 600, displayId: 1 }, [absX(1024), absY(599), syn]],
  [
    "the largest coordinates that fit in the message",
    at(0, 0),
    { x: 0xffffffff, y: 0xffffffff, displayId: 1 },
    [absX(1823), absY(599), syn],
  ],
])("%s", (_, before, state, events) => {
  const [after, told] = pointerStep(before, { kind: "host-moved", mouse: mouse(state) });
  expect(told).toEqual(events);
  if (events.length === 0) expect(after).toBe(before);
  else expect(after.buttons).toBe(state.buttons ?? 0);
});

describe("row 25: when the viewer leaves", () => {
  test.each<[string, number, readonly InputEvent[]]>([
    ["what it held is let go", LEFT | EXTRA, [key(0x110, 0), key(0x114, 0), syn]],
    ["nothing held, nothing told", 0, []],
    ["a wheel on its way does not turn back", UP, [syn]],
  ])("%s", (_, buttons, events) => {
    const [after, told] = pointerStep(at(7, 8, buttons), { kind: "viewer-left" });
    expect(told).toEqual(events);
    expect(after).toEqual(at(7, 8));
    expect(pointerStep(after, { kind: "viewer-left" })[1]).toEqual([]);
  });
});

describe("row 23: geometry", () => {
  test("a new report moves the next state, not the pointer", () => {
    const displays = [{ displayId: 1, x: 0, y: 100, width: 640, height: 480 }];
    const [after, events] = pointerStep(desktop, { kind: "geometry-reported", displays });
    expect(events).toEqual([]);
    expect([knowsDisplay(desktop, 0), knowsDisplay(after, 0), knowsDisplay(after, 1)]).toEqual([true, false, true]);
    expect(pointerStep(after, { kind: "host-moved", mouse: mouse({ x: 1, y: 2, displayId: 1 }) })[1]).toEqual([
      absX(1),
      absY(102),
      syn,
    ]);
  });

  test("the same spot is told again after a change of geometry, for the desktop may have moved the pointer", () => {
    const displays = desktop.displays.slice(0, 1);
    const [after] = pointerStep(at(10, 20), { kind: "geometry-reported", displays });
    const [again, events] = pointerStep(after, { kind: "host-moved", mouse: mouse({ x: 10, y: 20 }) });
    expect(events).toEqual([absX(10), absY(20), syn]);
    expect(pointerStep(again, { kind: "host-moved", mouse: mouse({ x: 10, y: 20 }) })[1]).toEqual([syn]);
  });

  test("a report that changes nothing does not", () => {
    const displays = desktop.displays.map((display) => ({ ...display }));
    const [after] = pointerStep(at(10, 20), { kind: "geometry-reported", displays });
    expect(pointerStep(after, { kind: "host-moved", mouse: mouse({ x: 10, y: 20 }) })[1]).toEqual([syn]);
  });

  test("a button held through a report stays held", () => {
    const [after] = pointerStep(at(0, 0, LEFT), { kind: "geometry-reported", displays: desktop.displays });
    expect(pointerStep(after, { kind: "viewer-left" })[1]).toEqual([key(0x110, 0), syn]);
  });

  test("the first state of all is told, also at the origin", () => {
    expect(pointerStep(restingPointer, { kind: "host-moved", mouse: mouse({}) })[1]).toEqual([absX(0), absY(0), syn]);
  });

  test("a report of no display stands for any: display 0 begins at the origin, as large as need be", () => {
    const [after] = pointerStep(desktop, { kind: "geometry-reported", displays: [] });
    const [, events] = pointerStep(after, { kind: "host-moved", mouse: mouse({ x: 5000, y: 4000 }) });
    expect(events).toEqual([absX(5000), absY(4000), syn]);
    expect([knowsDisplay(after, 0), knowsDisplay(after, 1)]).toEqual([true, false]);
    expect(desktopSize(after)).toEqual({ width: 0x8000, height: 0x8000 });
    const [again] = pointerStep(after, { kind: "geometry-reported", displays: [] });
    expect(again).toBe(after);
  });

  test("the whole desktop reaches from the origin to the far edges of its displays, and is never nothing", () => {
    const sized = (...displays: readonly (readonly [number, number, number, number])[]) =>
      desktopSize({
        ...restingPointer,
        displays: displays.map(([x, y, width, height], displayId) => ({ displayId, x, y, width, height })),
      });
    expect(sized([0, 0, 1280, 1024])).toEqual({ width: 1280, height: 1024 });
    expect(sized([0, 200, 1280, 1024], [1280, 0, 800, 600])).toEqual({ width: 2080, height: 1224 });
    expect(sized([0, 0, 0, 0])).toEqual({ width: 1, height: 1 });
    expect(sized([-100, -100, 50, 50])).toEqual({ width: 1, height: 1 });
  });

  test("before any report, display 0 begins at the origin and others are unknown", () => {
    const [, events] = pointerStep(restingPointer, { kind: "host-moved", mouse: mouse({ x: 1919, y: 1079 }) });
    expect(events).toEqual([absX(1919), absY(1079), syn]);
    expect(pointerStep(restingPointer, { kind: "host-moved", mouse: mouse({ displayId: 1 }) })[1]).toEqual([]);
  });
});

test("whatever comes, the pointer stays on a display that is on, and every report ends in one SYN", () => {
  const anyMouse = fc.record({
    x: fc.nat(0xffffffff),
    y: fc.nat(0xffffffff),
    buttons: fc.nat(0xffffffff),
    displayId: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(fc.option(anyMouse)), (states) => {
      let state = desktop;
      const down = new Set<number>();
      for (const next of states) {
        const input =
          next === null ? ({ kind: "viewer-left" } as const) : ({ kind: "host-moved", mouse: next } as const);
        const [after, events] = pointerStep(state, input);
        state = after;
        expect(events.filter(({ type }) => type === 0)).toHaveLength(events.length > 0 ? 1 : 0);
        if (events.length > 0) expect(events.at(-1)).toEqual(syn);
        for (const { code, value } of events.filter(({ type }) => type === 1)) {
          // A key that is down goes up before it goes down again.
          expect(down.has(code)).toBe(value === 0);
          if (value === 1) down.add(code);
          else down.delete(code);
        }
        expect(state.x ?? 0).toBeLessThan(1824);
        expect(state.y ?? 0).toBeLessThan(768);
      }
      const [, last] = pointerStep(state, { kind: "viewer-left" });
      expect(
        last
          .filter(({ type }) => type === 1)
          .map(({ code }) => code)
          .sort(),
      ).toEqual([...down].sort());
    }),
  );
});

describe("row 18: on a display that its user has turned", () => {
  const transform = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const turned = { width: 1000, height: 700, rotation: 2, transform };
  const displays = [{ displayId: 0, x: 100, y: 50, width: 700, height: 1000, turned }];
  const [state] = pointerStep(restingPointer, { kind: "geometry-reported", displays });
  const placed = (x: number, y: number) =>
    pointerStep(state, { kind: "host-moved", mouse: { x, y, buttons: 0, displayId: 0 } })[1]
      .filter(({ type }) => type === 3)
      .map(({ value }) => value);

  test("the pointer is where the viewer's is in the picture", () => {
    expect(placed(0, 699)).toEqual([100, 50]);
    expect(placed(999, 0)).toEqual([799, 1049]);
    // Outside of the picture: at its edge.
    expect(placed(5000, 5000)).toEqual([100, 1049]);
  });

  test("turned back, it is another geometry", () => {
    const upright = [{ displayId: 0, x: 100, y: 50, width: 700, height: 1000 }];
    const [after] = pointerStep(state, { kind: "geometry-reported", displays: upright });
    expect(after.displays).toEqual(upright);
  });
});
