/** A real SPICE viewer (spice-gtk) under the control of a test; see spice-client.py for the other half. */
import { EventLog, type WaitOptions } from "./event-log.ts";
import type { ChannelName, ClientEvent, ClientEventName, ClipboardFacts, Monitor } from "./spice-events.ts";
import { PeerTimeout } from "./until.ts";
import { type Reply, ViewerProcess } from "./viewer-process.ts";

export const MouseMode = { SERVER: 1, CLIENT: 2 } as const;
export const Button = { LEFT: 1, MIDDLE: 2, RIGHT: 3, UP: 4, DOWN: 5 } as const;

export interface ConnectOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The viewer's largest clipboard in bytes; spice-gtk's default is 100 MiB, -1 is no limit. */
  readonly maxClipboardBytes?: number;
  /** "viewer": spice-gtk puts the displays side by side itself. "given" (default): positions go out as they are set. */
  readonly positions?: "viewer" | "given";
  /** Served by spice-gtk's own WebDAV server, where the host has the channel. Default: nothing. */
  readonly sharedFolder?: { readonly path: string; readonly readOnly?: boolean };
  readonly timeoutMs?: number;
}

/** One entry of the viewer's display table. Pixels. */
export interface WantedDisplay {
  readonly width: number;
  readonly height: number;
  /** Default 0. */
  readonly x?: number;
  readonly y?: number;
}

export interface AgentState {
  /** The agent's port is open. */
  readonly connected: boolean;
  /** Its capabilities arrived since. */
  readonly announced: boolean;
  /** First word of the capabilities. */
  readonly caps: number;
}

export interface Sent {
  /** Just before the message was handed to spice-gtk. */
  readonly sentMs: number;
}

export interface DroppedFile {
  /** Its name without folders. */
  readonly file: string;
  readonly error: string | null;
  /** From the drop. */
  readonly ms: number;
}

export interface ReceivedClipboard extends ClipboardFacts, Sent {
  readonly atMs: number;
  /** From the request to the complete data, writing the file and hashing not included. */
  readonly ms: number;
  readonly file: string;
}

/** The viewer's answer to the guest's request. */
export type Answer =
  | { readonly mode: "data"; readonly file: string; readonly delayMs?: number }
  | { readonly mode: "none"; readonly delayMs?: number }
  | { readonly mode: "never" };

/** What the first display channel shows; nothing changed in it since `atMs`. */
interface View {
  readonly width: number;
  readonly height: number;
  readonly monitors: readonly Monitor[];
  readonly atMs: number;
}

const CHANNELS: readonly ChannelName[] = ["main", "inputs", "display"];
const NO_VIEW: View = { width: 0, height: 0, monitors: [], atMs: 0 };
const NO_AGENT: AgentState = { connected: false, announced: false, caps: 0 };

export class SpiceClient implements AsyncDisposable {
  readonly events = new EventLog();
  readonly #viewer: ViewerProcess;
  /** spice-gtk's word for the state of each channel there is. */
  readonly #channels = new Map<ChannelName, string>();
  #agent: AgentState = NO_AGENT;
  #mouseMode = 0;
  #buttons = 0;
  #displayCount = 0;
  #view: View = NO_VIEW;

  private constructor(viewer: ViewerProcess) {
    this.#viewer = viewer;
    viewer.listen({ event: (event) => this.#note(event), ended: (error) => this.events.fail(error) });
  }

  /**
   * Starts the viewer process, connected to nothing yet. With `display` it has the clipboard of that desktop, as a viewer with a
   * window has; else the clipboard is what the test says.
   */
  static async start({ display }: { readonly display?: string } = {}): Promise<SpiceClient> {
    const client = new SpiceClient(await ViewerProcess.start(display));
    try {
      await client.events.next("ready", undefined, { timeoutMs: 10_000 });
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#viewer.pid;
  }

  /** What spice-gtk complained about. */
  get errors(): string {
    return this.#viewer.errors;
  }

  // Connection

  /** Connects and waits for the main, inputs and display channels and the first frame's size. */
  async connect(port: number, options: ConnectOptions = {}): Promise<void> {
    const { host = "127.0.0.1", maxClipboardBytes, positions = "given", sharedFolder, timeoutMs = 10_000 } = options;
    this.events.skip();
    await this.#viewer.command("connect", {
      ...{ host, port, maxClipboardBytes, align: positions === "viewer" },
      ...(sharedFolder && { sharedFolder: sharedFolder.path, shareReadOnly: sharedFolder.readOnly ?? false }),
    });
    const failure = (): string | undefined =>
      [...this.#channels].map(([type, state]) => `${type} ${state}`).find((text) => !text.endsWith(" opened"));
    const ready = (): boolean => CHANNELS.every((type) => this.#channels.has(type)) && this.#view.width > 0;
    let failed: string | undefined;
    const decided = (): boolean => {
      failed = failure();
      return failed !== undefined || ready();
    };
    try {
      await this.events.when(decided, "the viewer to connect", timeoutMs);
      if (failed !== undefined) throw new Error(`the viewer cannot connect to port ${port}: ${failed}`);
    } catch (error) {
      await this.disconnect();
      throw error;
    }
  }

  /** Leaves, as a viewer whose window is closed; `connect` may follow. */
  async disconnect(): Promise<void> {
    await this.#viewer.command("disconnect");
    await this.waitForDisconnect();
  }

  /** Waits until the connection is gone, whoever ended it. */
  async waitForDisconnect(timeoutMs = 20_000): Promise<void> {
    await this.events.when(() => this.#channels.size === 0, "the viewer to be disconnected", timeoutMs);
  }

  // Agent

  get agent(): AgentState {
    return this.#agent;
  }

  /** Waits until the agent's port is open and its capabilities arrived. */
  async waitForAgent(timeoutMs = 10_000): Promise<AgentState> {
    await this.events.when(() => this.#agent.announced, "the agent's announcement", timeoutMs);
    return this.#agent;
  }

  async waitForNoAgent(timeoutMs = 10_000): Promise<void> {
    await this.events.when(() => !this.#agent.connected, "the agent to leave", timeoutMs);
  }

  /** spice-gtk's own opinion of a VD_AGENT_CAP number. */
  async hasCapability(capability: number): Promise<boolean> {
    return (await this.#viewer.command("test_capability", { capability })).value === true;
  }

  // Displays

  /**
   * Sets the first displays of the table, disables the others this test enabled, and sends the table at once. The
   * viewer sends it again by itself after each announcement of the agent.
   */
  async setDisplays(displays: readonly (WantedDisplay | "disabled")[]): Promise<Sent> {
    return this.#displays(displays, true);
  }

  /** As `setDisplays`, for the viewer's next own sending. */
  async prepareDisplays(displays: readonly (WantedDisplay | "disabled")[]): Promise<void> {
    await this.#displays(displays, false);
  }

  /** The heads that are on. As for any viewer the whole frame is one head while the server has not announced any. */
  get monitors(): readonly Monitor[] {
    const { monitors, width, height } = this.#view;
    return monitors.length > 0 || width === 0 ? monitors : [{ id: 0, x: 0, y: 0, width, height }];
  }

  /** Size of the whole frame; 0 by 0 between two. */
  get primary(): { readonly width: number; readonly height: number } {
    const { width, height } = this.#view;
    return { width, height };
  }

  /**
   * Waits until the viewer's heads are exactly these, inside a frame that holds them all. `atMs` is when the message
   * arrived that made it so, or `sinceMs` if it was so already.
   */
  async waitForMonitors(
    wanted: readonly WantedDisplay[],
    { timeoutMs = 20_000, sinceMs = 0 }: WaitOptions = {},
  ): Promise<{ readonly atMs: number }> {
    const text = layout(wanted);
    const right = (): boolean =>
      layout(this.monitors) === text &&
      wanted.every(
        ({ x = 0, y = 0, width, height }) => x + width <= this.#view.width && y + height <= this.#view.height,
      );
    const seen = (): string => `it sees ${layout(this.monitors)} in ${this.#view.width}x${this.#view.height}`;
    await this.events.when(right, `the viewer to see ${text}`, timeoutMs, seen);
    return { atMs: Math.max(this.#view.atMs, sinceMs) };
  }

  /** Writes what the viewer would show, all heads of a display channel, to a PNG file. */
  async screenshot(file: string, channel = 0): Promise<{ readonly width: number; readonly height: number }> {
    const reply = await this.#viewer.command("screenshot", { file, channel });
    return { width: Number(reply.width), height: Number(reply.height) };
  }

  // Clipboard

  /** The viewer's user copied: announces the types. Give the answers with `provide` before. */
  async grab(selection: number, types: readonly number[]): Promise<Sent> {
    return sent(await this.#viewer.command("clipboard_grab", { selection, types }));
  }

  async release(selection: number): Promise<Sent> {
    return sent(await this.#viewer.command("clipboard_release", { selection }));
  }

  /** What the guest gets when it asks for this type; without this an empty NONE. The file is read now. */
  async provide(selection: number, type: number, answer: Answer): Promise<void> {
    await this.#viewer.command("clipboard_provide", { selection, type, ...answer });
  }

  /** The viewer's user pastes: asks the guest and waits for its data. */
  async request(selection: number, type: number, options: { timeoutMs?: number } = {}): Promise<ReceivedClipboard> {
    const { timeoutMs = 10_000 } = options;
    const file = this.#viewer.newFile();
    try {
      const reply = await this.#viewer.command("clipboard_request", { selection, type, file }, timeoutMs);
      const facts = reply as unknown as ClipboardFacts & Sent & { readonly atMs: number };
      return { ...facts, ms: facts.atMs - facts.sentMs, file };
    } catch (error) {
      if (error instanceof PeerTimeout) await this.#viewer.command("cancel", { file });
      throw error;
    }
  }

  async setMaxClipboard(bytes: number): Promise<void> {
    await this.#viewer.command("set_max_clipboard", { bytes });
  }

  // Files

  /** The viewer's user drops files on its window, all at once. */
  async drop(files: readonly string[]): Promise<Sent> {
    return sent(await this.#viewer.command("drop_files", { files }));
  }

  async cancelDrops(): Promise<void> {
    await this.#viewer.command("cancel_files");
  }

  /** Drops files and waits until each of them has arrived or not: what spice-gtk says of each, null for arrived. */
  async dropAndWait(files: readonly string[], timeoutMs = 20_000): Promise<readonly DroppedFile[]> {
    const { sentMs } = await this.drop(files);
    const finished = () => this.events.all("file-finished", sentMs);
    await this.events.when(
      () => finished().length >= files.length,
      `${files.length} dropped files to be over`,
      timeoutMs,
      () => `${finished().length} are`,
    );
    return finished().map(({ file, error, atMs }) => ({ file, error, ms: atMs - sentMs }));
  }

  // Pointer

  /** One of `MouseMode`; 0 before the server said. */
  get mouseMode(): number {
    return this.#mouseMode;
  }

  /** Asks for a mouse mode and waits until the server has switched. */
  async requestMouseMode(mode: number, timeoutMs = 20_000): Promise<void> {
    if (this.#mouseMode === mode) return;
    await this.#viewer.command("request_mouse_mode", { mode });
    await this.events.when(() => this.#mouseMode === mode, `mouse mode ${mode}`, timeoutMs);
  }

  /** Moves the pointer to a pixel of a display, in client mode. Xspice: by itself without an agent, else through it. */
  async position(x: number, y: number, display = 0): Promise<Sent> {
    return sent(await this.#viewer.command("pointer_position", { x, y, display, buttons: this.#buttons }));
  }

  /** Moves the pointer by some pixels, in server mode. Xspice has no relative pointer and ignores it. */
  async motion(dx: number, dy: number): Promise<Sent> {
    return sent(await this.#viewer.command("pointer_motion", { dx, dy, buttons: this.#buttons }));
  }

  async press(button: number): Promise<Sent> {
    this.#buttons |= mask(button);
    return sent(await this.#viewer.command("button_press", { button, buttons: this.#buttons }));
  }

  async releaseButton(button: number): Promise<Sent> {
    this.#buttons &= ~mask(button);
    return sent(await this.#viewer.command("button_release", { button, buttons: this.#buttons }));
  }

  async click(button: number): Promise<void> {
    await this.press(button);
    await this.releaseButton(button);
  }

  // Events

  /** The next event of a kind that nobody waited for yet; see `EventLog`. */
  waitFor<N extends ClientEventName>(
    name: N,
    match?: (event: ClientEvent<N>) => boolean,
    options?: WaitOptions,
  ): Promise<ClientEvent<N>> {
    return this.events.next(name, match, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#viewer[Symbol.asyncDispose]();
  }

  async #displays(displays: readonly (WantedDisplay | "disabled")[], send: boolean): Promise<Sent> {
    const off = { x: 0, y: 0, width: 0, height: 0, enabled: false };
    const table = Array.from({ length: Math.max(this.#displayCount, displays.length) }, (_, id) => {
      const wanted = displays[id] ?? "disabled";
      return wanted === "disabled" ? { id, ...off } : { id, x: 0, y: 0, enabled: true, ...wanted };
    });
    this.#displayCount = table.length;
    return sent(await this.#viewer.command("set_displays", { displays: table, send }));
  }

  #note(event: ClientEvent): void {
    switch (event.event) {
      case "agent":
        this.#agent = { connected: event.connected, announced: event.announced, caps: event.caps };
        break;
      case "mouse-mode":
        this.#mouseMode = event.mode;
        break;
      case "monitors":
        this.#see(event, {
          ...this.#view,
          monitors: event.monitors.filter(({ width, height }) => width > 0 && height > 0),
        });
        break;
      case "primary":
        this.#see(event, { ...this.#view, width: event.width, height: event.height });
        break;
      case "channel":
        this.#channels.set(event.type, event.state);
        break;
      case "disconnected":
        this.#channels.clear();
        this.#agent = NO_AGENT;
        this.#mouseMode = this.#buttons = this.#displayCount = 0;
        this.#view = NO_VIEW;
        break;
      default:
    }
    this.events.add(event);
  }

  #see(event: ClientEvent<"monitors" | "primary">, view: View): void {
    // The server repeats itself: only what is new moves the time.
    if (event.channel === 0 && JSON.stringify(view) !== JSON.stringify(this.#view)) {
      this.#view = { ...view, atMs: event.atMs };
    }
  }
}

const sent = (reply: Reply): Sent => ({ sentMs: Number(reply.sentMs) });
/** SPICE's button masks: left 1, middle 2, right 4, wheel up 8, wheel down 16. */
const mask = (button: number): number => 1 << (button - 1);

const layout = (displays: readonly WantedDisplay[]): string =>
  displays.map(({ x = 0, y = 0, width, height }) => `${width}x${height}+${x}+${y}`).join(" ") || "no head";
