/** Something to see and to click on the guest's screen: a picture behind, and a window of xmessage with a button. */
import type { PeerProcess } from "../integration/peers/processes.ts";
import { until } from "../integration/peers/until.ts";
import type { Point } from "../integration/peers/x-pointer.ts";
import { runOn, startOn } from "../integration/peers/x-programs.ts";

/** xmessage ends with this code when its button is pressed: the proof that the click reached an application. */
export const CLICKED = 42;
const BUTTON = "Click me";

export interface GuestWindow extends AsyncDisposable {
  readonly process: PeerProcess;
  /** The middle of the button, on the guest's screen. Pixels. */
  readonly button: Point;
}

/** A grid of 16 pixels, the largest X itself draws. */
export async function paintBackground(display: string): Promise<void> {
  await runOn(display, "xsetroot", ["-mod", "16", "16", "-bg", "#173f5f", "-fg", "#20639b"]);
}

/** Opens the window in the middle of the screen and waits until its button can be seen. */
export async function openWindow(display: string, lines: readonly string[]): Promise<GuestWindow> {
  const look = [
    "*message.scrollVertical: never",
    "*form.background: #f6f1e5",
    "*Text.background: #fffdf7",
    "*Text.borderWidth: 0",
    "*Command.background: #f6d55c",
  ].flatMap((resource) => ["-xrm", resource]);
  const buttons = ["-buttons", `${BUTTON}:${CLICKED}`];
  const window = await startOn(display, "xmessage", ["-center", ...look, ...buttons, `\n${lines.join("\n")}\n`]);
  try {
    const button = await until("xmessage to open its window", () => findButton(display), 5000);
    return { process: window, button, [Symbol.asyncDispose]: () => window.kill() };
  } catch (error) {
    await window.kill();
    throw error;
  }
}

/** The button has no name: it is the last window of xmessage's that is not as wide as the text. */
async function findButton(display: string): Promise<Point | undefined> {
  const tree = await runOn(display, "xwininfo", ["-name", "xmessage", "-tree", "-stats"]);
  if (!tree.includes("IsViewable")) return undefined;
  const windows = [...tree.matchAll(/(\d+)x(\d+)\+-?\d+\+-?\d+ {2}\+(-?\d+)\+(-?\d+)$/gm)];
  const [width, height, x, y] = (windows.at(-1) ?? []).slice(1).map(Number);
  if (width === undefined || height === undefined || x === undefined || y === undefined) return undefined;
  return { x: x + Math.floor(width / 2), y: y + Math.floor(height / 2) };
}
