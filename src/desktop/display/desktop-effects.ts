// What a viewer with a slow line can do without: the wallpaper, animations and smooth letters of the user's desktop.
// They are switched off by the desktop's own tool, and on again when the viewer goes.
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { DisplayConfigFlag } from "../../wire/display-config.ts";
import type { RunCommand } from "../command.ts";

/** One setting of a desktop, by its tool. */
interface Setting {
  readonly name: string;
  /** The value as the tool prints it; undefined: it is not set. */
  get(): Promise<string | undefined>;
  disable(): Promise<void>;
  restore(value: string | undefined): Promise<void>;
}

interface DesktopKind {
  /** How its window manager calls itself. */
  readonly windowManager: RegExp;
  settings(flag: number): Promise<readonly Setting[]>;
}

const { DISABLE_WALLPAPER, DISABLE_FONT_SMOOTH, DISABLE_ANIMATION, SET_COLOR_DEPTH } = DisplayConfigFlag;
const effects = [DISABLE_WALLPAPER, DISABLE_FONT_SMOOTH, DISABLE_ANIMATION] as const;
/** Monitors times workspaces. */
const MAX_WALLPAPERS = 256;

export class DesktopEffects {
  readonly #run: RunCommand;
  readonly #windowManager: () => Promise<string | undefined>;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  /** What is switched off, and how it was before. */
  readonly #disabled = new Map<number, { readonly setting: Setting; readonly before: string | undefined }[]>();
  #working: Promise<unknown> = Promise.resolve();

  constructor(run: RunCommand, windowManager: () => Promise<string | undefined>, log: Log, signal: AbortSignal) {
    this.#run = run;
    this.#windowManager = windowManager;
    this.#log = log;
    this.#signal = signal;
  }

  /** What is flagged is off after this, and all else as the user has it. Throws a BackendError `effects.unavailable`. */
  request(flags: number): Promise<void> {
    return this.#next(async () => {
      for (const effect of effects) if ((flags & effect) === 0) await this.#enable(effect);
      for (const effect of effects) if ((flags & effect) !== 0) await this.#disable(effect);
      if ((flags & SET_COLOR_DEPTH) !== 0) {
        throw new BackendError("effects.unavailable", "an X server cannot change its depth of colours");
      }
    });
  }

  /** Everything as the user has it. */
  restore(): Promise<void> {
    return this.#next(async () => {
      for (const effect of effects) await this.#enable(effect);
    });
  }

  /** One after the other: what is read as the user's own must not be what the one before has just set. */
  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => {});
    return done;
  }

  async #disable(effect: number): Promise<void> {
    if (this.#disabled.has(effect)) return;
    const windowManager = await this.#windowManager();
    const kind = this.#kinds.find((one) => one.windowManager.test(windowManager ?? ""));
    if (kind === undefined) {
      throw new BackendError(
        "effects.unavailable",
        `no settings known of ${windowManager ?? "a desktop without a name"}`,
      );
    }
    const changed: { setting: Setting; before: string | undefined }[] = [];
    this.#disabled.set(effect, changed);
    for (const setting of await kind.settings(effect)) {
      const before = await setting.get();
      await setting.disable();
      changed.push({ setting, before });
      this.#log.info(`${setting.name} switched off for the viewer`);
    }
    if (changed.length === 0) throw new BackendError("effects.unavailable", "the desktop has no such setting");
  }

  async #enable(effect: number): Promise<void> {
    const changed = this.#disabled.get(effect) ?? [];
    this.#disabled.delete(effect);
    for (const { setting, before } of changed) {
      try {
        await setting.restore(before);
        this.#log.info(`${setting.name} as it was`);
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        this.#log.warn(`${setting.name} stays switched off: ${describeError(error)}`);
      }
    }
  }

  readonly #kinds: readonly DesktopKind[] = [
    {
      windowManager: /^(GNOME Shell|Mutter)/,
      settings: async (effect) => [
        effect === DISABLE_WALLPAPER
          ? this.#gsetting("org.gnome.desktop.background", "picture-options", "'none'")
          : effect === DISABLE_FONT_SMOOTH
            ? this.#gsetting("org.gnome.desktop.interface", "font-antialiasing", "'none'")
            : this.#gsetting("org.gnome.desktop.interface", "enable-animations", "false"),
      ],
    },
    {
      windowManager: /^Xfwm4/,
      settings: async (effect) => {
        if (effect === DISABLE_FONT_SMOOTH) return [this.#xfconf("xsettings", "/Xft/Antialias", "int", "0")];
        if (effect === DISABLE_ANIMATION) return [this.#xfconf("xsettings", "/Gtk/EnableAnimations", "bool", "false")];
        // One for each monitor and workspace.
        const listed = await this.#tool("xfconf-query", ["-c", "xfce4-desktop", "-l"]);
        const styles = listed.split("\n").filter((line) => /^\/backdrop\/\S+\/image-style$/.test(line));
        return styles.slice(0, MAX_WALLPAPERS).map((path) => this.#xfconf("xfce4-desktop", path, "int", "0"));
      },
    },
  ];

  #gsetting(schema: string, key: string, off: string): Setting {
    return {
      name: `${schema} ${key}`,
      get: async () => (await this.#tool("gsettings", ["get", schema, key])).trim(),
      disable: async () => void (await this.#tool("gsettings", ["set", schema, key, off])),
      restore: async (value) => void (await this.#tool("gsettings", ["set", schema, key, value ?? ""])),
    };
  }

  #xfconf(channel: string, path: string, type: string, off: string): Setting {
    const at = ["-c", channel, "-p", path];
    const set = async (value: string): Promise<void> =>
      void (await this.#tool("xfconf-query", [...at, "-n", "-t", type, "-s", value]));
    return {
      name: `${channel} ${path}`,
      get: async () => {
        const { code, stdout } = await this.#run("xfconf-query", at, this.#signal);
        return code === 0 ? stdout.trim() : undefined;
      },
      disable: () => set(off),
      restore: async (value) => {
        if (value === undefined) await this.#tool("xfconf-query", [...at, "-r"]);
        else await set(value);
      },
    };
  }

  async #tool(command: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(command, args, this.#signal);
    if (code === 0) return stdout;
    throw new BackendError("effects.unavailable", `${command}: ${stderr.trim().split("\n", 1).join("").slice(0, 200)}`);
  }
}
