/** Graphical sessions in the guest, without a display manager. */
import { until } from "../integration/peers/until.ts";
import type { Guest, GuestProcess, RunOptions } from "./guest.ts";
import type { Result } from "./guest-exec.ts";
import { type LoginSession, loginSessions } from "./login-sessions.ts";

/**
 * "session": as a display manager starts it, of type x11, with a target bound to graphical-session.target, and DISPLAY
 * and XAUTHORITY known to the user manager. "startx": a login at the console that runs startx with a window manager; to
 * logind a session of type tty, to the user manager nothing at all.
 */
export type DesktopKind = "session" | "startx";

export interface DesktopOptions {
  /** Default "session". */
  readonly kind?: DesktopKind;
  /** Default "guest". */
  readonly user?: "guest" | "other";
  /** Xorg's driver. Default "modesetting"; "qxl" is for that card only. */
  readonly driver?: "modesetting" | "qxl";
  /**
   * Who gives the X server its card and its input devices. Default "logind", as with startx; "root": it runs as root
   * and opens them itself, as under many a display manager. Of kind "session" only.
   */
  readonly devicesFrom?: "logind" | "root";
  readonly timeoutMs?: number;
}

/** guest-files has the units of these terminals, and the users who log in there. */
const TERMINALS = {
  session: { guest: 7, other: 8 },
  startx: { guest: 2, other: 3 },
} as const;

const DRIVER_FILE = "/etc/X11/xorg.conf.d/20-driver.conf";
const RIGHTS_FILE = "/etc/X11/Xwrapper.config";
const SERVER_FILE = "/etc/desktop-server";
const STOP_MS = 20_000;

export class Desktop implements AsyncDisposable {
  readonly user: "guest" | "other";
  readonly kind: DesktopKind;
  /** Number of its virtual terminal, and of its display. */
  readonly terminal: number;
  readonly #guest: Guest;
  readonly #session: LoginSession;
  #stopped = false;

  private constructor(guest: Guest, options: DesktopOptions, session: LoginSession) {
    this.#guest = guest;
    this.user = options.user ?? "guest";
    this.kind = options.kind ?? "session";
    this.terminal = TERMINALS[this.kind][this.user];
    this.#session = session;
  }

  /** Starts it and waits until its window manager runs; it is then the active session, as after any login. */
  static async start(guest: Guest, options: DesktopOptions = {}): Promise<Desktop> {
    const {
      kind = "session",
      user = "guest",
      driver = "modesetting",
      devicesFrom = "logind",
      timeoutMs = 90_000,
    } = options;
    const terminal = TERMINALS[kind][user];
    // There is no 3D; without the option Xorg loads 200 MB of it to find out, which takes an emulated CPU seconds.
    const device = `Section "Device"
  Identifier "card"
  Driver "${driver}"
  ${driver === "modesetting" ? 'Option "AccelMethod" "none"' : ""}
EndSection\n`;
    await guest.writeFile(DRIVER_FILE, device);
    const asRoot = devicesFrom === "root";
    await guest.writeFile(RIGHTS_FILE, asRoot ? "allowed_users=anybody\nneeds_root_rights=yes\n" : "");
    await guest.writeFile(SERVER_FILE, asRoot ? "SERVER=/mnt/tools/x-server-without-logind\n" : "");
    // As a display manager, and as a person before the login: logind gives the card only to who is at the front.
    await guest.output(["chvt", String(terminal)]);
    await guest.output(["systemctl", "start", unitOf(kind, terminal)]);
    try {
      const found = await until(
        `${user}'s session on terminal ${terminal}`,
        async () => (await loginSessions(guest)).find((session) => session.terminal === terminal),
        timeoutMs,
        250,
      );
      const desktop = new Desktop(guest, options, found);
      await desktop.untilUp(timeoutMs);
      return desktop;
    } catch (error) {
      const journal = await guest.run(["journalctl", "-b", "-n", "60", "--no-pager"]);
      throw new Error(`${user}'s desktop does not start:\n${journal.stdout}`, { cause: error });
    }
  }

  get display(): string {
    return `:${this.terminal}`;
  }

  get sessionId(): string {
    return this.#session.id;
  }

  /** What a program started in this desktop has beyond a login's environment. */
  get env(): Record<string, string> {
    return {
      DISPLAY: this.display,
      XAUTHORITY: `/home/${this.user}/.Xauthority`,
      XDG_SESSION_ID: this.sessionId,
      XDG_SEAT: "seat0",
      XDG_VTNR: String(this.terminal),
      XDG_SESSION_CLASS: "user",
      XDG_SESSION_TYPE: this.kind === "session" ? "x11" : "tty",
    };
  }

  /** Runs a program as one of this desktop: its user, its environment, and to logind of its session. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.#guest.run(argv, this.#within(options));
  }

  /** As `run`, but fails on an exit code other than 0; what the program printed. */
  output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.#guest.output(argv, this.#within(options));
  }

  /** Starts a program that goes on, as `run`. */
  start(argv: readonly string[], options: RunOptions = {}): Promise<GuestProcess> {
    return this.#guest.start(argv, this.#within(options));
  }

  /** Waits until the window manager has started to the end: for the first time, and after a fault of the X server. */
  async untilUp(timeoutMs = 60_000): Promise<void> {
    const answers = async (): Promise<boolean> =>
      (await this.run(["xprop", "-root", "_NET_CLIENT_LIST"])).stdout.includes("window id");
    await until(`a window manager on ${this.display}`, answers, timeoutMs, 250);
  }

  /** Brings it to the front, as a person with Ctrl+Alt+Fn, and waits until logind says it is. */
  async activate(): Promise<void> {
    await this.#guest.output(["loginctl", "activate", this.sessionId]);
    await until(`session ${this.sessionId} to be active`, async () => (await this.login()).active, 20_000, 100);
  }

  /** What logind says of it now. */
  async login(): Promise<LoginSession> {
    const session = (await loginSessions(this.#guest)).find(({ id }) => id === this.sessionId);
    if (session === undefined) throw new Error(`there is no session ${this.sessionId} any more`);
    return session;
  }

  /** Logs out, as from the window manager's menu: all of the session is gone after this. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const gone = async (): Promise<boolean> =>
      (await loginSessions(this.#guest)).every(({ id }) => id !== this.sessionId);
    const waitUntilGone = (): Promise<unknown> => until(`session ${this.sessionId} to be gone`, gone, STOP_MS, 250);
    // From the front: an X server in the background is slow to end.
    await this.activate();
    await this.run(["openbox", "--exit"]);
    await waitUntilGone().catch(async () => {
      await this.#guest.run(["loginctl", "terminate-session", this.sessionId]);
      await waitUntilGone();
    });
    await this.#guest.output(["systemctl", "stop", unitOf(this.kind, this.terminal)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #within(options: RunOptions): RunOptions {
    return { user: this.user, cgroup: this.#session.cgroup, ...options, env: { ...this.env, ...options.env } };
  }
}

const unitOf = (kind: DesktopKind, terminal: number): string =>
  kind === "session" ? `desktop@${terminal}.service` : `getty@tty${terminal}.service`;
