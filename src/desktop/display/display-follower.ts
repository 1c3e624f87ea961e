// Makes the desktop's displays follow the viewer, whose wishes come as messages or, in QEMU, as what the graphics card has
// plugged in: one at a time, the newest wins, and after each the truth is told.
import { hotplugLayout, isRearranged, showsSamePictures } from "../../features/hotplug.ts";
import {
  type DesktopDisplay,
  type DisplayState,
  type Layout,
  layoutFor,
  rearranged,
  roundedLayout,
  sameLayout,
} from "../../features/monitors.ts";
import { isUpright } from "../../features/turned-display.ts";
import { type Clock, sleep } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { DesktopGeometry, DisplayGeometry } from "../../wire/link/messages.ts";
import type { MonitorsConfig } from "../../wire/monitors-config.ts";
import { viewersDpi } from "./viewers-dpi.ts";

export interface DisplayEvents {
  geometry(geometry: DesktopGeometry): void;
  /** Why the viewer's last wish was not fulfilled; undefined: it was. */
  fault(error: BackendError | undefined): void;
}

export interface FollowerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** False: the truth is told and nothing changed. */
  readonly resize: boolean;
  /** Pixels as large as the viewer's: what to do when they are. Absent: nobody is told. */
  readonly setDpi?: ((dpi: number) => Promise<void>) | undefined;
  /** Another program of the desktop that arranges displays, if one runs. */
  readonly desktopsOwn: () => string | undefined;
}

/** For a desktop that arranges displays to do it. Where there is none, nobody is waited for. */
const GRACE_MS = 500;
/** Who undoes a layout within this time is a program; later it is a person. */
const REACTION_MS = 2000;
/** How often a layout is set again that a program undoes. */
const MAX_REPEATS = 3;

export class DisplayFollower implements AsyncDisposable {
  readonly #display: DesktopDisplay;
  readonly #events: DisplayEvents;
  readonly #options: FollowerOptions;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #wanted: MonitorsConfig | undefined;
  #changedAtMs: number | undefined;
  /** The geometry told last. */
  #reported: string | undefined;
  /** Viewers repeat what cannot be had: it is tried once. */
  #refused: Layout | undefined;
  #viewer: MonitorsConfig | undefined;
  /** What was plugged in when it was last looked at. */
  #plugged: string | undefined;
  /** Those that had an output then. */
  #displays: readonly number[] | undefined;
  /** What is there by our doing. */
  #set: { readonly layout: Layout; readonly atMs: number } | undefined;
  #repeats = 0;
  #isWorking = false;
  #working: Promise<void> = Promise.resolve();

  constructor(display: DesktopDisplay, events: DisplayEvents, options: FollowerOptions) {
    this.#display = display;
    this.#events = events;
    this.#options = options;
    this.#log = options.log;
  }

  /** What the viewer wants now; an earlier wish not yet begun is forgotten. */
  request(config: MonitorsConfig): void {
    this.#wanted = config;
    this.#work();
  }

  /** Something about the displays has changed, by us or by somebody else. */
  changed(): void {
    this.#changedAtMs ??= this.#options.clock.nowMs();
    this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  #work(): void {
    if (!this.#isWorking) this.#working = this.#run();
  }

  async #run(): Promise<void> {
    this.#isWorking = true;
    const { signal } = this.#stop;
    try {
      while (!signal.aborted && (this.#wanted !== undefined || this.#changedAtMs !== undefined)) {
        const [config, sinceMs] = [this.#wanted, this.#changedAtMs];
        this.#wanted = undefined;
        this.#changedAtMs = undefined;
        await this.#serve(config, sinceMs);
      }
    } finally {
      this.#isWorking = false;
    }
  }

  async #serve(config: MonitorsConfig | undefined, sinceMs: number | undefined): Promise<void> {
    try {
      let state: DisplayState | undefined;
      if (config !== undefined) state = await this.#follow(config);
      else if (this.#options.resize) state = await this.#react(sinceMs ?? this.#options.clock.nowMs());
      this.#tell(config !== undefined, state ?? (await this.#display.state()));
    } catch (error) {
      // The X server went away in the middle; its successor is asked anew. A wish that came meanwhile is still heard.
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
    }
  }

  /** How the displays are, if nothing was done about it; as are those that follow. */
  async #follow(config: MonitorsConfig): Promise<DisplayState | undefined> {
    const state = await this.#display.state();
    this.#viewer = config;
    // From now on the viewer tells us itself.
    this.#plugged = JSON.stringify(state.plugged);
    const layout = this.#planned(() => {
      const wanted = layoutFor(config, state);
      if (wanted === undefined) this.#log.info("layout kept: the viewer has every display off");
      return wanted !== undefined && this.#isUsersArrangement(state) ? rearranged(wanted, state) : wanted;
    });
    if (layout === undefined) return state;
    this.#repeats = 0;
    const dpi = await this.#toldDpi(config, layout);
    return this.#takeUp(layout, state, { dpi });
  }

  async #takeUp(
    layout: Layout,
    state: DisplayState,
    { dpi, pluggedAtMs }: { readonly dpi?: number | undefined; readonly pluggedAtMs?: number },
  ): Promise<DisplayState | undefined> {
    if (sameLayout(layout, state.layout)) {
      this.#isThere(layout);
      return state;
    }
    if (this.#refused !== undefined && sameLayout(layout, this.#refused)) return state;
    if (pluggedAtMs !== undefined) {
      const agoMs = Math.round(this.#options.clock.nowMs() - pluggedAtMs);
      this.#log.debug(`plugged in: ${describeLayout(layout)}: ${agoMs} ms ago`);
    }
    await this.#apply(layout, state.layout, dpi);
    return undefined;
  }

  /** Somebody has changed something: the host what is plugged in, a program what we have set, or a person what they like. */
  async #react(sinceMs: number): Promise<DisplayState | undefined> {
    let state = await this.#display.state();
    if (state.plugged.length > 0) this.#options.desktopsOwn();
    const plugged = JSON.stringify(state.plugged);
    if (state.plugged.length === 0 || plugged === this.#plugged) {
      const [before, now] = [this.#displays, state.limits.displays];
      this.#displays = now;
      // One that the viewer may have asked for in vain.
      const isNew = before !== undefined && now.some((displayId) => !before.includes(displayId));
      return isNew && this.#viewer !== undefined ? this.#follow(this.#viewer) : this.#defend(state);
    }
    const wanted = this.#hotplugged(state);
    const owner = this.#options.desktopsOwn();
    if (wanted !== undefined && !sameLayout(wanted, state.layout) && owner !== undefined) {
      await sleep(this.#options.clock, GRACE_MS, this.#stop.signal);
      state = await this.#display.state();
      if (this.#stop.signal.aborted) return state;
      // Plugged again meanwhile: that is another grace.
      if (JSON.stringify(state.plugged) !== plugged) {
        this.changed();
        return state;
      }
      if (showsSamePictures(state.layout, wanted)) {
        this.#log.info(`layout left to ${owner}: ${describeLayout(state.layout)}`);
        this.#plugged = plugged;
        this.#isThere(state.layout);
        return state;
      }
    }
    this.#plugged = plugged;
    const layout = owner === undefined || wanted === undefined ? wanted : this.#hotplugged(state);
    if (layout === undefined) return state;
    this.#repeats = 0;
    return this.#takeUp(layout, state, { pluggedAtMs: sinceMs });
  }

  #hotplugged(state: DisplayState): Layout | undefined {
    const wishes = { viewer: this.#viewer, isUsersArrangement: this.#isUsersArrangement(state) };
    return this.#planned(() => hotplugLayout(state, wishes));
  }

  /** A program that undoes what the viewer wants is countered, but not for ever. */
  async #defend(state: DisplayState): Promise<DisplayState | undefined> {
    const { layout: current } = state;
    const ours = this.#set;
    if (ours === undefined || showsSamePictures(ours.layout, current)) return state;
    if (this.#options.clock.nowMs() - ours.atMs > REACTION_MS) {
      // A person's choice. It holds until the viewer wants something else.
      this.#set = undefined;
      return state;
    }
    if (this.#repeats === MAX_REPEATS) {
      this.#set = undefined;
      const what = `another program sets ${describeLayout(current)} again and again: left to it`;
      const error = new BackendError("monitors.contested", what);
      this.#log.error(describeError(error));
      this.#events.fault(error);
      return state;
    }
    this.#repeats += 1;
    this.#log.info(`layout undone by another program: ${describeLayout(current)}: set again`);
    await this.#apply(ours.layout, current);
    return undefined;
  }

  #planned(plan: () => Layout | undefined): Layout | undefined {
    try {
      return plan();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.error(`layout kept: ${describeError(error)}`);
      this.#events.fault(error);
      return undefined;
    }
  }

  #isUsersArrangement({ layout }: DisplayState): boolean {
    return this.#set !== undefined && isRearranged(layout, this.#set.layout);
  }

  #isThere(layout: Layout): void {
    this.#set = { layout, atMs: this.#options.clock.nowMs() };
    this.#events.fault(undefined);
  }

  async #toldDpi(config: MonitorsConfig, layout: Layout): Promise<number | undefined> {
    const { setDpi } = this.#options;
    const dpi = setDpi === undefined ? undefined : viewersDpi(config, layout);
    if (dpi !== undefined) await setDpi?.(dpi);
    return dpi;
  }

  async #apply(layout: Layout, current: Layout, dpi?: number): Promise<void> {
    const rounded = roundedLayout(layout);
    const tries = sameLayout(rounded, layout) ? [layout] : [layout, rounded];
    for (const attempt of tries) {
      if (sameLayout(attempt, current)) break;
      try {
        await this.#display.apply(attempt, dpi);
        this.#refused = attempt === layout ? undefined : layout;
        this.#isThere(attempt);
        this.#log.info(`layout set: ${describeLayout(attempt)}`);
        return;
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        this.#log.error(`layout ${describeLayout(attempt)} not set: ${describeError(error)}`);
        this.#events.fault(error);
        if (error.code === "display.lost") return;
      }
    }
    this.#refused = layout;
  }

  #tell(always: boolean, { layout, turns }: DisplayState): void {
    const displays = layout.heads.map(({ picture, ...head }): DisplayGeometry => {
      const turn = turns.get(head.displayId);
      if (turn === undefined || isUpright(turn)) return head;
      const { width, height } = picture ?? head;
      return { ...head, turned: { width, height, ...turn } };
    });
    const geometry = { width: layout.width, height: layout.height, displays };
    const told = JSON.stringify(geometry);
    if (!always && told === this.#reported) return;
    this.#reported = told;
    this.#events.geometry(geometry);
  }
}

function describeLayout({ heads }: Layout): string {
  return heads.map(({ displayId, width, height, x, y }) => `${displayId}:${width}x${height}+${x}+${y}`).join(" ");
}
