// `tsvdagent run` as a person or a service starts it, on a port that is a unix socket with a fake host behind it.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hostSocket } from "../fakes/host-socket.ts";
import { startAgent } from "./peers/agent.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";

const quiet = ["run", "--uinput", "none"];

test("rows 2, 14: a port that is a listening unix socket is opened, and its host answered within 100 ms", async () => {
  await using port = await hostSocket();
  await using agent = await startAgent([...quiet, "--port", port.path]);
  const host = await port.opened();
  await agent.untilLogged(/port: open/);
  const times: number[] = [];
  // The best of a few: the machine may be busy with something else.
  for (let round = 0; round < 5; round += 1) {
    const startMs = performance.now();
    expect((await host.connectViewer()).value).toEqual({ request: false, words: [0x0003cdf6] });
    times.push(performance.now() - startMs);
  }
  expect(Math.min(...times)).toBeLessThan(100);
});

test("row 10: a host that is not there yet is waited for", async () => {
  await using port = await hostSocket();
  await port.stop();
  await using agent = await startAgent([...quiet, "--port", port.path]);
  await agent.untilLogged(/port\.(missing|refused)/);
  await port.start();
  await (await port.opened()).connectViewer();
});

test("row 11: a host that goes and comes back finds the agent again, in the same process", async () => {
  await using port = await hostSocket();
  await using agent = await startAgent([...quiet, "--port", port.path]);
  for (let round = 0; round < 5; round += 1) {
    const host = await port.opened();
    await host.connectViewer();
    host.close();
  }
  expect(agent.process.exit).toBeUndefined();
});

test("the clock jumps, as in a snapshot that was loaded: the port is opened anew", async () => {
  await using port = await hostSocket();
  // Half a minute is a tenth of a second, and an hour passes when it is told to.
  const times = `const { setTimeout: after } = globalThis, { now } = Date; let ahead = 0;
    Date.now = () => now() + ahead;
    globalThis.setTimeout = (call, ms, ...rest) => after(call, ms === 30_000 ? 100 : ms, ...rest);
    process.on("SIGUSR2", () => { ahead = 3_600_000; });`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(times)}` };
  await using agent = await startAgent([...quiet, "--port", port.path], { env });
  const host = await port.opened();
  await host.connectViewer();
  agent.process.signal("SIGUSR2");
  await host.closed;
  await (await port.opened()).connectViewer();
  await agent.untilLogged(/the clock has jumped/);
  expect(port.openings).toBe(2);
});

test("a host that accepts and hangs up at once is not tried in a busy loop", async () => {
  await using port = await hostSocket();
  await using _ = await startAgent([...quiet, "--port", port.path]);
  const untilMs = performance.now() + 3000;
  while (performance.now() < untilMs) (await port.opened()).close();
  expect(port.openings).toBeLessThan(15);
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "row 16: %s ends it with 0 in under 2 s, port open and idle",
  async (signal) => {
    await using port = await hostSocket();
    await using agent = await startAgent([...quiet, "--port", port.path]);
    const host = await port.opened();
    await host.connectViewer();
    const startMs = performance.now();
    agent.process.signal(signal);
    expect(await agent.process.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - startMs).toBeLessThan(2000);
    await host.closed;
  },
);

test("row 16: SIGTERM ends it with 0 also while it waits for a port", async () => {
  await using agent = await startAgent([...quiet, "--port", "/nonexistent/port"]);
  await agent.untilLogged(/port\.missing/);
  agent.process.signal("SIGTERM");
  expect(await agent.process.ended).toEqual({ code: 0, signal: null });
});

test.each([
  ["an unknown command", ["walk"], /unknown command walk: known are daemon, session, run, /],
  ["an unknown option", ["run", "--prot", "/x"], /Unknown option '--prot'/],
  ["a relative port", ["run", "--port", "x"], /--port "x": PATH is expected/],
  ["an unknown log level", ["run", "--log", "loud"], /--log "loud"/],
  [
    "a configuration that is not there",
    ["run", "--config", "/nonexistent.toml"],
    /\/nonexistent.toml: cannot be read: ENOENT/,
  ],
])("%s is told in one line, with exit code 2", async (_, args, expected) => {
  await using agent = await startAgent(args);
  expect((await agent.process.ended).code).toBe(2);
  expect(agent.logged).toMatch(expected);
  expect(agent.logged.trim().split("\n")).toHaveLength(1);
});

test("a configuration with a fault names file, line, key, value and what is allowed, with exit code 2", async () => {
  using folder = makeTempDir("config");
  const file = join(folder.path, "config.toml");
  await writeFile(file, '[log]\nlevel = "info"\n\n[clipboard]\nprimary = "maybe"\n');
  await using agent = await startAgent(["run", "--config", file]);
  expect((await agent.process.ended).code).toBe(2);
  expect(agent.logged).toBe(`tsvdagent: ${file}:5: clipboard.primary = "maybe": allowed is true or false\n`);
});

test("--check-config ends with 0 and opens nothing", async () => {
  using folder = makeTempDir("config");
  const file = join(folder.path, "config.toml");
  await writeFile(file, "[display]\nresize = false\n");
  await using agent = await startAgent(["run", "--check-config", "--config", file, "--port", "/nonexistent/port"]);
  expect((await agent.process.ended).code).toBe(0);
  expect(agent.logged).toContain("nothing wrong");
});

test("SIGHUP reads the configuration again: a good one is used, a bad one is told and the old one kept", async () => {
  using folder = makeTempDir("config");
  const file = join(folder.path, "config.toml");
  await using port = await hostSocket();
  await writeFile(file, "[clipboard]\nenabled = true\n");
  await using agent = await startAgent([...quiet, "--port", port.path, "--config", file]);
  const first = await (await port.opened()).connectViewer();
  expect(first.value.words).toEqual([0x0003cdf6]);

  await writeFile(file, "[clipboard]\nenabled = 3\n");
  agent.process.signal("SIGHUP");
  await agent.untilLogged(/configuration: kept as it was: .*:2: clipboard.enabled = 3: allowed is true or false/);

  await writeFile(file, "[clipboard]\nenabled = false\n");
  agent.process.signal("SIGHUP");
  await agent.untilLogged(/configuration: read again/);
  const second = await (await port.opened()).connectViewer();
  expect(second.value.words).toEqual([0x0000c996]);
});

test("a port for the guest's folders that is not there is waited for, and keeps nothing else waiting", async () => {
  await using port = await hostSocket();
  await using agent = await startAgent([...quiet, "--port", port.path, "--share-device", "/dev/none"]);
  await (await port.opened()).connectViewer();
  expect(agent.logged).toContain("guest share: port.missing: /dev/none is not there: waiting for it");
});

test("started by sudo it opens the port as root, then is the user who called sudo, whose own file it reads", async () => {
  await using port = await hostSocket();
  const nobody = { SUDO_UID: "65534", SUDO_GID: "65534", SUDO_USER: "nobody" };
  await using agent = await startAgent([...quiet, "--port", port.path], { env: nobody });
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/privileges: given up: now user 65534/);
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  expect(/^Uid:(\s+65534){4}$/m.test(status) && /^Gid:(\s+65534){4}$/m.test(status)).toBe(true);
  expect(/^Groups:\s*(65534\s*)?$/m.test(status)).toBe(true);
  expect(/^CapEff:\s*0+$/m.test(status)).toBe(true);
  host.close();
  await agent.untilLogged(/port: port\.denied: no permission to open/);
});

test("sudo's variables must make sense", async () => {
  await using agent = await startAgent(quiet, { env: { SUDO_UID: "root" } });
  expect((await agent.process.ended).code).toBe(2);
  expect(agent.logged).toContain('SUDO_UID="root": a number is expected');
});

test("idle on a port it takes next to no processor time", async () => {
  await using port = await hostSocket();
  await using agent = await startAgent([...quiet, "--port", port.path]);
  await (await port.opened()).connectViewer();
  await sleep(1000);
  const before = cpuTicks(agent.pid);
  await sleep(2000);
  expect(cpuTicks(agent.pid) - before).toBeLessThanOrEqual(5);
});

/** User and system time of a process in ticks of 10 ms (proc_pid_stat). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

test("an X server that accepts and says nothing does not keep it from ending in under 2 s", async () => {
  using folder = makeTempDir("mute-x");
  let asked = 0;
  const mute = createServer(() => {
    asked += 1;
  });
  // The folder of X sockets is everybody's, so this one stands at a TCP port of its own on loopback.
  const address = await new Promise<AddressInfo>((resolve) => {
    mute.listen(0, "127.0.0.1", () => resolve(mute.address() as AddressInfo));
  });
  await using agent = await startAgent(
    [...quiet, "--port", join(folder.path, "port"), "--display", `127.0.0.1:${address.port - 6000}`],
    {
      env: { XAUTHORITY: join(folder.path, "none") },
    },
  );
  await until("the agent to knock at the X server", () => asked > 0, 5000);
  const startMs = performance.now();
  agent.process.signal("SIGTERM");
  expect(await agent.process.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - startMs).toBeLessThan(2000);
  mute.close();
});
