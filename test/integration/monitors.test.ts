// Several monitors: a real viewer's on Xspice, under window managers of both kinds, and what the user chose of them.
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DisplayOwners } from "../../src/desktop/display/display-owners.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { type Agent, startAgent, startAgentOf } from "./peers/agent.ts";
import { DesktopPrograms } from "./peers/desktop-programs.ts";
import { SpiceClient, type WantedDisplay } from "./peers/spice-client.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import { pointerPosition } from "./peers/x-pointer.ts";
import { runOn } from "./peers/x-programs.ts";
import { readScreen } from "./peers/x-screen.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

/** Debian's place for it: it is the bus that starts it elsewhere. */
const KSCREEN = "/usr/lib/x86_64-linux-gnu/libexec/kf5/kscreen_backend_launcher";

const at = (width: number, height: number, x = 0, y = 0): WantedDisplay => ({ width, height, x, y });

async function heads(display: string): Promise<string> {
  const { outputs } = await readScreen(display);
  return outputs
    .flatMap(({ geometry: one }) => (one === undefined ? [] : [`${one.width}x${one.height}+${one.x}+${one.y}`]))
    .join(" ");
}

const shows = (display: string, wanted: string): Promise<unknown> =>
  until(`the layout ${wanted}`, async () => (await heads(display)) === wanted, 20_000).catch(async (error: unknown) => {
    throw new Error(`${error}: it is ${await heads(display)}`, { cause: error });
  });

describe("row 37: a real viewer with four monitors, and no word of the host of what is behind the outputs", () => {
  let xspice: Xspice;
  let agent: Agent;
  let viewer: SpiceClient;

  beforeAll(async () => {
    xspice = await startXspice({ heads: 4 });
    agent = await startAgentOf(xspice);
    viewer = await SpiceClient.start();
    await viewer.connect(xspice.spicePort);
    await viewer.waitForAgent();
    await agent.untilLogged(/display: connected/);
  });
  afterAll(async () => {
    await viewer?.[Symbol.asyncDispose]();
    await agent?.[Symbol.asyncDispose]();
    await xspice?.[Symbol.asyncDispose]();
  });

  test.each<[string, readonly WantedDisplay[]]>([
    ["two side by side", [at(1024, 768), at(801, 603, 1024)]],
    ["two stacked", [at(1000, 700), at(800, 600, 0, 700)]],
    [
      "three, the second to the left, with an offset",
      [at(800, 600, 640, 0), at(640, 480, 0, 90), at(700, 500, 1440, 40)],
    ],
    ["four in a square", [at(800, 600), at(720, 600, 800), at(800, 500, 0, 600), at(720, 500, 800, 600)]],
  ])("rows 28, 30: %s, and the pointer is right on each", async (_, wanted) => {
    const { sentMs } = await viewer.setDisplays(wanted);
    await viewer.waitForMonitors(wanted, { sinceMs: sentMs });
    for (const [display, { width, height, x = 0, y = 0 }] of wanted.entries()) {
      // A person goes on moving; the viewer may see the new layout a moment before the daemon is told of it.
      const isThere = async (): Promise<boolean> => {
        await viewer.position(width - 2, height - 2, display);
        await viewer.position(width - 1, height - 1, display);
        const pointer = await pointerPosition(xspice.display);
        return pointer.x === x + width - 1 && pointer.y === y + height - 1;
      };
      await until(`the pointer in the corner of display ${display}`, isThere, 20_000, 100);
    }
  });

  test("row 31: the first and the third only", async () => {
    await viewer.setDisplays([at(800, 600), "disabled", at(640, 480, 800)]);
    await shows(xspice.display, "800x600+0+0 640x480+800+0");
    const { outputs } = await readScreen(xspice.display);
    expect(outputs.filter(({ geometry }) => geometry !== undefined).map(({ name }) => name)).toEqual([
      "qxl-0",
      "qxl-2",
    ]);
  });
});

/** A monitor, another beside it, a third, and one again. */
const oneAfterTheOther: readonly (readonly WantedDisplay[])[] = [
  [at(1283, 721)],
  [at(1283, 721), at(801, 603, 1283, 50)],
  [at(640, 480), at(801, 603, 640), at(700, 500, 0, 603)],
  [at(1000, 700)],
];

const placed = (monitors: readonly WantedDisplay[]): string =>
  monitors.map(({ width, height, x = 0, y = 0 }) => `${width}x${height}+${x}+${y}`).join(" ");

describe.each(["openbox", "i3", "xfwm4"] as const)("with %s", (name) => {
  test("rows 28, 31: monitors come, change and go, once each", async () => {
    await using xorg = await startXorgDummy();
    await using desktop = await DesktopPrograms.start(xorg.display);
    if (name === "xfwm4") {
      await desktop.xfconf();
      await desktop.program("xfsettingsd", "--no-daemon");
      await desktop.untilOwned("org.xfce.SettingsDaemon");
    }
    await desktop.windowManager(name);
    await using port = await hostSocket();
    const where = ["--uinput", "none", "--port", port.path, "--display", xorg.display];
    await using agent = await startAgent(["run", ...where], { env: desktop.env });
    const host = await port.opened();
    await host.connectViewer();
    await agent.untilLogged(/display: connected/);
    for (const wanted of oneAfterTheOther) {
      await ask(host, wanted);
      const text = placed(wanted);
      await shows(xorg.display, text);
      // Who undoes it does so soon.
      await sleep(600);
      expect(await heads(xorg.display)).toBe(text);
    }
    expect(agent.logged.match(/layout set/g)).toHaveLength(4);
  });
});

async function ask(host: FakeHost, monitors: readonly (WantedDisplay & { mm?: number })[]): Promise<void> {
  host.send({
    name: "MONITORS_CONFIG",
    value: {
      monitors: monitors.map(({ width, height, x = 0, y = 0, mm }) => ({
        ...{ width, height, x, y, depth: 32 },
        ...(mm === undefined ? {} : { physical: { widthMm: mm, heightMm: mm } }),
      })),
      usePosition: true,
    },
  });
  await host.next("REPLY");
}

describe.each([
  ["XFCE's settings daemon", "org.xfce.SettingsDaemon", "xfsettingsd", ["--no-daemon"]],
  ["MATE's settings daemon", "org.mate.SettingsDaemon", "mate-settings-daemon", []],
  ["KDE's KScreen", "org.kde.KScreen", KSCREEN, []],
  ["GNOME's mutter", "org.gnome.Mutter.DisplayConfig", "mutter", ["--x11", "--sm-disable"]],
] as const)("%s", (_, name, command, args) => {
  test("is known to arrange displays, as long as it runs", async () => {
    await using xorg = await startXorgDummy();
    await using desktop = await DesktopPrograms.start(xorg.display);
    await desktop.xfconf();
    await using owners = new DisplayOwners(systemClock, recordingLog().log, desktop.env);
    expect(owners.present()).toBeUndefined();
    const program = await desktop.program(command, ...args);
    await until("the program to be known", () => owners.present() === name, 15_000).catch((error: unknown) => {
      throw new Error(`${error}: ${program.errors}`, { cause: error });
    });
    await program.kill();
    await until("its end to be known", () => owners.present() === undefined, 10_000);
  });
});

test("GNOME's mutter puts its own layout in the place of ours: it is set again, and stays", async () => {
  await using xorg = await startXorgDummy();
  await using desktop = await DesktopPrograms.start(xorg.display);
  await desktop.program("mutter", "--x11", "--sm-disable");
  await desktop.untilOwned("org.gnome.Mutter.DisplayConfig");
  await using port = await hostSocket();
  const where = ["--uinput", "none", "--port", port.path, "--display", xorg.display];
  await using agent = await startAgent(["run", ...where], { env: desktop.env });
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
  for (const wanted of oneAfterTheOther) {
    await ask(host, wanted);
    const text = placed(wanted);
    await shows(xorg.display, text);
    // It takes its time to undo it, and may do so more than once.
    await sleep(2000);
    await shows(xorg.display, text);
  }
  expect(agent.logged).not.toMatch(/monitors\.contested/);
});

describe("what the user has chosen", () => {
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
  /** Nobody has chosen anything yet. */
  beforeEach(async () => {
    await runOn(xorg.display, "xrandr", ["--noprimary"]);
    await ask(host, [at(1024, 768)]);
    await shows(xorg.display, "1024x768+0+0");
    await ask(host, [at(1024, 768), at(800, 600, 1024)]);
    await shows(xorg.display, "1024x768+0+0 800x600+1024+0");
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await port?.[Symbol.asyncDispose]();
    await xorg?.[Symbol.asyncDispose]();
  });

  const xrandr = (...args: readonly string[]): Promise<string> => runOn(xorg.display, "xrandr", args);

  test("primary survives a resize", async () => {
    await xrandr("--output", "DUMMY1", "--primary");
    await ask(host, [at(1000, 700), at(801, 601, 1000)]);
    await shows(xorg.display, "1000x700+0+0 801x601+1000+0");
    expect((await readScreen(xorg.display)).outputs.filter(({ primary }) => primary).map(({ name }) => name)).toEqual([
      "DUMMY1",
    ]);
  });

  test("who is left of whom survives a resize", async () => {
    await xrandr("--output", "DUMMY1", "--pos", "0x0", "--output", "DUMMY0", "--pos", "800x0");
    await shows(xorg.display, "1024x768+800+0 800x600+0+0");
    await sleep(300);
    await ask(host, [at(900, 650), at(640, 480, 900)]);
    await shows(xorg.display, "900x650+640+0 640x480+0+0");
  });

  test("the mode the agent made is kept only while it is shown", async () => {
    await ask(host, [at(1025, 769)]);
    await shows(xorg.display, "1025x769+0+0");
    await ask(host, [at(1024, 768)]);
    await shows(xorg.display, "1024x768+0+0");
    await until("no mode of ours", async () => !(await xrandr("--query", "--current")).includes("tsvdagent"), 20_000);
  });
});

test("a program that sets another size each time is countered, but not for ever", async () => {
  await using xorg = await startXorgDummy();
  await using port = await hostSocket();
  await using agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xorg.display]);
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
  await ask(host, [at(1280, 800)]);
  await shows(xorg.display, "1280x800+0+0");
  const deadline = Date.now() + 8000;
  while (!/monitors\.contested/.test(agent.logged) && Date.now() < deadline) {
    await runOn(xorg.display, "xrandr", ["--output", "DUMMY0", "--mode", "1024x768"]);
    await sleep(50);
  }
  expect(agent.logged).toMatch(
    /monitors\.contested: another program sets 0:1024x768\+0\+0 again and again: left to it/,
  );
  expect(agent.logged.match(/set again/g)?.length).toBe(3);
  await shows(xorg.display, "1024x768+0+0");
  await ask(host, [at(1100, 750)]);
  await shows(xorg.display, "1100x750+0+0");
});

test("row 40: with display.dpi letters are as large as the viewer's own", async () => {
  await using xorg = await startXorgDummy();
  await using port = await hostSocket();
  using dir = makeTempDir("dpi");
  await writeFile(dir.join("config.toml"), "[display]\ndpi = true\n");
  const where = ["--uinput", "none", "--port", port.path, "--display", xorg.display];
  await using agent = await startAgent(["run", "--config", dir.join("config.toml"), ...where]);
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
  await ask(host, [{ ...at(1920, 1080), mm: 254 }]);
  await shows(xorg.display, "1920x1080+0+0");
  const resources = (): Promise<string> => runOn(xorg.display, "xprop", ["-root", "RESOURCE_MANAGER"]);
  await until("Xft.dpi", async () => (await resources()).includes("Xft.dpi:\\t192"), 20_000);
  // The beginning of what it says; of much talk only the end is kept.
  const dimensions = await runOn(xorg.display, "sh", ["-c", "xdpyinfo | grep dimensions:"]);
  expect(dimensions).toMatch(/1920x1080 pixels \(254x143 millimeters\)/);
});
