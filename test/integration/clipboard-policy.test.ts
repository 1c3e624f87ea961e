// What the configuration, the user's own and applications themselves keep back: built programs, a real X server, a played viewer.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { StatusReport } from "../../src/programs/status-report.ts";
import { AgentCap, ClipboardType } from "../../src/wire/agent-constants.ts";
import { hasCap } from "../../src/wire/announce-capabilities.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, program, startAgent } from "./peers/agent.ts";
import { OddApplication } from "./peers/odd-application.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import { clipboardTargets, copyFile, pasteToFile } from "./peers/x-clipboard.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, NONE } = ClipboardType;
const { CLIPBOARD_BY_DEMAND, CLIPBOARD_SELECTION, CLIPBOARD_GRAB_SERIAL } = AgentCap;
const MIB = 1024 * 1024;
const HINT = "x-kde-passwordManagerHint";
/** For what must not happen to happen. */
const QUIET_MS = 400;

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;
let folder: TempDir;
let port: HostSocket;
let host: FakeHost;
let started: AsyncDisposable[];

beforeAll(async () => {
  xorg = await startXorgDummy();
});
afterAll(() => xorg?.[Symbol.asyncDispose]());
beforeEach(() => {
  folder = makeTempDir("clipboard-policy");
  started = [];
});
afterEach(async () => {
  for (const each of started.reverse()) await each[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function kept<T extends AsyncDisposable>(each: T): T {
  started.push(each);
  return each;
}

async function homeWith(user: string): Promise<string> {
  const home = folder.join("home");
  mkdirSync(folder.join("home/.config/tsvdagent"), { recursive: true });
  await writeFile(folder.join("home/.config/tsvdagent/config.toml"), user);
  return home;
}

async function configFile(system: string): Promise<string> {
  await writeFile(folder.join("config.toml"), system);
  return folder.join("config.toml");
}

async function connected(agent: Agent): Promise<Agent> {
  host = await port.opened();
  await agent.untilLogged(/viewer|port: open/);
  await host.connectViewer();
  return agent;
}

/** `run` with this configuration of the system's and of the user's, and a viewer. */
async function running(system: string, user = ""): Promise<Agent> {
  port = kept(await hostSocket());
  const where = ["--uinput", "none", "--port", port.path, "--display", xorg.display];
  const env = { HOME: await homeWith(user) };
  const agent = kept(await startAgent(["run", ...where, "--config", await configFile(system)], { env }));
  await agent.untilLogged(/display: connected/);
  return connected(agent);
}

/** Daemon and session, the one with the system's configuration and the other with the user's. */
async function runningPair(system: string, user = ""): Promise<{ daemon: Agent; session: Agent }> {
  port = kept(await hostSocket());
  const sockets = ["--socket", folder.join("session"), "--control", folder.join("control")];
  const options = ["--uinput", "none", "--port", port.path, "--no-logind", "--config", await configFile(system)];
  const daemon = kept(await startAgent(["daemon", ...options, ...sockets]));
  await until("the daemon's sockets", () => existsSync(folder.join("control")), 5000, 20);
  const link = ["--socket", folder.join("session"), "--display", xorg.display];
  const session = kept(await startAgent(["session", ...link], { env: { HOME: await homeWith(user) } }));
  await connected(daemon);
  return { daemon, session };
}

function status(): StatusReport {
  const asked = [program, "status", "--json", "--control", folder.join("control")];
  return JSON.parse(spawnSync(process.execPath, asked).stdout.toString()) as StatusReport;
}

/** Session and daemon may be behind what an application has seen. */
async function isCounted(expected: object): Promise<void> {
  await vi.waitFor(() => expect(status().clipboard).toEqual(expected), { timeout: 10_000, interval: 100 });
}

async function applicationCopies(content: string | Buffer, target = "UTF8_STRING"): Promise<void> {
  const file = folder.join("copied");
  await writeFile(file, content);
  kept(await copyFile(xorg.display, file, { target }));
}

async function viewerCopies(serial: number, types: number[] = [TEXT]): Promise<void> {
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial, types } });
}

async function isOffered(target = "UTF8_STRING"): Promise<void> {
  await until(`${target} to be on offer`, async () => (await clipboardTargets(xorg.display)).includes(target), 5000);
}

async function viewerPastes(type: number = TEXT) {
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type } });
  const { value, data } = await host.next("CLIPBOARD", 10_000);
  return { type: value.type, text: Buffer.from(data).toString() };
}

async function pastes(content: Buffer): Promise<string> {
  const to = folder.join("pasted");
  const answer = async (): Promise<void> => {
    const { value } = await host.next("CLIPBOARD_REQUEST");
    host.send({ name: "CLIPBOARD", value }, { data: content });
  };
  await Promise.all([answer(), pasteToFile(xorg.display, to, { timeoutMs: 20_000 })]);
  return (await readFile(to)).toString();
}

/** The quiet ends with a question and its answer, which nothing can have been behind. */
async function nothingIsTold(): Promise<void> {
  await sleep(QUIET_MS);
  const from = host.messages.length - host.unread.length;
  host.send({ name: "MONITORS_CONFIG", value: { monitors: [], usePosition: true } });
  await host.next("REPLY");
  expect(host.messages.slice(from).map(({ name }) => name)).toEqual(["REPLY"]);
}

describe("direction", () => {
  test.each([
    ["the system says so", 'clipboard.direction = "host-to-guest"', ""],
    ["the user says so", "", 'clipboard.direction = "host-to-guest"'],
  ])(
    "in only, where %s: the viewer is not told of a copy and given none; its own is pasted",
    async (_, system, user) => {
      const agent = await running(system, user);
      await applicationCopies("not for the viewer");
      await agent.untilLogged(/guest to host: refused.*: direction/);
      await nothingIsTold();
      expect(await viewerPastes()).toEqual({ type: NONE, text: "" });
      await viewerCopies(0);
      await until("it to be on offer", async () => (await clipboardTargets(xorg.display)).includes("TIMESTAMP"), 5000);
      expect(await pastes(Buffer.from("for the guest"))).toBe("for the guest");
    },
  );

  test("out only: the viewer's copy is on nobody's clipboard, and the guest's is told and given", async () => {
    const agent = await running('clipboard.direction = "guest-to-host"');
    await viewerCopies(0);
    await agent.untilLogged(/clipboard: host to guest: refused: direction/);
    expect(await clipboardTargets(xorg.display)).toEqual([]);
    await applicationCopies("for the viewer");
    expect((await host.next("CLIPBOARD_GRAB")).value).toEqual({ selection: 0, serial: 1, types: [TEXT] });
    expect(await viewerPastes()).toEqual({ type: TEXT, text: "for the viewer" });
  });

  test("in only for the system, out only for the user: nothing at all, and the viewer is told that there is no clipboard", async () => {
    await running('clipboard.direction = "host-to-guest"', 'clipboard.direction = "guest-to-host"');
    const announced = (await host.connectViewer()).value.words;
    for (const cap of [CLIPBOARD_BY_DEMAND, CLIPBOARD_SELECTION, CLIPBOARD_GRAB_SERIAL])
      expect(hasCap(announced, cap)).toBe(false);
    await viewerCopies(0);
    await applicationCopies("for nobody");
    await nothingIsTold();
  });
});

test("types: text only, of a picture nothing is told, offered or given", async () => {
  const agent = await running('clipboard.types = ["text"]');
  await applicationCopies("a picture, so to speak", "image/png");
  await agent.untilLogged(/guest to host: refused.*: type/);
  await nothingIsTold();
  expect((await viewerPastes(PNG)).type).toBe(NONE);
  await viewerCopies(0, [PNG, TEXT]);
  await isOffered();
  expect(await clipboardTargets(xorg.display)).not.toContain("image/png");
});

describe("sizes", () => {
  test("what is larger than comes in is refused, and what is not is pasted", async () => {
    const agent = await running("clipboard.max-host-to-guest-mib = 1");
    await viewerCopies(0);
    await isOffered();
    expect(await pastes(Buffer.alloc(MIB, "x"))).toHaveLength(MIB);
    const answers = (async () => {
      // Refused UTF8_STRING, xclip asks for STRING.
      for (let question = 0; question < 2; question += 1) {
        const { value } = await host.next("CLIPBOARD_REQUEST");
        host.send({ name: "CLIPBOARD", value }, { data: Buffer.alloc(MIB + 1, "x") });
      }
    })();
    await expect(pasteToFile(xorg.display, folder.join("none"), {})).rejects.toThrow(/not available/);
    await answers;
    await agent.untilLogged(/host to guest: refused: size/);
  });

  test("row 55: what is larger than goes out is answered empty, and what is not is given", async () => {
    const agent = await running("clipboard.max-guest-to-host-mib = 1");
    await applicationCopies("x".repeat(MIB));
    await host.next("CLIPBOARD_GRAB");
    expect((await viewerPastes()).text).toHaveLength(MIB);
    await applicationCopies("x".repeat(MIB + 1));
    await host.next("CLIPBOARD_GRAB");
    expect((await viewerPastes()).text).toHaveLength(0);
    await agent.untilLogged(/refused: size|could not give its content: clipboard\.too-large/);
  });

  test("row 55: the viewer may want less than the configuration allows", async () => {
    await running("");
    host.send({ name: "MAX_CLIPBOARD", value: { max: 100 } });
    await applicationCopies("x".repeat(100));
    await host.next("CLIPBOARD_GRAB");
    expect((await viewerPastes()).text).toHaveLength(0);
    await applicationCopies("x".repeat(99));
    await host.next("CLIPBOARD_GRAB");
    expect((await viewerPastes()).text).toHaveLength(99);
  });
});

describe("secrets", () => {
  test.each([
    ["marked secret is not told", { UTF8_STRING: "hunter2", [HINT]: "secret" }, false],
    ["whose mark cannot be had is not told", { UTF8_STRING: "hunter2" }, false],
    ["marked as something else is told", { UTF8_STRING: "no secret", [HINT]: "public" }, true],
  ])("what is %s", async (_, texts, isTold) => {
    const agent = await running("");
    await using application = await OddApplication.start(xorg.display);
    // What is offered and not given: refused.
    const answers = HINT in texts ? texts : { ...texts, [HINT]: "" };
    await application.own({ targets: ["UTF8_STRING", HINT], answers: HINT in texts ? answers : "refuse" });
    if (isTold) {
      await host.next("CLIPBOARD_GRAB");
      expect((await viewerPastes()).text).toBe("no secret");
      return;
    }
    await agent.untilLogged(/guest to host: refused: secret/);
    await nothingIsTold();
    expect((await viewerPastes()).type).toBe(NONE);
    expect(agent.logged).not.toContain("hunter2");
  });

  test.each([
    ["wanted", "clipboard.mark-received = true", true],
    ["not wanted", "", false],
  ])("what comes from the viewer is marked where that is %s", async (_, system, isMarked) => {
    await running(system);
    await viewerCopies(0);
    await isOffered();
    expect((await clipboardTargets(xorg.display)).includes(HINT)).toBe(isMarked);
    const mark = pasteToFile(xorg.display, folder.join("mark"), { target: HINT });
    if (!isMarked) return expect(mark).rejects.toThrow(/not available/);
    await mark;
    expect((await readFile(folder.join("mark"))).toString()).toBe("secret");
    // Nothing of it is asked of the viewer.
    await nothingIsTold();
  });
});

describe("daemon and session", () => {
  test("the daemon keeps back what the system's configuration does, and status counts it without a word of it", async () => {
    const { daemon, session } = await runningPair('[clipboard]\ndirection = "host-to-guest"');
    await applicationCopies("not for the viewer");
    await daemon.untilLogged(/guest to host: refused: direction/);
    await nothingIsTold();
    expect((await viewerPastes()).type).toBe(NONE);
    await viewerCopies(0);
    await until("it to be on offer", async () => (await clipboardTargets(xorg.display)).includes("TIMESTAMP"), 5000);
    expect(await pastes(Buffer.from("for the guest"))).toBe("for the guest");
    await isCounted({
      "host-to-guest": { transfers: 1, bytes: 13, refused: {} },
      "guest-to-host": { transfers: 0, bytes: 0, refused: { direction: expect.any(Number) } },
    });
    expect(daemon.logged + session.logged + JSON.stringify(status())).not.toMatch(/not for the viewer|for the guest/);
  });

  test("the session keeps back what the user's configuration does", async () => {
    const { session } = await runningPair("", '[clipboard]\ntypes = ["text"]\ndirection = "host-to-guest"');
    await applicationCopies("not for the viewer");
    await session.untilLogged(/guest to host: refused by the user's configuration: direction/);
    await nothingIsTold();
    expect((await viewerPastes()).type).toBe(NONE);
    await viewerCopies(0, [PNG, TEXT]);
    await until("it to be on offer", async () => (await clipboardTargets(xorg.display)).includes("TIMESTAMP"), 5000);
    expect(await clipboardTargets(xorg.display)).not.toContain("image/png");
    expect(await pastes(Buffer.from("for the guest"))).toBe("for the guest");
  });

  test("what the user's configuration keeps back is counted in status like the rest, without a word of it", async () => {
    const limits = "max-guest-to-host-mib = 1\nmax-host-to-guest-mib = 1";
    const { daemon, session } = await runningPair("", `[clipboard]\ntypes = ["text"]\n${limits}`);
    await applicationCopies("a picture, so to speak", "image/png");
    await session.untilLogged(/guest to host: refused by the user's configuration: type/);
    await applicationCopies("not for the viewer".repeat(100_000));
    await host.next("CLIPBOARD_GRAB");
    expect((await viewerPastes()).text).toBe("");
    await viewerCopies(1, [PNG]);
    await session.untilLogged(/host to guest: refused by the user's configuration: type/);
    await viewerCopies(2);
    await isOffered();
    const refused = expect(pasteToFile(xorg.display, folder.join("none"), {})).rejects.toThrow(/not available/);
    // Refused UTF8_STRING, xclip asks for STRING.
    for (let question = 0; question < 2; question += 1) {
      const { value } = await host.next("CLIPBOARD_REQUEST");
      host.send({ name: "CLIPBOARD", value }, { data: Buffer.alloc(MIB + 1, "x") });
    }
    await refused;
    await isCounted({
      "host-to-guest": expect.objectContaining({ refused: { type: 1, size: 2 } }),
      "guest-to-host": expect.objectContaining({ refused: { type: 1, size: 1 } }),
    });
    expect(daemon.logged + session.logged + JSON.stringify(status())).not.toMatch(/picture, so|not for the viewer/);
  });
});
