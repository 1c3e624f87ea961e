// As a user gets it: installed by scripts/install-systemd, started by nobody, looked at by a real viewer, taken away again.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import {
  AGENT_PORT,
  complaints,
  connectViewer,
  copyBothWays,
  copyIn,
  daemonLog,
  daemonPid,
  fromViewer,
  installProduct,
  md5,
  pasteIn,
  readStatus,
  reconnect,
  textOf,
  toViewer,
  viewerCopies,
  waitForAgent,
} from "./product.ts";
import { pointerPosition } from "./watch.ts";

const MIB = 1024 * 1024;
const MOUSE_STATE = 0;

let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;

beforeAll(async () => {
  guest = await startGuest();
  expect(await guest.waitForBoot()).toBe("running");
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
});

describe("install-systemd", () => {
  test("says what it has installed and started", async () => {
    const said = await installProduct(guest);
    expect(said).toMatch(
      /^Installed: \/usr\/local\/lib\/tsvdagent\/\S+, run by \/mnt\/node\/bin\/node \(v\d+\.\S+\)$/m,
    );
    expect(said).toMatch(/^Started: tsvdagentd\.service \(com\.redhat\.spice\.0 org\.spice-space\.webdav\.0\)$/m);
    // Upstream's, which the guest has for the sake of another test.
    expect(said).toMatch(/^Found spice-webdavd, and left it as it is/m);
    expect(said.trim().split("\n")).toHaveLength(3);
    expect(await daemonPid(guest)).toBeGreaterThan(0);
  });

  test("after a reboot the daemon is there by its udev rule alone", async () => {
    guest.qmp.forgetEvents();
    await guest.run(["systemctl", "reboot", "--no-block"]);
    // What is asked before it is down would never be answered.
    await guest.qmp.waitFor("RESET", 90_000);
    expect(await guest.waitForBoot()).toBe("running");
    expect(await guest.run(["systemctl", "is-enabled", "tsvdagentd.service"])).toMatchObject({ stdout: "disabled\n" });
    expect(await guest.run(["systemctl", "is-active", "tsvdagentd.service"])).toMatchObject({ stdout: "active\n" });
    const wants = await guest.output(["udevadm", "info", "--query=property", AGENT_PORT]);
    expect(wants).toContain("SYSTEMD_WANTS=tsvdagentd.service");
  });

  test("row 1: without a session the port stays closed", async () => {
    expect((await readStatus(guest)).port).toEqual({ path: AGENT_PORT, state: "closed", fault: null });
    expect(await daemonLog(guest)).not.toContain("port: open");
  });
});

describe("the daemon", () => {
  test("runs as tsvdagent, without capabilities, with what its user may have", async () => {
    const text = await guest.output(["cat", `/proc/${await daemonPid(guest)}/status`]);
    const uid = (await guest.output(["id", "-u", "tsvdagent"])).trim();
    expect(text).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, "m"));
    for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) expect(text).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, "m"));
    expect(text).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(text).toMatch(/^Seccomp:\s+2$/m);
    const owners = await guest.output(["stat", "-L", "-c", "%U:%G %a", AGENT_PORT, "/dev/uinput"]);
    expect(owners).toBe("root:tsvdagent 660\nroot:uinput 660\n");
  });

  test("systemd-analyze security: at most 1.5", async () => {
    const text = await guest.output(["systemd-analyze", "security", "--no-pager", "tsvdagentd.service"]);
    const level = /Overall exposure level for tsvdagentd\.service: (\d+\.\d+)/.exec(text)?.[1];
    console.log(`systemd-analyze security tsvdagentd.service: ${level}`);
    expect(Number(level)).toBeLessThanOrEqual(1.5);
  });
});

describe("a desktop", () => {
  test("row 1: gets its agent by itself, and then the port is opened, once", async () => {
    desktop = await Desktop.start(guest);
    await waitForAgent(guest, desktop);
    expect((await daemonLog(guest)).match(/port: open/g)).toHaveLength(1);
  });

  test("its user sees in `tsvdagent status` what drives it", async () => {
    const status = await desktop.output(["tsvdagent", "status"]);
    console.log(status);
    expect(status).toMatch(/^port +open: \/dev\/virtio-ports\/com\.redhat\.spice\.0$/m);
    expect(status).toMatch(/^pointer +working: \/dev\/uinput$/m);
    expect(status).toMatch(new RegExp(`^session +${desktop.sessionId} of user 1000: on the screen: agent `, "m"));
    expect(status).toMatch(/^ +display: randr$/m);
    expect(status).toMatch(/^ +clipboard: x11$/m);
    expect(status).not.toMatch(/^error/m);
    const others = await guest.output(["tsvdagent", "status"], { user: "other" });
    expect(others).toMatch(/^sessions +1 more of other users$/m);
    expect(others).not.toMatch(/user 1000/);
  });

  test("a viewer is heard of, and nobody complains", async () => {
    viewer = await connectViewer(guest);
    expect(await viewer.hasCapability(MOUSE_STATE)).toBe(true);
    expect((await readStatus(guest, "guest")).viewer).toEqual({ connected: true, number: 1 });
    expect(await complaints(guest)).toBe("");
  });
});

test("qxl: the server gives a new size to the card, and the desktop takes it up", async () => {
  const { sentMs } = await viewer.setDisplays([{ width: 1283, height: 721 }]);
  await viewer.waitForMonitors([{ width: 1283, height: 721 }], { sinceMs: sentMs, timeoutMs: 20_000 });
  expect(await desktop.output(["xrandr", "--current"])).toContain("current 1283 x 721");
});

describe("the clipboard", () => {
  test.each([1, 1024, MIB, 5 * MIB])("%i bytes of text are the same on both sides, both ways", async (bytes) => {
    await toViewer(viewer, desktop, textOf(bytes));
    await fromViewer(viewer, desktop, textOf(bytes, "another line: ž漢字😀\n"));
  });

  test("the marked text (PRIMARY) is one of its own", async () => {
    await using _copied = await copyIn(desktop, "copied");
    await viewerCopies(viewer, "marked", 1);
    const marked = async (): Promise<boolean> => (await pasteIn(desktop, "primary"))?.md5 === md5("marked");
    await until("the viewer's marked text", marked, 20_000, 200);
    expect(await pasteIn(desktop)).toEqual({ bytes: 6, md5: md5("copied") });
  });
});

test("a viewer that leaves and comes back, five times, finds everything at work", async () => {
  for (const [x, y] of [
    [100, 200],
    [300, 400],
    [500, 600],
    [700, 500],
    [900, 300],
  ] as const) {
    await viewer.disconnect();
    await reconnect(guest, viewer);
    await copyBothWays(viewer, desktop, `at ${x}`);
    await viewer.position(x, y);
    const arrived = async (): Promise<boolean> => {
      const at = await pointerPosition(desktop);
      return Math.abs(at.x - x) <= 1 && Math.abs(at.y - y) <= 1;
    };
    await until(`the pointer to be at ${x},${y}`, arrived, 10_000, 100);
  }
  expect((await readStatus(guest)).viewer).toEqual({ connected: true, number: 6 });
  expect(await complaints(guest)).toBe("");
});

test("install-systemd --uninstall leaves nothing running and gives the port back", async () => {
  const said = await installProduct(guest, "--uninstall", "--purge");
  expect(said).toBe("tsvdagent is uninstalled.\n");
  expect(await guest.run(["pgrep", "-af", "tsvdagent[.]js"])).toMatchObject({ stdout: "" });
  expect(await guest.run(["id", "tsvdagent"])).toMatchObject({ code: 1 });
  const folders = ["/run/tsvdagent", "/usr/local/lib/tsvdagent", "/etc/tsvdagent"];
  expect(await guest.run(["ls", "-d", ...folders])).toMatchObject({ stdout: "" });
  const units = await guest.output(["systemctl", "list-units", "--all", "--no-legend", "tsvdagent*"]);
  expect(units).toBe("");
  expect(await desktop.output(["systemctl", "--user", "list-units", "--all", "--no-legend", "tsvdagent*"])).toBe("");
  expect(await guest.output(["stat", "-L", "-c", "%U:%G %a", AGENT_PORT])).toBe("root:root 600\n");
  await viewer.waitForNoAgent();
  // Nobody holds it: whoever opens it hears the viewer.
  const heard = await guest.run(["python3", "-B", "/mnt/tools/port-bytes.py", AGENT_PORT, "20"]);
  expect(heard.code).toBe(0);
});
