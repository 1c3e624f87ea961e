// The harness itself: a guest boots, people log in, the devices are there, QEMU obeys. Nothing of tsvdagent runs here.
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Button, MouseMode, SpiceClient } from "../integration/peers/spice-client.ts";
import { until, within } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import { loginSessions } from "./login-sessions.ts";
import { openPointerWindow, pointerPosition, watchInput } from "./watch.ts";

const PORT_BYTES = ["python3", "-B", "/mnt/tools/port-bytes.py"];
/** Port 1, a size; protocol 1, ANNOUNCE_CAPABILITIES (6), opaque 0. */
const ANNOUNCEMENT = /^01000000(..){4}0100000006000000(00){8}/;
/** The same from an agent that can do clipboard by demand, and wants an answer. */
const AGENT_ANNOUNCEMENT = "010000001c00000001000000060000000000000000000000080000000100000020000000";
const AGENT_PORT = "/dev/virtio-ports/com.redhat.spice.0";
const EV_KEY = 1;
const EV_REL = 2;
const BTN_LEFT = 0x110;

describe("a guest with qxl and SPICE", () => {
  let guest: Guest;
  let desktop: Desktop;

  beforeAll(async () => {
    guest = await startGuest();
    expect(await guest.waitForBoot()).toBe("running");
    desktop = await Desktop.start(guest);
  });

  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  test("commands: exit codes, users, input, output of a megabyte, many at once, a time limit", async () => {
    expect(await guest.run(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
      code: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await guest.output(["id", "-un"], { user: "other" })).toBe("other\n");
    const large = "ž漢字😀\n".repeat(80_000);
    expect(await guest.output(["cat"], { input: large })).toBe(large);
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => guest.output(["sh", "-c", `sleep 0.${5 - n}; echo ${n}`])),
    );
    expect(answers).toEqual(["1\n", "2\n", "3\n", "4\n"]);
    await expect(guest.run(["sleep", "60"], { timeoutMs: 500 })).rejects.toThrow(/waited 500 ms/);
    await expect(guest.run(["no-such-program"])).rejects.toThrow(/No such file/);
  });

  test("the product and the Node that runs the tests are there, read-only", async () => {
    expect((await guest.output(["node", "--version"])).trim()).toBe(process.version);
    expect(await guest.output(["cat", "/mnt/product/package.json"])).toContain('"tsvdagent"');
    expect((await guest.run(["touch", "/mnt/product/x"])).stderr).toContain("Read-only");
  });

  test("the virtio ports are there and uinput loads", async () => {
    const ports = (await guest.output(["ls", "/dev/virtio-ports"])).split("\n");
    expect(ports).toEqual(expect.arrayContaining(["com.redhat.spice.0", "org.spice-space.webdav.0"]));
    await guest.output(["modprobe", "uinput"]);
    await guest.output(["test", "-c", "/dev/uinput"]);
  });

  test("logind has an active graphical session on seat0", async () => {
    expect(await desktop.login()).toMatchObject({
      uid: 1000,
      type: "x11",
      class: "user",
      seat: "seat0",
      active: true,
      state: "active",
    });
    expect(await guest.output(["loginctl", "--no-legend", "list-sessions"])).toMatch(/1000 guest seat0/);
    expect(await desktop.output(["systemctl", "--user", "is-active", "graphical-session.target"])).toBe("active\n");
    expect(await desktop.output(["systemctl", "--user", "show-environment"])).toContain(`DISPLAY=${desktop.display}`);
    // What a test runs in a desktop is, to logind, of that session; what it runs elsewhere is of none.
    expect(await desktop.output(["cat", "/proc/self/cgroup"])).toContain(`session-${desktop.sessionId}.scope`);
    expect(await guest.output(["cat", "/proc/self/cgroup"], { user: "guest" })).not.toContain(".scope");
  });

  test("a second user takes the screen, and gives it back", async () => {
    await using other = await Desktop.start(guest, { user: "other" });
    expect((await other.login()).active).toBe(true);
    expect((await desktop.login()).active).toBe(false);
    await desktop.activate();
    expect((await other.login()).active).toBe(false);
  });

  test("startx at the console: an X server in a session of type tty", async () => {
    await desktop.stop();
    await using console = await Desktop.start(guest, { kind: "startx" });
    expect(await console.login()).toMatchObject({ uid: 1000, type: "tty", seat: "seat0", active: true });
    expect(await console.output(["xrandr", "--current"])).toContain("Virtual-1 connected");
    expect(await console.output(["systemctl", "--user", "show-environment"])).not.toContain("DISPLAY=");
    const target = await console.run(["systemctl", "--user", "is-active", "graphical-session.target"]);
    expect(target.stdout).toBe("inactive\n");
    await console.stop();
    expect(await loginSessions(guest)).toEqual([]);
    desktop = await Desktop.start(guest);
  });

  test("a real SPICE viewer sees the screen and moves the mouse", async () => {
    await using viewer = await SpiceClient.start();
    await viewer.connect(guest.spicePort);
    const screen = /current (\d+) x (\d+)/.exec(await desktop.output(["xrandr", "--current"]));
    expect(viewer.primary).toEqual({ width: Number(screen?.[1]), height: Number(screen?.[2]) });
    expect(viewer.mouseMode).toBe(MouseMode.SERVER);

    await using input = await watchInput(guest, "Mouse");
    await using window = await openPointerWindow(desktop);
    await until("the mouse to be watched", async () => (await input.devices()).length > 0, 10_000, 200);
    await desktop.output(["xdotool", "mousemove", String(window.area.x + 100), String(window.area.y + 100)]);
    const before = await pointerPosition(desktop);
    await viewer.motion(20, 10);
    await viewer.click(Button.LEFT);
    const released = async (): Promise<boolean> => (await window.events()).some(({ kind }) => kind === "release");
    await until("the window to be clicked at", released, 10_000, 200);

    const after = await pointerPosition(desktop);
    expect(after.x).toBeGreaterThan(before.x);
    expect(after.y).toBeGreaterThan(before.y);
    const clicks = (await window.events()).filter(({ kind }) => kind !== "motion");
    expect(clicks).toEqual([
      { kind: "press", button: 1, at: after },
      { kind: "release", button: 1, at: after },
    ]);
    const events = await input.events();
    expect(events).toContainEqual(expect.objectContaining({ type: EV_REL }));
    expect(events.filter(({ type, code }) => type === EV_KEY && code === BTN_LEFT).map(({ value }) => value)).toEqual([
      1, 0,
    ]);
  });

  test("the agent's port speaks to QEMU's SPICE server", async () => {
    const heard = guest.output([...PORT_BYTES, AGENT_PORT, "20"]);
    // Whoever opens the port hears nothing until there is a viewer.
    await using viewer = await SpiceClient.start();
    await viewer.connect(guest.spicePort);
    expect(await heard).toMatch(ANNOUNCEMENT);
  });

  test("stop and cont", async () => {
    expect(await guest.qmp.status()).toBe("running");
    await guest.qmp.stop();
    expect(await guest.qmp.status()).toBe("paused");
    const answer = guest.output(["echo", "late"]);
    await guest.qmp.cont();
    expect(await answer).toBe("late\n");
  });

  test("savevm and loadvm", async () => {
    await guest.writeFile("/root/kept", "");
    await guest.qmp.saveState("before");
    await guest.writeFile("/root/forgotten", "");
    await guest.qmp.loadState("before");
    expect(await guest.output(["ls", "/root"])).toBe("kept\n");
    expect((await desktop.login()).active).toBe(true);
    await expect(guest.qmp.loadState("never")).rejects.toThrow(/never/);
    expect(await guest.qmp.status()).toBe("running");
  });

  test("suspend to RAM and system_wakeup", async () => {
    // The guest may sleep before it has answered.
    const asked = guest.output(["systemctl", "suspend"]);
    await guest.qmp.waitFor("SUSPEND", 30_000);
    expect(await guest.qmp.status()).toBe("suspended");
    await guest.qmp.wakeup();
    await asked;
    await desktop.untilUp();
  });
});

describe("a guest with virtio-gpu and QEMU's own agent end", () => {
  let guest: Guest;

  beforeAll(async () => {
    guest = await startGuest({ graphics: "virtio-gpu", maxOutputs: 2, host: "qemu-vdagent", sound: true });
    expect(await guest.waitForBoot()).toBe("running");
  });

  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  test("a graphical session on two outputs", async () => {
    await using desktop = await Desktop.start(guest);
    expect(await desktop.login()).toMatchObject({ type: "x11", active: true });
    expect(await desktop.output(["xrandr", "--current"])).toMatch(/^Virtual-2 /m);
    expect(await desktop.output(["pactl", "list", "short", "sinks"])).toContain("alsa_output");
  });

  test("the VNC server answers", async () => {
    const socket = connect(guest.vncSocket);
    const greeting = new Promise<string>((resolve, reject) => {
      socket.once("data", (data) => resolve(data.toString())).once("error", reject);
    });
    expect(await within("QEMU's VNC server", greeting, 10_000)).toMatch(/^RFB 003\.\d+\n/);
    socket.destroy();
  });

  test("the agent's port speaks to QEMU", async () => {
    // QEMU 7.2 only answers: without an announcement of ours it says nothing.
    expect(await guest.output([...PORT_BYTES, AGENT_PORT, "10", AGENT_ANNOUNCEMENT])).toMatch(ANNOUNCEMENT);
  });
});

describe("a guest whose agent talks to a test", () => {
  test("the host's end of the port is a socket", async () => {
    await using guest = await startGuest({ host: "socket", extraPorts: ["org.tsvdagent.share.0"], maxOutputs: 4 });
    await guest.waitForBoot();
    const host = connect(guest.agentSocket);
    host.end(Buffer.from("c0ffee", "hex"));
    expect(await guest.output([...PORT_BYTES, AGENT_PORT, "10"])).toBe("c0ffee\n");
    await guest.output(["test", "-c", "/dev/virtio-ports/org.tsvdagent.share.0"]);
  });
});
