// `tsvdagent run` as a person starts it in a terminal, which may be closed.
import { spawn } from "node-pty";
import { expect, test } from "vitest";
import { hostSocket } from "../fakes/host-socket.ts";
import { program } from "./peers/agent.ts";
import { cleanEnvironment } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until, within } from "./peers/until.ts";

test("SIGHUP makes it read its configuration again; when the terminal is closed it ends, and gives the port back", async () => {
  using home = makeTempDir("home");
  await using port = await hostSocket();
  const env = cleanEnvironment({ HOME: home.path, XDG_CONFIG_HOME: "" });
  const words = [program, "run", "--uinput", "none", "--port", port.path];
  const terminal = spawn(process.execPath, words, { encoding: null, env });
  let isOver = false;
  let said = "";
  terminal.onExit(() => {
    isOver = true;
  });
  terminal.onData((bytes) => {
    said += String(bytes);
  });
  try {
    const host = await port.opened();
    await host.connectViewer();
    process.kill(terminal.pid, "SIGHUP");
    await until("the configuration to be read again", () => said.includes("configuration: read again"), 20_000);
    expect(isOver).toBe(false);
    terminal.destroy();
    await within("the port to be given back", host.closed, 20_000);
    await until("its end", () => !isThere(terminal.pid), 20_000);
  } finally {
    if (isThere(terminal.pid)) process.kill(terminal.pid, "SIGKILL");
  }
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
