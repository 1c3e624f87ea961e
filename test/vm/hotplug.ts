/** A guest whose graphics card gets the viewer's wishes itself, and what its X server shows of them. */
import type { SpiceClient, WantedDisplay } from "../integration/peers/spice-client.ts";
import { monotonicMs, until } from "../integration/peers/until.ts";
import type { Desktop, DesktopOptions } from "./desktop.ts";
import type { GuestOptions } from "./devices.ts";
import type { Guest } from "./guest.ts";
import { startViewedGuest } from "./product.ts";

export interface HotplugGuest extends AsyncDisposable {
  readonly guest: Guest;
  readonly desktop: Desktop;
  readonly viewer: SpiceClient;
  /** Of the session's agent, at level debug. */
  log(): Promise<string>;
  /** Places of the outputs that are on, in the order of their names, and the whole desktop. */
  shown(): Promise<Shown>;
  /** Waits until they are these; fails with what there is instead. */
  becomes(...heads: readonly string[]): Promise<void>;
}

export interface Shown {
  readonly size: string;
  readonly heads: readonly string[];
  readonly text: string;
}

export async function startHotplugGuest(
  options: GuestOptions,
  desktopOptions: DesktopOptions = {},
): Promise<HotplugGuest> {
  const viewed = await startViewedGuest(options, { ...desktopOptions, log: "debug" });
  const { guest, desktop, viewer } = viewed;
  const shown = async (): Promise<Shown> => parseScreen(await desktop.output(["xrandr", "--current"]));
  return {
    guest,
    desktop,
    viewer,
    log: () => sessionLog(guest),
    shown,
    becomes: async (...heads) => {
      let last: Shown | undefined;
      const isThere = async (): Promise<boolean> => {
        last = await shown();
        return last.heads.join(" ") === heads.join(" ");
      };
      await until(`the guest to show ${heads.join(" ")}`, isThere, 20_000, 200).catch(async (error: unknown) => {
        const log = await sessionLog(guest);
        throw new Error(`${error}: it shows ${last?.heads.join(" ")}\n${log.slice(-3000)}`, { cause: error });
      });
    },
    [Symbol.asyncDispose]: () => viewed[Symbol.asyncDispose](),
  };
}

async function sessionLog(guest: Guest): Promise<string> {
  const match = ["-o", "short-precise", "_SYSTEMD_USER_UNIT=tsvdagent.service"];
  return (await guest.run(["journalctl", "-b", "-q", "--no-pager", ...match])).stdout;
}

function parseScreen(text: string): Shown {
  const [, width, height] = /current (\d+) x (\d+)/.exec(text) ?? [];
  const heads = [...text.matchAll(/^\S+ (?:dis)?connected.* (\d+x\d+\+\d+\+\d+)/gm)].map(([, head = ""]) => head);
  return { size: `${width}x${height}`, heads, text };
}

/** From the sending to the moment the viewer sees a head of this size, ms. The first display channel only. */
export async function resizeMs(viewer: SpiceClient, size: WantedDisplay): Promise<number> {
  const { sentMs } = await viewer.setDisplays([size]);
  const { atMs } = await viewer.waitForMonitors([size], { sinceMs: sentMs, timeoutMs: 20_000 });
  return atMs - sentMs;
}

/** As a person who drags the corner of the window: so many sizes in so much time. The last one. */
export async function drag(
  viewer: SpiceClient,
  steps: number,
  overMs: number,
  from: WantedDisplay,
): Promise<WantedDisplay> {
  const startMs = monotonicMs();
  let size = from;
  for (let step = 1; step <= steps; step += 1) {
    size = { width: from.width + 7 * step, height: from.height + 3 * step };
    await viewer.setDisplays([size]);
    const waitMs = startMs + (overMs * step) / steps - monotonicMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return size;
}

/** Layouts that the agent has set, as its log tells them, oldest first. */
export function layoutsSet(log: string): readonly string[] {
  return [...log.matchAll(/layout set: (.*)/g)].map(([, layout = ""]) => layout);
}

/** From the X server's event to our written request, ms, as the log tells. */
export function reactionsMs(log: string): readonly number[] {
  return [...log.matchAll(/plugged in: .*: (\d+) ms ago/g)].map(([, ms]) => Number(ms));
}
