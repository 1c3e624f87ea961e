/**
 * Xorg with the spiceqxl driver: a SPICE server and an X server in one process, no virtual machine. The agent's port is
 * a unix socket the agent connects to; its pointer is a FIFO that takes `struct input_event`s of 24 bytes.
 */
import { existsSync } from "node:fs";
import { freePort, listensOn } from "./free-port.ts";
import type { TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";
import { startXorg, type XorgRun, XorgServer } from "./xorg.ts";

/** Somebody else may take the free port before Xspice does. */
const PORT_ATTEMPTS = 5;

export interface XspiceOptions {
  /** Outputs qxl-0..n-1, of which the first is connected at start. Default and largest: 4. */
  readonly heads?: number;
  /** MiB for the whole desktop at 4 bytes a pixel. Default 64: two heads of 3840x2160 fit just so. */
  readonly frameBufferMib?: number;
  /** Clipboard between viewer and guest, false as a host with `disable-copy-paste`. Default true. */
  readonly copyPaste?: boolean;
  /** False as a host with `agent-mouse=off`: the agent gets no pointer events. Default true. */
  readonly agentMouse?: boolean;
}

export class Xspice extends XorgServer {
  readonly spicePort: number;
  /** What the agent opens instead of /dev/virtio-ports/com.redhat.spice.0. */
  readonly portPath: string;
  /** What the agent writes pointer events to instead of /dev/uinput. */
  readonly fifoPath: string;

  constructor(dir: TempDir, run: XorgRun, spicePort: number) {
    super(dir, run);
    this.spicePort = spicePort;
    this.portPath = portPath(dir);
    this.fifoPath = fifoPath(dir);
  }
}

/** Starts it and waits until X clients, SPICE clients and the agent can connect. */
export async function startXspice(options: XspiceOptions = {}): Promise<Xspice> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options, await freePort());
    } catch (error) {
      const taken = error instanceof Error && /binding socket to \S+ failed/.test(error.message);
      if (!taken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function startOnce(options: XspiceOptions, spicePort: number): Promise<Xspice> {
  const server = await startXorg(
    "xspice",
    (dir) => configuration(dir, spicePort, options),
    (dir, run) => new Xspice(dir, run, spicePort),
  );
  try {
    await until(`Xspice to listen on 127.0.0.1:${spicePort}`, () => listensOn(server.pid, spicePort), 20_000);
    await until(
      "the agent's port and pointer",
      () => existsSync(server.portPath) && existsSync(server.fifoPath),
      20_000,
    );
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

const portPath = (dir: TempDir): string => dir.join("virtio");
const fifoPath = (dir: TempDir): string => dir.join("uinput");
const flag = (value: boolean): string => (value ? "True" : "False");

function configuration(dir: TempDir, spicePort: number, options: XspiceOptions): string {
  const { heads = 4, frameBufferMib = 64, copyPaste = true, agentMouse = true } = options;
  return `
Section "ServerFlags"
  Option "AutoAddDevices" "False"
  Option "AutoAddGPU" "False"
EndSection
Section "Device"
  Identifier "device"
  Driver "spiceqxl"
  Option "SpiceAddr" "127.0.0.1"
  Option "SpicePort" "${spicePort}"
  Option "SpiceDisableTicketing" "True"
  Option "SpiceDisableCopyPaste" "${flag(!copyPaste)}"
  Option "SpiceAgentMouse" "${flag(agentMouse)}"
  Option "SpiceVdagentEnabled" "True"
  Option "SpiceVdagentVirtioPath" "${portPath(dir)}"
  Option "SpiceVdagentUinputPath" "${fifoPath(dir)}"
  Option "NumHeads" "${heads}"
  # All three sizes: with the defaults Debian's build crashes. The command buffer contains the frame buffer.
  Option "FrameBufferSize" "${frameBufferMib}"
  Option "CommandBufferSize" "${frameBufferMib * 4}"
  Option "SurfaceBufferSize" "${frameBufferMib * 2}"
EndSection
Section "InputDevice"
  Identifier "pointer"
  Driver "xspice pointer"
EndSection
Section "InputDevice"
  Identifier "keyboard"
  Driver "xspice keyboard"
EndSection
Section "Monitor"
  Identifier "monitor"
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  Monitor "monitor"
  DefaultDepth 24
EndSection
Section "ServerLayout"
  Identifier "layout"
  Screen "screen"
  InputDevice "keyboard"
  InputDevice "pointer"
EndSection
`;
}
