/** What comes in at the guest's pointers: from the kernel (evdev), and as an application sees it (X). */
import { until } from "../integration/peers/until.ts";
import type { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";

export interface InputDevice {
  /** /dev/input/eventN. */
  readonly device: string;
  readonly name: string;
  /** Smallest and largest value by axis number. */
  readonly abs: Readonly<Record<string, readonly [number, number]>>;
}

/** One `struct input_event`; the numbers of linux/input-event-codes.h. */
export interface InputEvent {
  readonly device: string;
  readonly type: number;
  readonly code: number;
  readonly value: number;
  /** The guest's CLOCK_REALTIME. */
  readonly atMs: number;
}

export interface InputWatch extends AsyncDisposable {
  /** All that were ever there, the latest last. */
  devices(): Promise<readonly InputDevice[]>;
  /** All so far, EV_SYN included. */
  events(): Promise<readonly InputEvent[]>;
}

/** Listens to the devices whose name contains `name`, also those still to come. Does not grab them. */
export async function watchInput(guest: Guest, name = ""): Promise<InputWatch> {
  const watcher = await guest.start(["python3", "-B", "/mnt/tools/input-events.py", name]);
  const lines = async (): Promise<readonly object[]> =>
    (await watcher.output())
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as object);
  const devices = async (): Promise<InputDevice[]> =>
    (await lines()).filter((line): line is InputDevice => "name" in line);
  return {
    devices,
    events: async () => (await lines()).filter((line): line is InputEvent => "type" in line),
    [Symbol.asyncDispose]: () => watcher.kill(),
  };
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export async function pointerPosition(desktop: Desktop): Promise<Point> {
  const text = await desktop.output(["xdotool", "getmouselocation", "--shell"]);
  return { x: Number(/^X=(\d+)/m.exec(text)?.[1]), y: Number(/^Y=(\d+)/m.exec(text)?.[1]) };
}

export interface XPointerEvent {
  readonly kind: "motion" | "press" | "release";
  /** X numbers: 1 left, 2 middle, 3 right, 4 wheel up, 5 wheel down. Undefined for a motion. */
  readonly button: number | undefined;
  /** Of the whole screen. */
  readonly at: Point;
}

export interface PointerWindow extends AsyncDisposable {
  /** Of the whole screen: where it is, without the window manager's frame. */
  readonly area: Point & { readonly width: number; readonly height: number };
  events(): Promise<readonly XPointerEvent[]>;
}

/**
 * Opens a window that tells what the pointer does over it. A window, because the root's buttons are the window
 * manager's. Pixels, the frame included.
 */
export async function openPointerWindow(desktop: Desktop, geometry = "600x400+100+100"): Promise<PointerWindow> {
  // xev writes through stdio, which holds back what goes to a file.
  const xev = await desktop.start(["stdbuf", "-oL", "xev", "-name", "pointer", "-geometry", geometry]);
  const find = async (): Promise<string> => {
    const info = await desktop.output(["xwininfo", "-name", "pointer"]);
    return info.includes("IsViewable") ? info : "";
  };
  try {
    const info = await until("xev's window", async () => (await find()) || undefined, 20_000, 200);
    const number = (label: string): number => Number(new RegExp(`${label}:\\s+(-?\\d+)`).exec(info)?.[1]);
    return {
      area: {
        x: number("Absolute upper-left X"),
        y: number("Absolute upper-left Y"),
        width: number("Width"),
        height: number("Height"),
      },
      events: async () => parseXev(await xev.output()),
      [Symbol.asyncDispose]: () => xev.kill(),
    };
  } catch (error) {
    await xev.kill();
    throw error;
  }
}

const KINDS: Readonly<Record<string, XPointerEvent["kind"]>> = {
  MotionNotify: "motion",
  ButtonPress: "press",
  ButtonRelease: "release",
};

function parseXev(text: string): XPointerEvent[] {
  return text.split("\n\n").flatMap((part) => {
    const kind = KINDS[/^(\w+) event/m.exec(part)?.[1] ?? ""];
    const at = /root:\((-?\d+),(-?\d+)\)/.exec(part);
    if (kind === undefined || at === null) return [];
    const button = /\bbutton (\d+)/.exec(part)?.[1];
    return [
      { kind, button: button === undefined ? undefined : Number(button), at: { x: Number(at[1]), y: Number(at[2]) } },
    ];
  });
}
