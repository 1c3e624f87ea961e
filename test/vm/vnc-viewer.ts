/** A real VNC viewer (TigerVNC) on an X server of its own, for QEMU's own agent end: `-vnc` with `-chardev qemu-vdagent`. */
import { writeFileSync } from "node:fs";
import type { PeerProcess } from "../integration/peers/processes.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { copyFile, type Pasted, pasteToFile, type XClipboardOwner } from "../integration/peers/x-clipboard.ts";
import { runOn, startOn } from "../integration/peers/x-programs.ts";
import type { XorgServer } from "../integration/peers/xorg.ts";
import { startXorgDummy } from "../integration/peers/xorg-dummy.ts";

/** The wrapper of alternatives would lose the death signal. */
const PROGRAM = "xtigervncviewer";
/** PRIMARY is left alone: QEMU knows of one selection with VNC. `Shared`, or a second viewer throws the first one out. */
const OPTIONS = ["-Shared", "-SetPrimary=0", "-SendPrimary=0", "-RemoteResize=0", "-AcceptClipboard", "-SendClipboard"];
const WINDOW = "QEMU - TigerVNC";

export class VncViewer implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #server: XorgServer;
  #viewer: PeerProcess | undefined;

  private constructor(dir: TempDir, server: XorgServer) {
    this.#dir = dir;
    this.#server = server;
  }

  /** Connects to QEMU's socket. */
  static async start(socket: string): Promise<VncViewer> {
    const it = new VncViewer(makeTempDir("vnc-viewer"), await startXorgDummy({ mode: "1600x1200" }));
    try {
      await it.#connect(socket);
      return it;
    } catch (error) {
      await it[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #connect(socket: string): Promise<void> {
    const { display } = this.#server;
    const viewer = await startOn(display, PROGRAM, [...OPTIONS, socket], { env: { HOME: this.#dir.path } });
    this.#viewer = viewer;
    const window = async (): Promise<string | undefined> => {
      if (viewer.exit !== undefined) throw new Error(`the VNC viewer ended: ${viewer.errors}`);
      return runOn(display, "xwininfo", ["-name", WINDOW]).catch(() => undefined);
    };
    await until("the VNC viewer's window", window, 20_000, 100);
    await this.#focus();
    // `mousemove` warps the pointer, and what is warped before any device has moved it comes from none: TigerVNC sends no
    // such moves on (strace: it receives them). This one comes from XTEST's device, and so do the warps after it.
    await runOn(display, "xdotool", ["mousemove_relative", "1", "1"]);
  }

  /** It exchanges nothing while somebody else has the keyboard, and there is no window manager to give it. */
  async #focus(): Promise<void> {
    const search = ["search", "--onlyvisible", "--class", "TigerVNC"];
    await runOn(this.#server.display, "xdotool", [...search, "windowfocus", "--sync"]);
  }

  /** Its user copies, until this is disposed of or something else is copied. */
  async copies(text: string): Promise<XClipboardOwner> {
    const file = this.#dir.join("copied");
    writeFileSync(file, text);
    await this.#focus();
    return copyFile(this.#server.display, file);
  }

  /** What its user gets by a paste; undefined: nothing is on offer. */
  async pastes(): Promise<Pasted | undefined> {
    await this.#focus();
    return pasteToFile(this.#server.display, this.#dir.join("pasted")).catch(() => undefined);
  }

  /** Its user moves the pointer to a place of the guest's screen. */
  async moveTo(x: number, y: number): Promise<void> {
    // The window goes elsewhere when the guest's screen changes.
    const info = await runOn(this.#server.display, "xwininfo", ["-name", WINDOW]);
    const number = (label: string): number => Number(new RegExp(`${label}:\\s+(-?\\d+)`).exec(info)?.[1]);
    const at = [x + number("Absolute upper-left X"), y + number("Absolute upper-left Y")].map(String);
    await runOn(this.#server.display, "xdotool", ["mousemove", ...at]);
  }

  /** Its user clicks there. X's numbers. */
  async click(button: number): Promise<void> {
    await runOn(this.#server.display, "xdotool", ["click", String(button)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#viewer?.kill();
    await this.#server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
