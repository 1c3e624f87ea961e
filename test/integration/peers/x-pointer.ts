/** The guest's pointer: where it is, by xdotool, and what its buttons do, by xev. */
import { createInterface } from "node:readline";
import { monotonicMs, until } from "./until.ts";
import { runOn, startOn } from "./x-programs.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export async function pointerPosition(display: string): Promise<Point> {
  const text = await runOn(display, "xdotool", ["getmouselocation", "--shell"]);
  return { x: Number(/^X=(\d+)/m.exec(text)?.[1]), y: Number(/^Y=(\d+)/m.exec(text)?.[1]) };
}

export interface ButtonEvent {
  readonly kind: "press" | "release";
  /** X numbers: 1 left, 2 middle, 3 right, 4 wheel up, 5 wheel down. */
  readonly button: number;
  readonly root: Point;
  /** `monotonicMs()` when xev's line was read. */
  readonly atMs: number;
}

export interface ButtonWatch extends AsyncDisposable {
  readonly events: readonly ButtonEvent[];
  /** The first press of a button, which may be there already. Fails after `timeoutMs` (5 s). */
  press(button: number, timeoutMs?: number): Promise<ButtonEvent>;
  release(button: number, timeoutMs?: number): Promise<ButtonEvent>;
}

/** Watches the buttons over the root window. Only one at a time per display: X gives presses to one client. */
export async function watchButtons(display: string): Promise<ButtonWatch> {
  // xev writes through stdio, which holds back what goes to a pipe.
  const xev = await startOn(display, "stdbuf", ["-oL", "xev", "-root", "-event", "button"], { stdout: "pipe" });
  const events: ButtonEvent[] = [];
  let kind: ButtonEvent["kind"] | undefined;
  let root: Point = { x: 0, y: 0 };
  createInterface({ input: xev.stdout }).on("line", (line) => {
    const start = /^Button(Press|Release) event/.exec(line);
    if (start !== null) kind = start[1] === "Press" ? "press" : "release";
    const at = /root:\((-?\d+),(-?\d+)\)/.exec(line);
    if (at !== null) root = { x: Number(at[1]), y: Number(at[2]) };
    const button = /\bbutton (\d+)/.exec(line);
    if (button === null || kind === undefined) return;
    events.push({ kind, button: Number(button[1]), root, atMs: monotonicMs() });
    kind = undefined;
  });
  const find = (wanted: ButtonEvent["kind"], button: number, timeoutMs = 20_000): Promise<ButtonEvent> =>
    until(
      `button ${button} to ${wanted}`,
      () => events.find((event) => event.kind === wanted && event.button === button),
      timeoutMs,
      5,
    );
  try {
    await until("xev to watch the buttons", () => selected(display), 20_000);
  } catch (error) {
    await xev.kill();
    throw error;
  }
  return {
    events,
    press: (button, timeoutMs) => find("press", button, timeoutMs),
    release: (button, timeoutMs) => find("release", button, timeoutMs),
    [Symbol.asyncDispose]: () => xev.kill(),
  };
}

/** Whether a client watches button presses on the root window. */
async function selected(display: string): Promise<boolean> {
  return /^\s+ButtonPress$/m.test(await runOn(display, "xwininfo", ["-root", "-events"]));
}
