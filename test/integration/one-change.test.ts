// All of a layout is one change to whoever looks: what other clients of the X server are told, and what they find when they
// ask. RandR announces every step, each with the size of that moment; xrandr's steps are the measure.
import { afterEach, beforeEach, expect, test } from "vitest";
import type x11 from "x11";
import { RandrDisplay } from "../../src/desktop/display/randr.ts";
import { XConnection } from "../../src/desktop/x11/x-connection.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { sleep, until } from "./peers/until.ts";
import { runOn } from "./peers/x-programs.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const never = new AbortController().signal;
/** For announcements that are still on their way. */
const QUIET_MS = 300;

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;

beforeEach(async () => {
  xorg = await startXorgDummy();
});
afterEach(async () => {
  await xorg?.[Symbol.asyncDispose]();
});

/** Another client: asks for everything whenever a change of the screen is announced. */
class Onlooker implements AsyncDisposable {
  readonly #x: XConnection;
  readonly #randr: x11.Randr;
  readonly #looks: Promise<string>[] = [];

  private constructor(x: XConnection, randr: x11.Randr) {
    this.#x = x;
    this.#randr = randr;
    // RRScreenChangeNotify, and not what is announced of single outputs and CRTCs beside it.
    x.client.on("event", ({ type }) => {
      if (type === randr.firstEvent) this.#looks.push(this.look());
    });
  }

  static async start(display: string): Promise<Onlooker> {
    const x = await XConnection.open(display, never);
    if (x.randr === undefined) throw new Error("no RandR");
    const onlooker = new Onlooker(x, x.randr);
    await x.sync();
    return onlooker;
  }

  /** What it found each time since it was last asked. */
  async seen(): Promise<readonly string[]> {
    await sleep(QUIET_MS);
    return Promise.all(this.#looks.splice(0));
  }

  /** The desktop's size and the places of all that is on, of one moment: nobody else is served meanwhile. */
  async look(): Promise<string> {
    this.#x.client.GrabServer();
    const asked = this.#x.rootSize();
    const { crtcs } = await this.#x.ask<x11.ScreenResources>((callback) =>
      this.#randr.GetScreenResourcesCurrent(this.#x.root, callback),
    );
    const infos = await Promise.all(
      crtcs.map((id) => this.#x.ask<x11.CrtcInfo>((callback) => this.#randr.GetCrtcInfo(id, 0, callback))),
    );
    this.#x.client.UngrabServer();
    const { width, height } = await asked;
    const heads = infos.filter(({ mode }) => mode !== 0).map((one) => `${one.width}x${one.height}+${one.x}+${one.y}`);
    return `${width}x${height}: ${heads.join(" ")}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#x[Symbol.asyncDispose]();
  }
}

interface Place {
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
}

const two = (left: number, right: number): readonly Place[] => [
  { width: left, height: 600, x: 0, y: 0 },
  { width: right, height: 600, x: left, y: 0 },
];
/** Two above two. */
const four = ([a, b, c, d]: readonly [number, number, number, number]): readonly Place[] => [
  ...two(a, b),
  ...two(c, d).map((place) => ({ ...place, y: 600 })),
];
const described = (places: readonly Place[]): string => {
  const width = Math.max(...places.map((place) => place.x + place.width));
  const height = Math.max(...places.map((place) => place.y + place.height));
  return `${width}x${height}: ${places.map((one) => `${one.width}x${one.height}+${one.x}+${one.y}`).join(" ")}`;
};

class Asker implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #port: HostSocket;
  readonly #host: FakeHost;
  readonly #onlooker: Onlooker;

  private constructor(agent: Agent, port: HostSocket, host: FakeHost, onlooker: Onlooker) {
    this.#agent = agent;
    this.#port = port;
    this.#host = host;
    this.#onlooker = onlooker;
  }

  static async start(onlooker: Onlooker): Promise<Asker> {
    const port = await hostSocket();
    const agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xorg.display]);
    const host = await port.opened();
    await host.connectViewer();
    await agent.untilLogged(/display: connected/);
    return new Asker(agent, port, host, onlooker);
  }

  async ask(places: readonly Place[]): Promise<void> {
    const value = { monitors: places.map((place) => ({ ...place, depth: 32 })), usePosition: true };
    this.#host.send({ name: "MONITORS_CONFIG", value });
    await this.#host.next("REPLY");
    const isThere = async (): Promise<boolean> => (await this.#onlooker.look()) === described(places);
    await until(`the layout ${described(places)}`, isThere, 20_000).catch(async (error: unknown) => {
      throw new Error(`${error}: it is ${await this.#onlooker.look()}\n${this.#agent.logged}`, { cause: error });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
    await this.#port[Symbol.asyncDispose]();
  }
}

test("four monitors that come, change and go: whoever asks at each announcement finds the layout before or the one after", async () => {
  await using onlooker = await Onlooker.start(xorg.display);
  await using asker = await Asker.start(onlooker);
  let before = await onlooker.look();
  for (const places of [
    four([800, 640, 700, 720]),
    four([720, 801, 640, 803]),
    four([1280, 1024, 900, 1400]),
    four([640, 700, 701, 641]),
    two(1000, 900),
    four([500, 400, 300, 350]),
  ]) {
    await asker.ask(places);
    const seen = await onlooker.seen();
    expect(seen.length).toBeGreaterThan(0);
    for (const each of seen) expect([before, described(places)]).toContain(each);
    before = described(places);
  }
});

test("a change is announced no more often than the same one by xrandr", async () => {
  const widths = [801, 802, 803, 804] as const;
  const names = ["DUMMY0", "DUMMY1", "DUMMY2", "DUMMY3"];
  const xrandr = (...args: readonly string[]): Promise<string> => runOn(xorg.display, "xrandr", args);
  for (const width of widths) {
    const timing = ["40", width, 840, 968, 1056, 600, 601, 605, 628].map(String);
    await xrandr("--newmode", `${width}x600`, ...timing);
    for (const name of names) await xrandr("--addmode", name, `${width}x600`);
  }
  await using onlooker = await Onlooker.start(xorg.display);
  const asker = await Asker.start(onlooker);
  const byXrandr = async (places: readonly Place[]): Promise<void> => {
    const outputs = places.flatMap(({ width, x, y }, index) => [
      ...["--output", names[index] ?? "", "--mode", `${width}x600`, "--pos", `${x}x${y}`],
    ]);
    await xrandr(...outputs);
  };
  const layouts = [
    four([801, 802, 803, 804]),
    four([804, 803, 804, 801]),
    four([802, 801, 802, 803]),
    four([802, 803, 802, 801]),
    four([801, 802, 803, 804]),
  ];
  const announced = async (set: (places: readonly Place[]) => Promise<void>): Promise<readonly number[]> => {
    const counts: number[] = [];
    for (const places of layouts) {
      await set(places);
      expect(await onlooker.look()).toBe(described(places));
      counts.push((await onlooker.seen()).length);
    }
    return counts.slice(1);
  };
  const ours = await announced((places) => asker.ask(places));
  // With the agent there it would be countered.
  await asker[Symbol.asyncDispose]();
  const theirs = await announced(byXrandr);
  for (const [index, count] of ours.entries()) expect(count).toBeLessThanOrEqual(theirs[index] ?? 0);
});

test("a driver that says it has switched a display on, and has not: told, and the layout before is back", async () => {
  await using x = await XConnection.open(xorg.display, never);
  await using onlooker = await Onlooker.start(xorg.display);
  if (x.randr === undefined) throw new Error("no RandR");
  const real = x.randr;
  const second = (await x.ask<x11.ScreenResources>((callback) => real.GetScreenResourcesCurrent(x.root, callback)))
    .outputs[1];
  const lying: x11.Randr = Object.create(real, {
    SetCrtcConfig: {
      value: (...args: Parameters<x11.Randr["SetCrtcConfig"]>) => {
        const [outputs, callback] = [args[7], args[8]];
        if (outputs.includes(second ?? 0)) callback(null, { status: 0 });
        else real.SetCrtcConfig(...args);
      },
    },
  });
  const display = new RandrDisplay(x, lying, recordingLog().log);
  const layout = (places: readonly Place[]) => {
    const [width = 0, height = 0] = described(places).split(/[x:]/).map(Number);
    return { width, height, heads: places.map((place, displayId) => ({ displayId, ...place })) };
  };
  const one = two(1000, 0).slice(0, 1);
  await display.state();
  await display.apply(layout(one));
  expect(await onlooker.look()).toBe(described(one));
  await display.state();
  await expect(display.apply(layout(two(801, 640)))).rejects.toMatchObject({
    code: "monitors.not-shown",
    message: expect.stringContaining("DUMMY1 was switched on without an error, and is off"),
  });
  expect(await onlooker.look()).toBe(described(one));
});
