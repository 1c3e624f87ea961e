// The screen follows the host: the agent on a real X server (Xorg, dummy driver), a fake host at its port.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { until } from "./peers/until.ts";
import { readScreen } from "./peers/x-screen.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

interface Wanted {
  readonly width: number;
  readonly height: number;
  readonly x?: number;
  readonly y?: number;
}

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;
let port: HostSocket;
let agent: Agent;
let host: FakeHost;

beforeAll(async () => {
  xorg = await startXorgDummy();
  port = await hostSocket();
  agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xorg.display]);
  host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await port?.[Symbol.asyncDispose]();
  await xorg?.[Symbol.asyncDispose]();
});

async function ask(monitors: readonly Wanted[], usePosition = true): Promise<number> {
  host.send({
    name: "MONITORS_CONFIG",
    value: { monitors: monitors.map((monitor) => ({ x: 0, y: 0, depth: 32, ...monitor })), usePosition },
  });
  return (await host.next("REPLY")).value.error;
}

async function heads(): Promise<string> {
  const { outputs } = await readScreen(xorg.display);
  return outputs
    .flatMap(({ geometry: at }) => (at === undefined ? [] : [`${at.width}x${at.height}+${at.x}+${at.y}`]))
    .join(" ");
}

/** Waits for the layout, and sees that the desktop is as large as it and no larger. */
async function becomes(layout: string): Promise<void> {
  await until(`the layout ${layout}`, async () => (await heads()) === layout, 20_000);
}

/** Asks for what cannot be had; waits for the log to say once more why not. */
async function askInVain(monitors: readonly Wanted[], because: string): Promise<void> {
  const layout = await heads();
  const count = (): number => agent.logged.split(because).length - 1;
  const before = count();
  expect(await ask(monitors)).toBe(1);
  await until(`the agent to log ${because}`, () => count() > before, 20_000);
  expect(await heads()).toBe(layout);
}

test.each([
  [640, 480],
  [1024, 768],
  [1283, 721],
  [1366, 768],
  [1920, 1080],
  [2560, 1440],
  [3840, 2160],
  [801, 603],
])("rows 28, 29: the screen becomes %ix%i exactly", async (width, height) => {
  expect(await ask([{ width, height }])).toBe(1);
  await becomes(`${width}x${height}+0+0`);
  const screen = await readScreen(xorg.display);
  expect([screen.width, screen.height]).toEqual([width, height]);
});

test("only the mode in use remains of those the agent has made", async () => {
  for (const width of [1001, 1003, 1005]) {
    await ask([{ width, height: 701 }]);
    await becomes(`${width}x701+0+0`);
  }
  await ask([{ width: 1024, height: 768 }]);
  await becomes("1024x768+0+0");
  const made = async (): Promise<number> =>
    (await readScreen(xorg.display)).outputs
      .flatMap(({ modes }) => modes)
      .filter(({ name }) => name.includes("tsvdagent")).length;
  await until("the modes to be removed", async () => (await made()) === 0, 20_000);
});

test("20 requests in a row end on the last", async () => {
  for (let step = 1; step <= 20; step += 1) await ask([{ width: 800 + step * 7, height: 600 + step }]);
  await becomes("940x620+0+0");
});

test("row 30: a layout left of and above the origin is moved to it", async () => {
  await ask([{ width: 900, height: 700, x: -100, y: -50 }]);
  await becomes("900x700+0+0");
});

describe("what cannot be had is told and the screen kept", () => {
  beforeEach(async () => {
    await ask([{ width: 1000, height: 700 }]);
    await becomes("1000x700+0+0");
  });

  test("row 32: every display off", async () => {
    await askInVain([{ width: 0, height: 0 }], "layout kept: the viewer has every display off");
  });

  test("no display at all", async () => {
    await askInVain([], "layout kept");
  });

  test("65535x65535", async () => {
    await askInVain([{ width: 65535, height: 65535 }], "monitors.too-large: display of 65535x65535, at most");
  });

  test("displays that overlap", async () => {
    const wide = { width: 1280, height: 720 };
    await askInVain([wide, { ...wide, x: 100 }], "monitors.overlap: displays 0 and 1 overlap");
  });

  test("a display this server has no output for", async () => {
    const off = { width: 0, height: 0 };
    const beyond = [...Array.from({ length: 40 }, () => off), { width: 800, height: 600 }];
    await askInVain(beyond, "monitors.no-output: display 40 of 16 outputs");
  });

  test("more displays than the protocol knows", async () => {
    const off = Array.from({ length: 256 }, () => ({ width: 0, height: 0 }));
    await askInVain(off, "layout kept");
  });
});

test("row 31: of 16 entries with only the first on, one head is shown", async () => {
  const off = { width: 0, height: 0 };
  await ask([{ width: 1100, height: 750 }, ...Array.from({ length: 15 }, () => off)]);
  await becomes("1100x750+0+0");
});

test("two displays side by side are shown, and one of them alone again", async () => {
  await ask([
    { width: 800, height: 600 },
    { width: 1024, height: 768, x: 800 },
  ]);
  await becomes("800x600+0+0 1024x768+800+0");
  await ask([{ width: 800, height: 600 }]);
  await becomes("800x600+0+0");
});

test("the X server may die and come back: the screen follows again, the agent is the same", async () => {
  await xorg.restart();
  await until("the agent to be back", () => (agent.logged.match(/display: connected/g) ?? []).length >= 2, 10_000);
  await ask([{ width: 1283, height: 721 }]);
  await becomes("1283x721+0+0");
  expect(agent.process.exit).toBeUndefined();
});
