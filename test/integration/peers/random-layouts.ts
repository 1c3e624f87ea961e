/** Layouts as viewers may want them, made from a seed: mostly good ones, some that cannot be had. */
import type { MonitorConfig, MonitorsConfig } from "../../../src/wire/monitors-config.ts";

export interface RandomLayout {
  readonly config: MonitorsConfig;
  /** Output by output, as `WxH+X+Y` or "off"; undefined: to be refused, or nothing to do. */
  readonly expected: readonly string[] | undefined;
}

const off: MonitorConfig = { width: 0, height: 0, depth: 32, x: 0, y: 0 };

/** The same sequence for the same seed (a linear congruential generator: good enough for sizes). */
export class RandomLayouts {
  #state: number;
  readonly #monitors: number;
  readonly #maxWidth: number;
  readonly #maxHeight: number;

  constructor(seed: number, monitors: number, maxWidth: number, maxHeight: number) {
    this.#state = seed >>> 0;
    this.#monitors = monitors;
    this.#maxWidth = maxWidth;
    this.#maxHeight = maxHeight;
  }

  next(): RandomLayout {
    const kind = this.#below(20);
    if (kind === 0)
      return { config: this.#config(Array.from({ length: this.#monitors }, () => off)), expected: undefined };
    if (kind === 1) return this.#overlapping();
    if (kind === 2) return this.#tooLarge();
    return kind % 2 === 0 ? this.#along("x") : this.#along("y");
  }

  /** Side by side or one above the other, in any order, some off, with offsets across, seen from anywhere. */
  #along(axis: "x" | "y"): RandomLayout {
    const on = Array.from({ length: this.#monitors }, (_, id) => id).filter(() => this.#below(3) > 0);
    if (on.length === 0) on.push(this.#below(this.#monitors));
    const order = on.map((id) => ({ id, key: this.#below(1 << 16) })).sort((a, b) => a.key - b.key);
    const [originX, originY] = [this.#below(6000) - 3000, this.#below(6000) - 3000];
    const wide = axis === "x" ? Math.floor(this.#maxWidth / on.length) : this.#maxWidth - 200;
    const high = axis === "y" ? Math.floor(this.#maxHeight / on.length) : this.#maxHeight - 200;
    let reached = 0;
    const placed = order.map(({ id }) => {
      const [width, height] = [this.#side(320, Math.min(wide, 2600)), this.#side(200, Math.min(high, 1600))];
      const across = this.#below(100);
      const place = axis === "x" ? { x: reached, y: across } : { x: across, y: reached };
      reached += axis === "x" ? width : height;
      return { id, width, height, ...place };
    });
    const least = Math.min(...placed.map(({ x, y }) => (axis === "x" ? y : x)));
    const monitors = Array.from({ length: this.#monitors }, (_, id): MonitorConfig => {
      const one = placed.find((head) => head.id === id);
      return one === undefined
        ? off
        : { width: one.width, height: one.height, depth: 32, x: one.x + originX, y: one.y + originY };
    });
    const expected = Array.from({ length: this.#monitors }, (_, id) => {
      const one = placed.find((head) => head.id === id);
      if (one === undefined) return "off";
      const [x, y] = axis === "x" ? [one.x, one.y - least] : [one.x - least, one.y];
      return `${one.width}x${one.height}+${x}+${y}`;
    });
    return { config: this.#config(monitors), expected };
  }

  #overlapping(): RandomLayout {
    const [a, b] = [this.#monitor(0, 0), this.#monitor(this.#below(300), this.#below(190))];
    return { config: this.#config([a, b]), expected: undefined };
  }

  #tooLarge(): RandomLayout {
    const monitor = this.#monitor(0, 0);
    return {
      config: this.#config([{ ...monitor, width: 32_768 + this.#below(30_000) }]),
      expected: undefined,
    };
  }

  #monitor(x: number, y: number): MonitorConfig {
    return { width: this.#side(320, 1900), height: this.#side(200, 1200), depth: 32, x, y };
  }

  #config(monitors: readonly MonitorConfig[]): MonitorsConfig {
    return { monitors, usePosition: true };
  }

  #side(least: number, most: number): number {
    return least + this.#below(Math.max(1, most - least + 1));
  }

  #below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}
