// Which display is on which output, when the host tells what its cards are: the built agent on a real X server, whose
// outputs the kernel is said to have, in an order of their own.
import { afterEach, beforeEach, describe, test } from "vitest";
import type { DeviceDisplayInfo } from "../../src/wire/graphics-device-info.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type FakeCard, FakeSysfs, QXL, VIRTIO } from "../fakes/fake-sysfs.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";
import { readScreen } from "./peers/x-screen.ts";
import { startXspice, type Xspice } from "./peers/xspice.ts";

/** The X server's, and so the kernel's. */
const outputs = ["qxl-0", "qxl-1", "qxl-2", "qxl-3"];
const virtio = (name: string, connectors = outputs): FakeCard => ({
  ...{ name, pci: ["pci0000:00", "0000:00:02.0"], ids: VIRTIO, below: "virtio3", connectors, lit: connectors },
});
const display = (channelId: number, deviceDisplayId: number, deviceAddress = "pci/0000/02.0"): DeviceDisplayInfo => ({
  ...{ channelId, monitorId: 0, deviceAddress, deviceDisplayId },
});

let xspice: Xspice;
let port: HostSocket;
let dir: TempDir;
let sysfs: FakeSysfs;
let agent: Agent | undefined;

beforeEach(async () => {
  dir = makeTempDir("device-info");
  sysfs = new FakeSysfs(dir.path);
  xspice = await startXspice({ heads: 4 });
  port = await hostSocket();
});

afterEach(async () => {
  await agent?.[Symbol.asyncDispose]();
  agent = undefined;
  await port?.[Symbol.asyncDispose]();
  await xspice?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

/** The agent on the machine that was made in `sysfs`; a viewer is there, and the host has told of its cards. */
async function started(displays: readonly DeviceDisplayInfo[]): Promise<FakeHost> {
  const where = ["--uinput", "none", "--port", port.path, "--display", xspice.display, "--log", "debug"];
  agent = await startAgent(["run", ...where], { sys: dir.path });
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
  host.send({ name: "GRAPHICS_DEVICE_INFO", value: { displays } });
  return host;
}

interface Monitor {
  readonly width: number;
  readonly height: number;
  readonly x?: number;
}

async function ask(host: FakeHost, monitors: readonly Monitor[]): Promise<void> {
  const value = { monitors: monitors.map((one) => ({ x: 0, y: 0, depth: 32, ...one })), usePosition: true };
  host.send({ name: "MONITORS_CONFIG", value });
  await host.next("REPLY");
}

async function shown(): Promise<Record<string, string>> {
  const screen = await readScreen(xspice.display);
  return Object.fromEntries(
    screen.outputs.flatMap(({ name, geometry: at }) =>
      at === undefined ? [] : [[name, `${at.width}x${at.height}+${at.x}+${at.y}`]],
    ),
  );
}

async function becomes(wanted: Record<string, string>): Promise<void> {
  const text = (heads: Record<string, string>): string => JSON.stringify(Object.entries(heads).sort());
  let last = {};
  const isThere = async (): Promise<boolean> => {
    last = await shown();
    return text(last) === text(wanted);
  };
  await until(`the outputs ${text(wanted)}`, isThere, 20_000).catch((error: unknown) => {
    throw new Error(`${error}: they are ${text(last)}\n${agent?.logged}`, { cause: error });
  });
}

const off = { width: 0, height: 0 };

describe("row 36: a display is on the output that its card has for it", () => {
  test.each([
    ["card0", "pci/0000/02.0"],
    ["card1, and there is no card0", "pci/0000/02.0"],
    ["card1, spelled in capitals, in another domain", "pci/000A/02.0"],
  ])("%s", async (what, address) => {
    const name = what.slice(0, 5);
    const domain = address.slice(4, 8).toLowerCase();
    sysfs.add({ ...virtio(name), pci: [`pci${domain}:00`, `${domain}:00:02.0`] });
    const host = await started([2, 0, 3, 1].map((head, id) => display(id, head, address)));
    await ask(host, [
      { width: 800, height: 600 },
      { width: 640, height: 480, x: 800 },
    ]);
    await becomes({ "qxl-2": "800x600+0+0", "qxl-0": "640x480+800+0" });
    await ask(host, [off, off, { width: 1000, height: 700 }]);
    await becomes({ "qxl-3": "1000x700+0+0" });
  });

  test("two cards, told in the other order", async () => {
    sysfs.add(virtio("card0", ["qxl-0", "qxl-1"]));
    sysfs.add({ ...virtio("card1", ["qxl-2", "qxl-3"]), pci: ["pci0000:00", "0000:00:07.0"] });
    const host = await started([display(0, 0, "pci/0000/07.0"), display(1, 0, "pci/0000/02.0")]);
    await ask(host, [
      { width: 800, height: 600 },
      { width: 640, height: 480, x: 800 },
    ]);
    await becomes({ "qxl-2": "800x600+0+0", "qxl-0": "640x480+800+0" });
  });

  test("row 37: a card that this machine has not: by number", async () => {
    sysfs.add(virtio("card0"));
    const host = await started([display(0, 2, "pci/0000/1f.0"), display(1, 0, "pci/0000/1f.0")]);
    await ask(host, [
      { width: 800, height: 600 },
      { width: 640, height: 480, x: 800 },
    ]);
    await becomes({ "qxl-0": "800x600+0+0", "qxl-1": "640x480+800+0" });
  });
});

test("a display that the X server says is on and the kernel says is dark: told, with the remedy, and the layout before is back", async () => {
  sysfs.add({ ...virtio("card0"), ids: QXL, below: "", lit: ["qxl-0"] });
  const host = await started([0, 1, 2, 3].map((head) => display(head, head)));
  await ask(host, [{ width: 1000, height: 700 }]);
  await becomes({ "qxl-0": "1000x700+0+0" });
  await ask(host, [
    { width: 800, height: 600 },
    { width: 640, height: 480, x: 800 },
  ]);
  await agent?.untilLogged(
    /not set: monitors\.not-shown: qxl-1 was switched on without an error, and is off: the X driver qxl does not show it, the driver modesetting does/,
  );
  await becomes({ "qxl-0": "1000x700+0+0" });
});
