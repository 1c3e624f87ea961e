// Arranges the displays of an X server through RandR 1.3, as xrandr does it: all of a layout under one server grab,
// and the old one again when any part of it is refused.

import type x11 from "x11";
import type { DesktopDisplay, DisplayState, Head, Layout } from "../../features/monitors.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { XConnection } from "../x11/x-connection.ts";
import { modeTiming } from "./mode-timing.ts";

/** Modes we make carry this in their names, so that a later start finds what an earlier one left. */
const MODE_SUFFIX = "_tsvdagent";
const ROTATE_0 = 1;
const SUCCESS = 0;
/** Positions are 16 bits with a sign. */
const MAX_COORDINATE = 32_767;
const NONE = 0;
const CURRENT_TIME = 0;
/** Millimetres of a pixel at 96 dpi, the desktop's size when nobody knows better. */
const MM_PER_PIXEL = 25.4 / 96;

interface Output {
  readonly id: number;
  readonly name: string;
  /** CRTC it is on, or 0. */
  readonly crtc: number;
  readonly crtcs: readonly number[];
  readonly modes: readonly number[];
}

interface Crtc {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly mode: number;
  readonly rotation: number;
  readonly outputs: readonly number[];
}

interface Mode {
  readonly id: number;
  readonly name: string;
  readonly width: number;
  readonly height: number;
}

/** All that a layout changes, as it was at one moment. */
interface Screen {
  readonly width: number;
  readonly height: number;
  readonly configTimestamp: number;
  readonly outputs: readonly Output[];
  readonly crtcs: readonly Crtc[];
  readonly modes: readonly Mode[];
}

/** A head, and what shows it. */
interface Wanted {
  readonly head: Head;
  readonly output: Output;
  readonly mode: number;
  /** The output does not know the mode yet. */
  readonly isNew: boolean;
}

type Placement = Omit<Crtc, "width" | "height">;

export class RandrDisplay implements DesktopDisplay {
  readonly #x: XConnection;
  readonly #randr: x11.Randr;
  readonly #log: Log;
  /** What `state` has found, for an `apply` that follows on it at once. */
  #justRead: Screen | undefined;

  constructor(x: XConnection, randr: x11.Randr, log: Log) {
    this.#x = x;
    this.#randr = randr;
    this.#log = log;
  }

  async state(): Promise<DisplayState> {
    const [screen, range] = await Promise.all([
      this.#screen(),
      this.#x.ask<x11.ScreenSizeRange>((callback) => this.#randr.GetScreenSizeRange(this.#x.root, callback)),
    ]);
    const heads = screen.outputs.flatMap((output, displayId): Head[] => {
      const crtc = screen.crtcs.find(({ id, mode }) => id === output.crtc && mode !== NONE);
      return crtc === undefined ? [] : [{ displayId, x: crtc.x, y: crtc.y, width: crtc.width, height: crtc.height }];
    });
    this.#justRead = screen;
    setImmediate(() => {
      this.#justRead = undefined;
    });
    const { minWidth, minHeight } = range;
    const [maxWidth, maxHeight] = [Math.min(range.maxWidth, MAX_COORDINATE), Math.min(range.maxHeight, MAX_COORDINATE)];
    return {
      limits: { outputs: screen.outputs.length, minWidth, minHeight, maxWidth, maxHeight },
      layout: { heads, width: screen.width, height: screen.height },
    };
  }

  async apply(layout: Layout): Promise<void> {
    const before = this.#justRead ?? (await this.#screen());
    this.#justRead = undefined;
    const wanted: Wanted[] = [];
    try {
      for (const head of layout.heads) wanted.push(await this.#prepare(head, before));
      await this.#underGrab(() => this.#change(before, layout, wanted));
    } finally {
      await this.#removeUnusedModes();
    }
  }

  /** Finds or makes the mode. */
  async #prepare(head: Head, screen: Screen): Promise<Wanted> {
    const output = screen.outputs[head.displayId];
    if (output === undefined) throw new BackendError("monitors.no-output", `no output for display ${head.displayId}`);
    const fits = screen.modes.filter((mode) => mode.width === head.width && mode.height === head.height);
    const known = fits.find((mode) => output.modes.includes(mode.id));
    if (known !== undefined) return { head, output, mode: known.id, isNew: false };
    const name = `${head.width}x${head.height}${MODE_SUFFIX}`;
    const mode = fits.find((made) => made.name === name)?.id ?? (await this.#createMode(name, head));
    return { head, output, mode, isNew: true };
  }

  #createMode(name: string, { width, height }: Head): Promise<number> {
    const timing = { ...modeTiming(width, height), name };
    return this.#x.ask((callback) => this.#randr.CreateMode(this.#x.root, timing, callback));
  }

  #addMode(output: Output, mode: number): Promise<void> {
    return this.#x.check(() => this.#randr.AddOutputMode(output.id, mode));
  }

  async #change(before: Screen, layout: Layout, wanted: readonly Wanted[]): Promise<void> {
    const taken = new Set<number>();
    const placed = wanted.map(({ head, output, mode }) => {
      // The CRTC it has, else its own by number, else any that is free.
      const candidates = [output.crtc, before.crtcs[head.displayId]?.id ?? NONE, ...output.crtcs];
      const crtc = candidates.find((id) => id !== NONE && output.crtcs.includes(id) && !taken.has(id));
      if (crtc === undefined) throw new BackendError("monitors.no-output", `no CRTC free for ${output.name}`);
      taken.add(crtc);
      return { id: crtc, x: head.x, y: head.y, mode, rotation: ROTATE_0, outputs: [output.id] };
    });
    const added = wanted.filter(({ isNew }) => isNew).map(({ output, mode }) => this.#addMode(output, mode));
    try {
      await allDone([...added, ...this.#set(before, layout.width, layout.height, placed)]);
    } catch (error) {
      await this.#restore(before);
      throw error;
    }
  }

  /**
   * Switches off what is not wanted or would stick out, sizes the desktop, then places the rest. The requests go out one
   * after the other without waiting for answers: every wait would be seen by the person who drags the window.
   */
  #set(before: Screen, width: number, height: number, placed: readonly Placement[]): Promise<void>[] {
    const requests: Promise<void>[] = [];
    for (const crtc of before.crtcs) {
      if (crtc.mode === NONE) continue;
      const stays = placed.some(({ id }) => id === crtc.id);
      const fits = crtc.x + crtc.width <= width && crtc.y + crtc.height <= height;
      if (!stays || !fits) requests.push(this.#setCrtc(before, { ...crtc, x: 0, y: 0, mode: NONE, outputs: [] }));
    }
    if (width !== before.width || height !== before.height) requests.push(this.#setScreenSize(width, height));
    for (const crtc of placed) requests.push(this.#setCrtc(before, crtc));
    return requests;
  }

  async #restore(before: Screen): Promise<void> {
    try {
      const now = await this.#screen();
      const placed = before.crtcs.filter((crtc) => crtc.mode !== NONE);
      await allDone(this.#set(now, before.width, before.height, placed));
    } catch (error) {
      this.#log.error(`the layout before could not be restored: ${describeError(error)}`);
    }
  }

  async #setCrtc(screen: Screen, crtc: Placement): Promise<void> {
    const { status } = await this.#x.ask<{ status: number }>((callback) =>
      this.#randr.SetCrtcConfig(
        crtc.id,
        CURRENT_TIME,
        screen.configTimestamp,
        crtc.x,
        crtc.y,
        crtc.mode,
        crtc.rotation,
        crtc.outputs,
        callback,
      ),
    );
    if (status !== SUCCESS)
      throw new BackendError("monitors.refused", `the X server refused a mode (status ${status})`);
  }

  #setScreenSize(width: number, height: number): Promise<void> {
    const [widthMm, heightMm] = [width, height].map((pixels) => Math.max(1, Math.round(pixels * MM_PER_PIXEL)));
    return this.#x.check(() => this.#randr.SetScreenSize(this.#x.root, width, height, widthMm ?? 1, heightMm ?? 1));
  }

  /** One visible change: nobody draws or asks in between. */
  async #underGrab(change: () => Promise<void>): Promise<void> {
    this.#x.client.GrabServer();
    try {
      await change();
    } finally {
      this.#x.client.UngrabServer();
    }
  }

  /** Modes of ours that show nowhere: the previous one, and what a start before this one left behind. */
  async #removeUnusedModes(): Promise<void> {
    const { outputs, crtcs, modes } = await this.#screen();
    const used = new Set(crtcs.map((crtc) => crtc.mode));
    for (const mode of modes) {
      if (!mode.name.endsWith(MODE_SUFFIX) || used.has(mode.id)) continue;
      try {
        for (const output of outputs) {
          if (output.modes.includes(mode.id))
            await this.#x.check(() => this.#randr.DeleteOutputMode(output.id, mode.id));
        }
        await this.#x.check(() => this.#randr.DestroyMode(mode.id));
      } catch (error) {
        this.#log.debug(`mode ${mode.name} stays: ${describeError(error)}`);
      }
    }
  }

  #resources(): Promise<x11.ScreenResources> {
    return this.#x.ask((callback) => this.#randr.GetScreenResourcesCurrent(this.#x.root, callback));
  }

  async #screen(): Promise<Screen> {
    const [resources, size] = await Promise.all([this.#resources(), this.#x.rootSize()]);
    const [outputs, crtcs] = await Promise.all([
      Promise.all(resources.outputs.map((id) => this.#output(id, resources))),
      Promise.all(resources.crtcs.map((id) => this.#crtc(id, resources))),
    ]);
    return { ...size, configTimestamp: resources.config_timestamp, outputs, crtcs, modes: resources.modeinfos };
  }

  async #output(id: number, { config_timestamp }: x11.ScreenResources): Promise<Output> {
    const info = await this.#x.ask<x11.OutputInfo>((callback) =>
      this.#randr.GetOutputInfo(id, config_timestamp, callback),
    );
    return { id, name: info.name, crtc: info.crtc, crtcs: info.crtcs, modes: info.modes };
  }

  async #crtc(id: number, { config_timestamp }: x11.ScreenResources): Promise<Crtc> {
    const info = await this.#x.ask<x11.CrtcInfo>((callback) => this.#randr.GetCrtcInfo(id, config_timestamp, callback));
    const { x, y, width, height, mode, rotation, output } = info;
    return { id, x, y, width, height, mode, rotation, outputs: output };
  }
}

/** Waits for all, then throws the first failure: nothing may be under way when the old layout is restored. */
async function allDone(requests: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(requests)) {
    if (result.status === "rejected") throw result.reason;
  }
}
