// A viewer with a slow line: real settings of GNOME and XFCE, changed by the agent and read with the desktops' own tools.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { DesktopPrograms } from "./peers/desktop-programs.ts";
import { until, within } from "./peers/until.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const [WALLPAPER, FONTS, ANIMATION, DEPTH] = [1, 2, 4, 8] as const;
const ALL = WALLPAPER | FONTS | ANIMATION;

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;
let desktop: DesktopPrograms;
let port: HostSocket;
let agent: Agent;
let host: FakeHost;

async function start(): Promise<void> {
  xorg = await startXorgDummy();
  desktop = await DesktopPrograms.start(xorg.display);
}

async function startTheAgent(): Promise<void> {
  port = await hostSocket();
  const where = ["--uinput", "none", "--port", port.path, "--display", xorg.display];
  agent = await startAgent(["run", ...where], { env: desktop.env });
  host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
}

async function stop(): Promise<void> {
  await agent?.[Symbol.asyncDispose]();
  await port?.[Symbol.asyncDispose]();
  await desktop?.[Symbol.asyncDispose]();
  await xorg?.[Symbol.asyncDispose]();
}

/** The answer: 1 done, 2 not. */
async function ask(flags: number): Promise<number> {
  host.send({ name: "DISPLAY_CONFIG", value: { flags, depth: 16 } });
  const { value } = await host.next("REPLY", 10_000);
  expect(value.type).toBe(5);
  return value.error;
}

describe("row 41: GNOME", () => {
  const BACKGROUND = "org.gnome.desktop.background";
  const INTERFACE = "org.gnome.desktop.interface";
  const state = async (): Promise<string[]> =>
    Promise.all(
      [
        [BACKGROUND, "picture-options"],
        [INTERFACE, "font-antialiasing"],
        [INTERFACE, "enable-animations"],
      ].map(async (key) => (await desktop.tool("gsettings", "get", ...key)).trim()),
    );

  beforeAll(async () => {
    await start();
    await desktop.callItself("GNOME Shell");
    await desktop.tool("gsettings", "set", BACKGROUND, "picture-options", "stretched");
    await startTheAgent();
  });
  afterAll(stop);

  test("all of it off, some of it on again, and all as it was when the viewer goes", async () => {
    const before = await state();
    expect(before).toEqual(["'stretched'", "'grayscale'", "true"]);
    expect(await ask(ALL)).toBe(1);
    expect(await state()).toEqual(["'none'", "'none'", "false"]);
    expect(await ask(ANIMATION)).toBe(1);
    expect(await state()).toEqual(["'stretched'", "'grayscale'", "false"]);
    host.disconnectViewer();
    await until("all to be as it was", async () => (await state()).join() === before.join(), 10_000);
    await host.connectViewer();
  });

  test("what cannot be had is answered so", async () => {
    expect(await ask(DEPTH)).toBe(2);
    expect(await ask(0)).toBe(1);
  });

  test("all as it was when the next agent comes after one that was killed", async () => {
    expect(await ask(ALL)).toBe(1);
    agent.process.signal("SIGKILL");
    await agent.process.ended;
    await port[Symbol.asyncDispose]();
    expect(await state()).toEqual(["'none'", "'none'", "false"]);
    await startTheAgent();
    await until("all to be as it was", async () => (await state()).join() === "'stretched','grayscale',true", 10_000);
  });

  test("all as it was when the agent ends", async () => {
    expect(await ask(WALLPAPER)).toBe(1);
    agent.process.signal("SIGTERM");
    expect(await within("the agent's end", agent.process.ended, 20_000)).toEqual({ code: 0, signal: null });
    expect(await state()).toEqual(["'stretched'", "'grayscale'", "true"]);
  });
});

describe("row 41: XFCE", () => {
  const STYLE = "/backdrop/screen0/monitorDUMMY0/workspace0/image-style";
  const query = (channel: string, property: string): Promise<string> =>
    desktop.tool("xfconf-query", "-c", channel, "-p", property).then(
      (text) => text.trim(),
      (error: unknown) => {
        if (/exit 1: .*does not exist/.test(String(error))) return "not set";
        throw error;
      },
    );
  const state = (): Promise<string[]> =>
    Promise.all([
      query("xfce4-desktop", STYLE),
      query("xsettings", "/Xft/Antialias"),
      query("xsettings", "/Gtk/EnableAnimations"),
    ]);

  beforeAll(async () => {
    await start();
    await desktop.xfconf();
    await desktop.windowManager("xfwm4");
    await desktop.tool("xfconf-query", "-c", "xfce4-desktop", "-p", STYLE, "-n", "-t", "int", "-s", "5");
    await desktop.tool("xfconf-query", "-c", "xsettings", "-p", "/Xft/Antialias", "-n", "-t", "int", "-s", "1");
    await startTheAgent();
  });
  afterAll(stop);

  test("all of it off, and as it was when the viewer goes, also what was not set at all", async () => {
    expect(await state()).toEqual(["5", "1", "not set"]);
    expect(await ask(ALL)).toBe(1);
    expect(await state()).toEqual(["0", "0", "false"]);
    host.disconnectViewer();
    await until("all to be as it was", async () => (await state()).join() === "5,1,not set", 10_000);
  });
});

describe("row 41: a desktop without settings", () => {
  beforeAll(async () => {
    await start();
    await desktop.windowManager("openbox");
    await startTheAgent();
  });
  afterAll(stop);

  test("the viewer is told", async () => {
    expect(await ask(ALL)).toBe(2);
    await agent.untilLogged(/effects: .*effects\.unavailable: no settings known of Openbox/);
  });
});
