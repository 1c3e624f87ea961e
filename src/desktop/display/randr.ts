// Arranges the displays of an X server through RandR 1.3, as xrandr does it: all of a layout under one server grab,
// and the old one again when any part of it is refused.

import type x11 from "x11";
import type { DesktopDisplay, DisplayState, Head, Layout, PluggedDisplay } from "../../features/monitors.ts";
import { isPlain, noTurn, type Size, type Turn } from "../../features/turned-display.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { GraphicsDeviceInfo } from "../../wire/graphics-device-info.ts";
import type { XConnection } from "../x11/x-connection.ts";
import { longsOf } from "../x11/x-property.ts";
import { type DrmCard, isLit, readDrmCards } from "./drm-cards.ts";
import { modeTiming } from "./mode-timing.ts";
import { connectorOf, mapOutputs } from "./output-map.ts";
import { refusalAdvice, unseenDisplays } from "./video-memory.ts";

/** Modes we make carry this in their names, so that a later start finds what an earlier one left. */
const MODE_SUFFIX = "_tsvdagent";
const SUCCESS = 0;
/** Positions are 16 bits with a sign. */
const MAX_COORDINATE = 32_767;
const NONE = 0;
const CURRENT_TIME = 0;
const ANY_TYPE = 0;
const CONNECTED = 0;
const MM_PER_INCH = 25.4;
/** When nobody knows better. */
const USUAL_DPI = 96;
/** Of `suggested X` and `suggested Y`: the viewer has not said. */
const NO_SUGGESTION = 0xffffffff;

interface Output {
  readonly id: number;
  readonly name: string;
  /** CRTC it is on, or 0. */
  readonly crtc: number;
  readonly crtcs: readonly number[];
  readonly modes: readonly number[];
  /** Of the modes, which the driver lists first; 0: something is plugged in that prefers none, or nothing is. */
  readonly preferred: number;
  /** Where its card wants it; undefined: not asked for. */
  readonly suggested: Suggestion | undefined;
}

interface Suggestion {
  readonly x: number | undefined;
  readonly y: number | undefined;
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
  readonly turn: Turn;
  readonly mode: number;
  /** The output does not know the mode yet. */
  readonly isNew: boolean;
}

type Placement = Omit<Crtc, "width" | "height">;

/** Outputs by display, and what is behind them, for as long as the outputs have these names. */
interface Wiring {
  readonly names: string;
  /** Index of the output by display. */
  readonly outputs: ReadonlyMap<number, number>;
  readonly cards: readonly DrmCard[];
}

export interface RandrOptions {
  /** Where the kernel's sysfs is. */
  readonly sys?: string;
}

export class RandrDisplay implements DesktopDisplay {
  readonly #x: XConnection;
  readonly #randr: x11.Randr;
  readonly #log: Log;
  readonly #sys: string | undefined;
  #devices: GraphicsDeviceInfo | undefined;
  #wiring: Wiring | undefined;
  /** How the user has turned outputs, by name: also of those that are off for a while. */
  readonly #turns = new Map<string, Turn>();
  #dpi = USUAL_DPI;
  /** What `state` has found, for an `apply` that follows on it at once. */
  #justRead: Screen | undefined;
  /** What there was when it was read last: asked about at once, for each wait would be seen by who drags the window. */
  #known: { readonly outputs: readonly number[]; readonly crtcs: readonly number[] } = { outputs: [], crtcs: [] };
  /** Outputs of SPICE's cards, whose places are asked for with all the rest. */
  readonly #ofCards = new Set<number>();

  constructor(x: XConnection, randr: x11.Randr, log: Log, { sys }: RandrOptions = {}) {
    this.#x = x;
    this.#randr = randr;
    this.#log = log;
    this.#sys = sys;
  }

  /** What the host says of its cards. */
  wire(devices: GraphicsDeviceInfo): void {
    this.#devices = devices;
    this.#wiring = undefined;
  }

  async state(): Promise<DisplayState> {
    const [screen, range] = await Promise.all([
      this.#screen({ suggestions: true }),
      this.#x.ask<x11.ScreenSizeRange>((callback) => this.#randr.GetScreenSizeRange(this.#x.root, callback)),
    ]);
    const { outputs: wired } = this.#wired(screen);
    const displays = [...wired.keys()].sort((a, b) => a - b);
    const shown = displays.map((displayId) => ({ displayId, ...this.#shown(displayId, screen) }));
    const [turns, plugged] = await Promise.all([
      Promise.all(shown.map(({ output, crtc, mode }) => this.#turn(output, crtc, mode))),
      Promise.all(shown.map(({ displayId, output }) => this.#plugged(displayId, output, screen))),
    ]);
    this.#justRead = screen;
    setImmediate(() => {
      this.#justRead = undefined;
    });
    const heads = shown.flatMap(({ displayId, crtc, mode }, index): Head[] => {
      if (crtc === undefined) return [];
      const { x, y, width, height } = crtc;
      const isAsSeen = mode === undefined || isPlain(turns[index]);
      return [
        {
          displayId,
          x,
          y,
          width,
          height,
          ...(isAsSeen ? {} : { picture: { width: mode.width, height: mode.height } }),
        },
      ];
    });
    const { minWidth, minHeight } = range;
    const [maxWidth, maxHeight] = [Math.min(range.maxWidth, MAX_COORDINATE), Math.min(range.maxHeight, MAX_COORDINATE)];
    return {
      limits: { displays, minWidth, minHeight, maxWidth, maxHeight },
      layout: { heads, width: screen.width, height: screen.height },
      turns: new Map(shown.map(({ displayId }, index) => [displayId, turns[index] ?? noTurn])),
      plugged: plugged.filter((display) => display !== undefined),
    };
  }

  async apply(layout: Layout, dpi = USUAL_DPI): Promise<void> {
    const before = this.#justRead ?? (await this.#screen());
    this.#justRead = undefined;
    this.#dpi = dpi;
    const wanted: Wanted[] = [];
    let now: Screen | undefined;
    let isBack = true;
    try {
      for (const head of layout.heads) wanted.push(await this.#prepare(head, before));
      await this.#underGrab(async () => {
        try {
          await this.#change(before, layout, wanted);
        } catch (error) {
          isBack = await this.#restore(before);
          throw error;
        }
      });
      now = await this.#verify(wanted, before);
      const unseen = unseenDisplays(layout, this.#wired(before).cards);
      if (unseen.length > 0)
        this.#log.warn(
          `display ${unseen.join(", ")}: not seen by the viewer: too far right for the kernel's qxl driver`,
        );
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== "monitors.refused") throw error;
      const { cards } = this.#wired(before);
      const heads = before.crtcs.filter(({ mode }) => mode !== NONE);
      const refusal = { refused: layout, before: { ...before, heads }, isBack };
      throw new BackendError(error.code, `${error.message}: ${refusalAdvice(refusal, cards)}`, { cause: error });
    } finally {
      await this.#removeUnusedModes(now ?? (await this.#screen()));
    }
  }

  /** The connectors behind the outputs are looked for when the outputs are others than before, or the host has spoken. */
  #wired({ outputs }: Screen): Wiring {
    const names = outputs.map(({ name }) => name);
    const key = names.join("\n");
    if (this.#wiring?.names !== key) {
      const cards = readDrmCards(this.#sys);
      this.#wiring = { names: key, outputs: mapOutputs(names, this.#devices, cards), cards };
      const pairs = [...this.#wiring.outputs].map(([displayId, index]) => `${displayId} ${names[index]}`);
      this.#log.debug(`outputs by display: ${pairs.join(", ")}`);
    }
    return this.#wiring;
  }

  #shown(
    displayId: number,
    screen: Screen,
  ): { output: Output | undefined; crtc: Crtc | undefined; mode: Mode | undefined } {
    const output = screen.outputs[this.#wired(screen).outputs.get(displayId) ?? -1];
    const crtc = screen.crtcs.find(({ id, mode }) => id === output?.crtc && mode !== NONE);
    return { output, crtc, mode: screen.modes.find(({ id }) => id === crtc?.mode) };
  }

  async #turn(output: Output | undefined, crtc: Crtc | undefined, mode: Mode | undefined): Promise<Turn> {
    if (output === undefined) return noTurn;
    if (crtc === undefined || mode === undefined) return this.#turns.get(output.name) ?? noTurn;
    const { rotation } = crtc;
    let { transform } = noTurn;
    // Asked for only where there is one: a round trip more, at every change.
    const sides = [mode.width, mode.height].sort().join();
    if (sides !== [crtc.width, crtc.height].sort().join()) {
      ({ currentTransform: transform } = await this.#x.ask<x11.CrtcTransform>((callback) =>
        this.#randr.GetCrtcTransform(crtc.id, callback),
      ));
    }
    const turn = { rotation, transform };
    this.#turns.set(output.name, turn);
    return turn;
  }

  /** What the kernel says of an output of one of SPICE's cards; undefined: it is none. */
  async #plugged(displayId: number, output: Output | undefined, screen: Screen): Promise<PluggedDisplay | undefined> {
    const names = screen.outputs.map(({ name }) => name);
    if (output === undefined || connectorOf(output.name, names, this.#wired(screen).cards)?.card.kind === undefined)
      return undefined;
    // A driver may list a size twice; its first is meant.
    const mode = output.preferred > 0 ? screen.modes.find(({ id }) => id === output.modes[0]) : undefined;
    if (mode === undefined) return { displayId, preferred: undefined, suggested: undefined };
    this.#ofCards.add(output.id);
    const { x, y } = output.suggested ?? (await this.#suggestion(output.id));
    const suggested = x === undefined || y === undefined ? undefined : { x, y };
    return { displayId, preferred: { width: mode.width, height: mode.height }, suggested };
  }

  async #suggestion(output: number): Promise<Suggestion> {
    const [x, y] = await Promise.all([this.#property(output, "suggested X"), this.#property(output, "suggested Y")]);
    return { x, y };
  }

  async #property(output: number, name: string): Promise<number | undefined> {
    const atom = await this.#x.atom(name);
    const { data, format } = await this.#x.ask<x11.OutputProperty>((callback) =>
      this.#randr.GetOutputProperty(output, atom, ANY_TYPE, 0, 1, false, false, callback),
    );
    const [value] = format === 32 ? longsOf(data) : [];
    return value === NO_SUGGESTION ? undefined : value;
  }

  /** Drivers may say yes and do nothing. What the kernel shows is the truth; what is there now is returned. */
  async #verify(wanted: readonly Wanted[], before: Screen): Promise<Screen> {
    const now = await this.#screen();
    const { cards } = this.#wired(now);
    const names = now.outputs.map(({ name }) => name);
    for (const { output, mode } of wanted) {
      const crtc = now.outputs.find(({ id }) => id === output.id)?.crtc;
      const isSet = now.crtcs.some((one) => one.id === crtc && one.mode === mode);
      const behind = connectorOf(output.name, names, cards);
      if (isSet && (behind === undefined || isLit(behind.connector) !== false)) continue;
      await this.#underGrab(async () => void (await this.#restore(before)));
      const remedy =
        behind?.card.kind === "qxl" ? ": the X driver qxl does not show it, the driver modesetting does" : "";
      throw new BackendError(
        "monitors.not-shown",
        `${output.name} was switched on without an error, and is off${remedy}`,
      );
    }
    return now;
  }

  /** Finds or makes the mode. */
  async #prepare(head: Head, screen: Screen): Promise<Wanted> {
    const { output } = this.#shown(head.displayId, screen);
    if (output === undefined) throw new BackendError("monitors.no-output", `no output for display ${head.displayId}`);
    const picture = head.picture ?? head;
    const turn = this.#turns.get(output.name) ?? noTurn;
    const fits = screen.modes.filter(({ width, height }) => width === picture.width && height === picture.height);
    // In the output's own order: what its driver lists first is meant.
    const known = output.modes.find((id) => fits.some((mode) => mode.id === id));
    if (known !== undefined) return { head, output, turn, mode: known, isNew: false };
    const name = `${picture.width}x${picture.height}${MODE_SUFFIX}`;
    const mode = fits.find((made) => made.name === name)?.id ?? (await this.#createMode(name, picture));
    return { head, output, turn, mode, isNew: true };
  }

  #createMode(name: string, { width, height }: Size): Promise<number> {
    const timing = { ...modeTiming(width, height), name };
    return this.#x.ask((callback) => this.#randr.CreateMode(this.#x.root, timing, callback));
  }

  #addMode(output: Output, mode: number): Promise<void> {
    return this.#x.check(() => this.#randr.AddOutputMode(output.id, mode));
  }

  async #change(before: Screen, layout: Layout, wanted: readonly Wanted[]): Promise<void> {
    const taken = new Set<number>();
    const ours = new Set([...this.#wired(before).outputs.values()].map((index) => before.outputs[index]?.id));
    // Outputs that are not the host's stay as they are, and so do their CRTCs.
    const foreign = before.crtcs.filter((crtc) => crtc.mode !== NONE && !crtc.outputs.some((id) => ours.has(id)));
    for (const { id } of foreign) taken.add(id);
    const placed = wanted.map(({ head, output, mode, turn }): Placement => {
      // The CRTC it has, else its own by number, else any that is free.
      const candidates = [output.crtc, before.crtcs[before.outputs.indexOf(output)]?.id ?? NONE, ...output.crtcs];
      const crtc = candidates.find((id) => id !== NONE && output.crtcs.includes(id) && !taken.has(id));
      if (crtc === undefined) throw new BackendError("monitors.no-output", `no CRTC free for ${output.name}`);
      taken.add(crtc);
      return { id: crtc, x: head.x, y: head.y, mode, rotation: turn.rotation, outputs: [output.id] };
    });
    const width = Math.max(layout.width, ...foreign.map((crtc) => crtc.x + crtc.width));
    const height = Math.max(layout.height, ...foreign.map((crtc) => crtc.y + crtc.height));
    const added = wanted.filter(({ isNew }) => isNew).map(({ output, mode }) => this.#addMode(output, mode));
    await allDone([...added, ...this.#set(before, width, height, [...foreign, ...placed])]);
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
    for (const crtc of placed) if (!isThere(crtc, before, width, height)) requests.push(this.#setCrtc(before, crtc));
    return requests;
  }

  /** Whether it could be done. */
  async #restore(before: Screen): Promise<boolean> {
    try {
      const now = await this.#screen();
      const placed = before.crtcs.filter((crtc) => crtc.mode !== NONE);
      await allDone(this.#set(now, before.width, before.height, placed));
      return true;
    } catch (error) {
      this.#log.error(`the layout before could not be restored: ${describeError(error)}`);
      return false;
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
    if (status === SUCCESS) return;
    const mode = screen.modes.find(({ id }) => id === crtc.mode);
    const what = mode === undefined ? "a mode" : `${mode.width}x${mode.height}`;
    throw new BackendError("monitors.refused", `the X server refused ${what} (status ${status})`);
  }

  #setScreenSize(width: number, height: number): Promise<void> {
    const mm = (pixels: number): number => Math.max(1, Math.round((pixels * MM_PER_INCH) / this.#dpi));
    return this.#x.check(() => this.#randr.SetScreenSize(this.#x.root, width, height, mm(width), mm(height)));
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
  async #removeUnusedModes({ outputs, crtcs, modes }: Screen): Promise<void> {
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

  async #screen({ suggestions = false } = {}): Promise<Screen> {
    this.#x.gather();
    const known = this.#known;
    const asked = Promise.all([this.#resources(), this.#x.rootSize()]);
    const early = this.#parts(known, suggestions);
    // Of one that is gone there is nothing to say; whoever wants to know finds out from the list.
    early.catch(() => {});
    const [resources, size] = await asked;
    const { outputs, crtcs, config_timestamp: configTimestamp, modeinfos: modes } = resources;
    this.#known = { outputs, crtcs };
    const isKnown = outputs.join() === known.outputs.join() && crtcs.join() === known.crtcs.join();
    return { ...size, configTimestamp, modes, ...(await (isKnown ? early : this.#parts(resources, suggestions))) };
  }

  async #parts(
    { outputs, crtcs }: { readonly outputs: readonly number[]; readonly crtcs: readonly number[] },
    suggestions: boolean,
  ): Promise<Pick<Screen, "outputs" | "crtcs">> {
    const [allOutputs, allCrtcs] = await Promise.all([
      Promise.all(outputs.map((id) => this.#output(id, suggestions))),
      Promise.all(crtcs.map((id) => this.#crtc(id))),
    ]);
    return { outputs: allOutputs, crtcs: allCrtcs };
  }

  /** The server looks at no time in what it is only asked. */
  async #output(id: number, suggestions: boolean): Promise<Output> {
    const [info, suggested] = await Promise.all([
      this.#x.ask<x11.OutputInfo>((callback) => this.#randr.GetOutputInfo(id, CURRENT_TIME, callback)),
      suggestions && this.#ofCards.has(id) ? this.#suggestion(id) : undefined,
    ]);
    const { name, crtc, crtcs, modes, connection, preferredModes } = info;
    return { id, name, crtc, crtcs, modes, preferred: connection === CONNECTED ? preferredModes : 0, suggested };
  }

  async #crtc(id: number): Promise<Crtc> {
    const info = await this.#x.ask<x11.CrtcInfo>((callback) => this.#randr.GetCrtcInfo(id, CURRENT_TIME, callback));
    const { x, y, width, height, mode, rotation, output } = info;
    return { id, x, y, width, height, mode, rotation, outputs: output };
  }
}

/** Nothing about it changes, and it was not switched off for the sake of the desktop's size. */
function isThere(wanted: Placement, before: Screen, width: number, height: number): boolean {
  const now = before.crtcs.find(({ id }) => id === wanted.id);
  return (
    now !== undefined &&
    now.x === wanted.x &&
    now.y === wanted.y &&
    now.mode === wanted.mode &&
    now.rotation === wanted.rotation &&
    now.outputs.join() === wanted.outputs.join() &&
    now.x + now.width <= width &&
    now.y + now.height <= height
  );
}

/** Waits for all, then throws the first failure: nothing may be under way when the old layout is restored. */
async function allDone(requests: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(requests)) {
    if (result.status === "rejected") throw result.reason;
  }
}
