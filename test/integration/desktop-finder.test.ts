// `tsvdagent session` as a user unit starts it: before there is a desktop, and without being told which.
import { spawn } from "node:child_process";
import { chmod, mkdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { environmentsOfProcesses } from "../../src/desktop/session-environment.ts";
import { lockSession } from "../../src/desktop/session-lock.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { FakeLogind } from "./peers/fake-logind.ts";
import { FakeUserManager } from "./peers/fake-user-manager.ts";
import { TestBus } from "./peers/message-bus.ts";
import { startProcess } from "./peers/processes.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import type { XorgServer } from "./peers/xorg.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const uid = process.getuid?.() ?? 0;
/** For a desktop that is there to be found. */
const FOUND_MS = 10_000;

let dir: TempDir;
let bus: TestBus;
let logind: FakeLogind;
let manager: FakeUserManager;
let started: AsyncDisposable[];

beforeEach(async () => {
  dir = makeTempDir("finder");
  started = [];
  bus = await TestBus.start();
  logind = await FakeLogind.start(bus.address);
  manager = await FakeUserManager.start(bus.address);
  await mkdir(dir.join("run"));
  await chmod(dir.join("run"), 0o700);
});

afterEach(async () => {
  for (const each of started.reverse()) await each[Symbol.asyncDispose]();
  await manager?.[Symbol.asyncDispose]();
  await logind?.[Symbol.asyncDispose]();
  await bus?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

function kept<T extends AsyncDisposable>(each: T): T {
  started.push(each);
  return each;
}

/** As systemd starts it: with an invocation of its own, and without a display. */
async function unit(): Promise<Agent> {
  const env = {
    INVOCATION_ID: "0123456789abcdef0123456789abcdef",
    DBUS_SYSTEM_BUS_ADDRESS: bus.address,
    DBUS_SESSION_BUS_ADDRESS: bus.address,
    XDG_RUNTIME_DIR: dir.join("run"),
  };
  return kept(await startAgent(["session", "--socket", dir.join("nobody")], { env }));
}

async function xorg(): Promise<XorgServer> {
  return kept(await startXorgDummy());
}

async function login(name = "1"): Promise<void> {
  await logind.addSession(name, { uid, scope: "" });
  await logind.activate(name);
}

function foundCount(agent: Agent): number {
  return agent.logged.split("desktop: found").length - 1;
}

describe("a session that was started before its desktop", () => {
  test("waits without doing anything until its user has logged in and an X server is there", async () => {
    const agent = await unit();
    await agent.untilLogged(/no desktop yet/);
    const x = await xorg();
    await manager.setEnvironment({ DISPLAY: x.display });
    await sleep(500);
    expect(foundCount(agent)).toBe(0);
    await login();
    await agent.untilLogged(new RegExp(`desktop: found: session 1, display ${x.display}`), FOUND_MS);
    await agent.untilLogged(/display: connected/);
  });

  test("finds an X server that starts long after the login", async () => {
    await login();
    const agent = await unit();
    await agent.untilLogged(/no desktop yet/);
    await sleep(1000);
    const x = await xorg();
    await manager.setEnvironment({ DISPLAY: x.display });
    await agent.untilLogged(/desktop: found/, FOUND_MS);
    await agent.untilLogged(/display: connected/);
  });

  test("does not take a display that is named but not there", async () => {
    await manager.setEnvironment({ DISPLAY: ":4000" });
    await login();
    const agent = await unit();
    await agent.untilLogged(/no desktop yet/);
    // Who asks once more has not taken what it was told before.
    const before = manager.asked;
    await until("the display to be looked at again", () => manager.asked > before, FOUND_MS);
    expect(foundCount(agent)).toBe(0);
  });

  test("finds the next one when its desktop is gone", async () => {
    const first = await startXorgDummy();
    await manager.setEnvironment({ DISPLAY: first.display });
    await login();
    const agent = await unit();
    await agent.untilLogged(/display: connected/, FOUND_MS);
    await first[Symbol.asyncDispose]();
    await logind.removeSession("1");
    await agent.untilLogged(/desktop: found[\s\S]*no desktop yet/, FOUND_MS);
    const second = await xorg();
    await manager.setEnvironment({ DISPLAY: second.display });
    await login("2");
    await agent.untilLogged(new RegExp(`desktop: found: session 2, display ${second.display}`), FOUND_MS);
  });

  test("goes on when the bus and logind have been away", async () => {
    const agent = await unit();
    await agent.untilLogged(/no desktop yet/);
    await bus.kill();
    const x = await xorg();
    await bus.restart();
    await logind.connect(bus.address);
    await login();
    await manager[Symbol.asyncDispose]();
    manager = await FakeUserManager.start(bus.address);
    await manager.setEnvironment({ DISPLAY: x.display });
    await agent.untilLogged(/desktop: found/, FOUND_MS);
  });

  test("ends on SIGTERM at once while it waits", async () => {
    const agent = await unit();
    await agent.untilLogged(/no desktop yet/);
    agent.process.signal("SIGTERM");
    expect(await agent.process.ended).toEqual({ code: 0, signal: null });
  });
});

describe("two agents of one session", () => {
  test("the second waits, and takes over when the first is killed", async () => {
    const x = await xorg();
    await manager.setEnvironment({ DISPLAY: x.display });
    await login();
    const first = await unit();
    await first.untilLogged(/display: connected/, FOUND_MS);
    const second = await unit();
    await second.untilLogged(/session 1: another agent serves it already/, FOUND_MS);
    expect(second.logged).not.toMatch(/display: connected/);
    await first.process.kill("SIGKILL");
    await second.untilLogged(/display: connected/, FOUND_MS);
  });

  test("one that is started by hand says so and ends with 0", async () => {
    const x = await xorg();
    const env = { XDG_RUNTIME_DIR: dir.join("run") };
    const args = ["session", "--socket", dir.join("nobody"), "--display", x.display];
    const first = kept(await startAgent(args, { env }));
    await first.untilLogged(/display: connected/);
    const second = kept(await startAgent(args, { env }));
    expect(await second.process.ended).toEqual({ code: 0, signal: null });
    expect(second.logged).toMatch(/another agent serves it already/);
  });

  test("a lock left behind by a killed process is no lock", async () => {
    const holder = spawn(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(dir.join("tsvdagent-x.lock"))}, () => process.kill(process.pid, "SIGKILL"))`,
    ]);
    await new Promise((resolve) => holder.on("exit", resolve));
    const held = await lockSession(dir.path, "x");
    expect(held.kind).toBe("ours");
    if (held.kind === "ours") await held.lock[Symbol.asyncDispose]();
  });
});

test("a display is found in the environment of the session's own processes", async () => {
  const DISPLAY = `:${4000 + (process.pid % 1000)}`;
  const env = { DISPLAY, XAUTHORITY: dir.join("cookie"), SECRET: "not to be looked at" };
  kept(await startProcess("sleep", ["60"], { env }));
  await until(
    "the process's environment",
    async () => (await environmentsOfProcesses(uid, "")).some((found) => found.DISPLAY === DISPLAY),
    20_000,
  );
  expect(await environmentsOfProcesses(uid, "")).toContainEqual({ DISPLAY, XAUTHORITY: dir.join("cookie") });
  expect(await environmentsOfProcesses(uid, "session-nobody.scope")).toEqual([]);
});
