// Makes the desktop's displays follow the viewer: one request at a time, the newest wins, and after each the truth is told.
import { type DesktopDisplay, type Layout, layoutFor, roundedLayout, sameLayout } from "../../features/monitors.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { DesktopGeometry } from "../../wire/link/messages.ts";
import type { MonitorsConfig } from "../../wire/monitors-config.ts";

export interface DisplayEvents {
  geometry(geometry: DesktopGeometry): void;
  /** Why the viewer's last wish was not fulfilled; undefined: it was. */
  fault(error: BackendError | undefined): void;
}

export class DisplayFollower implements AsyncDisposable {
  readonly #display: DesktopDisplay;
  readonly #events: DisplayEvents;
  readonly #log: Log;
  #wanted: MonitorsConfig | undefined;
  #mustReport = false;
  #reported: Layout | undefined;
  /** Viewers repeat what cannot be had: it is tried once. */
  #refused: Layout | undefined;
  #isWorking = false;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(display: DesktopDisplay, events: DisplayEvents, log: Log) {
    this.#display = display;
    this.#events = events;
    this.#log = log;
  }

  /** What the viewer wants now; an earlier wish not yet begun is forgotten. */
  request(config: MonitorsConfig): void {
    this.#wanted = config;
    this.#work();
  }

  /** Something about the displays has changed, by us or by somebody else. */
  changed(): void {
    this.#mustReport = true;
    this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  #work(): void {
    if (!this.#isWorking) this.#working = this.#run();
  }

  async #run(): Promise<void> {
    this.#isWorking = true;
    try {
      while (!this.#stopped && (this.#wanted !== undefined || this.#mustReport)) {
        const config = this.#wanted;
        this.#wanted = undefined;
        this.#mustReport = false;
        await this.#serve(config);
      }
    } finally {
      this.#isWorking = false;
    }
  }

  async #serve(config: MonitorsConfig | undefined): Promise<void> {
    try {
      if (config !== undefined) await this.#follow(config);
      await this.#tell(config !== undefined);
    } catch (error) {
      // The X server went away in the middle; its successor is asked anew. A wish that came meanwhile is still heard.
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
    }
  }

  async #follow(config: MonitorsConfig): Promise<void> {
    const { limits, layout: current } = await this.#display.state();
    let layout: Layout | undefined;
    try {
      layout = layoutFor(config, limits);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.error(`layout kept: ${describeError(error)}`);
      this.#events.fault(error);
      return;
    }
    if (layout === undefined) return this.#log.info("layout kept: the viewer has every display off");
    if (sameLayout(layout, current)) return this.#events.fault(undefined);
    if (this.#refused !== undefined && sameLayout(layout, this.#refused)) return;
    await this.#apply(layout, current);
  }

  async #apply(layout: Layout, current: Layout): Promise<void> {
    const rounded = roundedLayout(layout);
    const tries = sameLayout(rounded, layout) ? [layout] : [layout, rounded];
    for (const attempt of tries) {
      if (sameLayout(attempt, current)) break;
      try {
        await this.#display.apply(attempt);
        this.#refused = attempt === layout ? undefined : layout;
        this.#events.fault(undefined);
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

  async #tell(always: boolean): Promise<void> {
    const { layout } = await this.#display.state();
    if (!always && this.#reported !== undefined && sameLayout(layout, this.#reported)) return;
    this.#reported = layout;
    this.#events.geometry({ width: layout.width, height: layout.height, displays: layout.heads });
  }
}

function describeLayout({ heads }: Layout): string {
  return heads.map(({ displayId, width, height, x, y }) => `${displayId}:${width}x${height}+${x}+${y}`).join(" ");
}
