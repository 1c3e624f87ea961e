/** The product in a guest as a user gets it: installed, asked how it is, looked at by a viewer. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { StatusReport } from "../../src/programs/status-report.ts";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { FakeHost, type FakeHostOptions } from "../fakes/fake-host.ts";
import { type ConnectOptions, SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, PeerTimeout, until } from "../integration/peers/until.ts";
import { Desktop, type DesktopOptions } from "./desktop.ts";
import type { GuestOptions } from "./devices.ts";
import { type Guest, type GuestProcess, startGuest, type UserName } from "./guest.ts";

const INSTALLER = "/mnt/product/scripts/install-systemd";
export const AGENT_PORT = "/dev/virtio-ports/com.redhat.spice.0";
const TEXT = ClipboardType.UTF8_TEXT;

/** `scripts/install-systemd` from the read-only tree; what it says. The first run reads Node from the disk: 20 s. */
export function installProduct(guest: Guest, ...args: readonly string[]): Promise<string> {
  return guest.output([INSTALLER, ...args], { timeoutMs: 180_000 });
}

/** A booted guest with the product, and nobody in it. `config`: the system's. */
export async function startProductGuest(options: GuestOptions = {}, config = ""): Promise<Guest> {
  const guest = await startGuest(options);
  try {
    await guest.waitForBoot();
    if (config !== "") await guest.writeFile("/etc/tsvdagent/config.toml", config);
    await installProduct(guest);
    return guest;
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}

export interface DesktopGuest {
  readonly guest: Guest;
  readonly desktop: Desktop;
}

export interface ProductOptions extends DesktopOptions {
  /** Default "info". */
  readonly log?: "debug";
}

/** A booted guest with the product, and a desktop that has its agent. It is the guest that is to be given back. */
export async function startDesktopGuest(
  options: GuestOptions = {},
  product: ProductOptions = {},
): Promise<DesktopGuest> {
  const guest = await startProductGuest(options, product.log === undefined ? "" : `[log]\nlevel = "${product.log}"\n`);
  try {
    const desktop = await Desktop.start(guest, product);
    await waitForAgent(guest, desktop);
    return { guest, desktop };
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}

export interface ViewedGuest extends DesktopGuest, AsyncDisposable {
  readonly viewer: SpiceClient;
}

/** The same with a real viewer in front of it. */
export async function startViewedGuest(options: GuestOptions = {}, product: ProductOptions = {}): Promise<ViewedGuest> {
  const { guest, desktop } = await startDesktopGuest(options, product);
  try {
    const viewer = await connectViewer(guest);
    const end = async (): Promise<void> => {
      await viewer[Symbol.asyncDispose]();
      await guest[Symbol.asyncDispose]();
    };
    return { guest, desktop, viewer, [Symbol.asyncDispose]: end };
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}

// What it says of itself

/** Asks control.sock as `status` does; a Node for each question would take an emulated CPU two seconds. */
const ASK = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/tsvdagent/control.sock")
s.sendall(b'{"command":"status"}\\n')
print(s.makefile().readline())`;

export async function readStatus(guest: Guest, user: UserName = "root"): Promise<StatusReport> {
  return JSON.parse(await guest.output(["python3", "-c", ASK], { user })) as StatusReport;
}

/** Waits until the daemon, asked by root, says what is wanted. */
export async function waitForStatus(
  guest: Guest,
  what: string,
  isWanted: (status: StatusReport) => boolean,
  timeoutMs = 30_000,
): Promise<StatusReport> {
  let last: StatusReport | undefined;
  const probe = async (): Promise<StatusReport | undefined> => {
    last = await readStatus(guest);
    return isWanted(last) ? last : undefined;
  };
  try {
    return await until(`the daemon to say: ${what}`, probe, timeoutMs, 250);
  } catch (error) {
    const log = await bothLogs(guest).catch(String);
    throw new Error(`${error}\n${JSON.stringify(last, null, 1)}\n${log.slice(-3000)}`, { cause: error });
  }
}

/** Waits until a desktop's agent is the one on the screen, with its display and clipboard, and the port is open. */
export function waitForAgent(guest: Guest, desktop: Desktop, timeoutMs = 30_000): Promise<StatusReport> {
  const isWorking = ({ port, sessions }: StatusReport): boolean =>
    port.state === "open" &&
    sessions.some(({ id, active, features }) => id === desktop.sessionId && active && features.length >= 2);
  return waitForStatus(guest, `the agent of session ${desktop.sessionId} is on the screen`, isWorking, timeoutMs);
}

/** Of all its starts. */
export function daemonLog(guest: Guest): Promise<string> {
  return journal(guest, "_SYSTEMD_UNIT=tsvdagentd.service");
}

/** Warnings and errors of the daemon and of every agent. */
export function complaints(guest: Guest): Promise<string> {
  return bothLogs(guest, "-p", "warning");
}

function bothLogs(guest: Guest, ...options: readonly string[]): Promise<string> {
  return journal(guest, ...options, "_SYSTEMD_UNIT=tsvdagentd.service", "+", "_SYSTEMD_USER_UNIT=tsvdagent.service");
}

/** Empty where nothing is to be told. */
async function journal(guest: Guest, ...match: readonly string[]): Promise<string> {
  return (await guest.run(["journalctl", "-b", "-q", "--no-pager", "-o", "short-precise", ...match])).stdout;
}

/** Of the daemon; 0: it does not run. */
export async function daemonPid(guest: Guest): Promise<number> {
  return Number(await guest.output(["systemctl", "show", "-P", "MainPID", "tsvdagentd.service"]));
}

// Who looks at it

/** A real viewer that has heard of the agent. */
export async function connectViewer(guest: Guest, options: ConnectOptions = {}): Promise<SpiceClient> {
  const viewer = await SpiceClient.start();
  try {
    await reconnect(guest, viewer, options);
    return viewer;
  } catch (error) {
    await viewer[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same viewer once more. */
export async function reconnect(guest: Guest, viewer: SpiceClient, options: ConnectOptions = {}): Promise<void> {
  await viewer.connect(guest.spicePort, { maxClipboardBytes: -1, timeoutMs: 30_000, ...options });
  await viewer.waitForAgent(30_000);
}

/** The host's end of a port that is a socket: `guest.agentSocket`, or one of `extraPorts`. QEMU lets in one at a time. */
export async function connectHost(path: string, options: FakeHostOptions = {}): Promise<FakeHost> {
  const socket = connect(path);
  await once(socket, "connect");
  return new FakeHost(socket, options);
}

// Copy and paste

/** Text of exactly so many bytes, of one to four bytes a character where there is room for them. */
export function textOf(bytes: number, line = "😀 a line of text, ž漢字\n"): Buffer {
  const text = Buffer.alloc(bytes, line);
  // A character cut in two at the end would be no text any more.
  let end = bytes;
  while (end > 0 && ((text[end - 1] ?? 0) & 0x80) !== 0) end -= 1;
  return text.fill(".", end);
}

export const md5 = (data: string | Uint8Array): string => createHash("md5").update(data).digest("hex");

export interface Copied extends AsyncDisposable {
  /** Whether nobody has copied since. */
  owns(): Promise<boolean>;
}

/** An application of the desktop copies: until this is disposed of, or somebody else copies. */
export async function copyIn(
  desktop: Desktop,
  text: string | Uint8Array,
  selection: "clipboard" | "primary" = "clipboard",
): Promise<Copied> {
  // In the user's own folder: what is in /tmp belongs to the first who wrote it.
  const file = `/home/${desktop.user}/copied-${selection}`;
  await desktop.output(["sh", "-c", 'cat > "$0"', file], { input: text });
  const args = ["-quiet", "-selection", selection, "-t", "UTF8_STRING", "-i", file];
  const xclip: GuestProcess = await desktop.start(["xclip", ...args]);
  const isRunning = async (): Promise<boolean> => (await desktop.run(["kill", "-0", String(xclip.pid)])).code === 0;
  const serves = async (): Promise<boolean> => (await xclip.output()).includes("Waiting for selection request");
  try {
    await until(`xclip on ${desktop.display} to own ${selection}`, serves, 20_000, 100);
  } catch (error) {
    await xclip.kill();
    throw error;
  }
  return { owns: isRunning, [Symbol.asyncDispose]: () => xclip.kill() };
}

/** What a paste in the desktop gets; undefined: nothing is on offer, or it is refused. */
export async function pasteIn(
  desktop: Desktop,
  selection: "clipboard" | "primary" = "clipboard",
  timeoutMs = 60_000,
): Promise<{ readonly bytes: number; readonly md5: string } | undefined> {
  const script = 'xclip -o -selection "$0" -t UTF8_STRING > ~/pasted && wc -c < ~/pasted && md5sum < ~/pasted';
  const { code, stdout } = await desktop.run(["sh", "-c", script, selection], { timeoutMs });
  const [bytes, sum = ""] = stdout.trim().split(/\s+/);
  return code === 0 ? { bytes: Number(bytes), md5: sum } : undefined;
}

/** The X targets on offer, empty without an owner. */
export async function targetsIn(
  desktop: Desktop,
  selection: "clipboard" | "primary" = "clipboard",
): Promise<readonly string[]> {
  const { code, stdout } = await desktop.run(["xclip", "-o", "-selection", selection, "-t", "TARGETS"]);
  return code === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
}

/** The viewer's user copies; what they have is given to whoever pastes. */
export async function viewerCopies(viewer: SpiceClient, text: string | Uint8Array, selection = 0): Promise<void> {
  // Read before `provide` answers.
  using dir = makeTempDir("copied");
  writeFileSync(dir.join("text"), text);
  await viewer.provide(selection, TEXT, { mode: "data", file: dir.join("text") });
  await viewer.grab(selection, [TEXT]);
}

/** Fails unless what the viewer copies is what a paste in the desktop gets. */
export async function fromViewer(viewer: SpiceClient, desktop: Desktop, text: string | Uint8Array): Promise<void> {
  await viewerCopies(viewer, text);
  const wanted = md5(text);
  await untilSame(`the viewer's ${text.length} bytes in the desktop`, wanted, async () => {
    return (await targetsIn(desktop)).includes("UTF8_STRING") ? (await pasteIn(desktop))?.md5 : undefined;
  });
}

/** Fails unless what an application copies is offered to the viewer, and is what the viewer then gets. */
export async function toViewer(viewer: SpiceClient, desktop: Desktop, text: string | Uint8Array): Promise<void> {
  const sinceMs = monotonicMs();
  await using _copied = await copyIn(desktop, text);
  await viewer.waitFor("clipboard-grab", ({ selection }) => selection === 0, { sinceMs, timeoutMs: 20_000 });
  const received = await viewer.request(0, TEXT, { timeoutMs: 60_000 });
  if (received.md5 !== md5(text)) throw new Error(`the viewer got ${received.bytes} bytes, not the same text`);
}

/** Small text both ways, different each time. */
export async function copyBothWays(viewer: SpiceClient, desktop: Desktop, mark: string): Promise<void> {
  await toViewer(viewer, desktop, `${mark}: from the guest, ž漢字😀`);
  await fromViewer(viewer, desktop, `${mark}: from the viewer, ž漢字😀`);
}

async function untilSame(what: string, wanted: string, get: () => Promise<string | undefined>): Promise<void> {
  let last: string | undefined;
  const isSame = async (): Promise<boolean> => {
    last = await get();
    return last === wanted;
  };
  await until(what, isSame, 20_000, 200).catch((error: unknown) => {
    throw error instanceof PeerTimeout && last !== undefined ? new Error(`${what}: it is another text`) : error;
  });
}
