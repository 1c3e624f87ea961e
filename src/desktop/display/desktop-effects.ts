// What a viewer with a slow line can do without: the wallpaper, animations and smooth letters of the user's desktop.
// They are switched off by the desktop's own tool, and on again when the viewer goes.
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { DisplayConfigFlag } from "../../wire/display-config.ts";
import type { RunCommand } from "../command.ts";
import { keepSwitchedOff, leftSwitchedOff, type Setting, type SwitchedOff } from "./switched-off.ts";

/** A setting, and its value when it is off. */
interface Effect {
  readonly setting: Setting;
  readonly off: string;
}

interface DesktopKind {
  /** How its window manager calls itself. */
  readonly windowManager: RegExp;
  effects(flag: number): Promise<readonly Effect[]>;
}

const { DISABLE_WALLPAPER, DISABLE_FONT_SMOOTH, DISABLE_ANIMATION, SET_COLOR_DEPTH } = DisplayConfigFlag;
const effects = [DISABLE_WALLPAPER, DISABLE_FONT_SMOOTH, DISABLE_ANIMATION] as const;
/** Monitors times workspaces. */
const MAX_WALLPAPERS = 256;

export interface DesktopEffectsParts {
  readonly run: RunCommand;
  /** What the window manager calls itself, if there is one. */
  readonly windowManager: () => Promise<string | undefined>;
  /** The file that says what is switched off, as long as something is. */
  readonly path: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export class DesktopEffects {
  readonly #parts: DesktopEffectsParts;
  readonly #log: Log;
  #switchedOff: readonly SwitchedOff[] = [];
  #working: Promise<unknown> = Promise.resolve();

  constructor(parts: DesktopEffectsParts) {
    this.#parts = parts;
    this.#log = parts.log;
  }

  /** Before any request: what an agent that was killed has left switched off is as the user has it. */
  restoreLeft(): Promise<void> {
    return this.#next(async () => {
      this.#switchedOff = await leftSwitchedOff(this.#parts.path);
      for (const effect of effects) await this.#enable(effect);
    });
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
    if (this.#switchedOff.some((one) => one.effect === effect)) return;
    const windowManager = await this.#parts.windowManager();
    const kind = this.#kinds.find((one) => one.windowManager.test(windowManager ?? ""));
    if (kind === undefined) {
      throw new BackendError(
        "effects.unavailable",
        `no settings known of ${windowManager ?? "a desktop without a name"}`,
      );
    }
    const settings = await kind.effects(effect);
    if (settings.length === 0) throw new BackendError("effects.unavailable", "the desktop has no such setting");
    try {
      for (const { setting, off } of settings) await this.#switchOff(effect, setting, off);
    } catch (error) {
      // Done by half is not done.
      await this.#enable(effect);
      throw error;
    }
  }

  async #switchOff(effect: number, setting: Setting, off: string): Promise<void> {
    const others = this.#switchedOff;
    // Kept before it is off: of a kill in between nothing is left that nobody knows of.
    await this.#keep([...others, { effect, setting, before: (await this.#get(setting)) ?? null }]);
    try {
      await this.#set(setting, off);
    } catch (error) {
      await this.#keep(others);
      throw error;
    }
    this.#log.info(`${nameOf(setting)} switched off for the viewer`);
  }

  async #enable(effect: number): Promise<void> {
    for (const one of this.#switchedOff.filter((each) => each.effect === effect)) {
      const { setting, before } = one;
      try {
        if (before === null) await this.#tool("xfconf-query", ["-c", setting.group, "-p", setting.key, "-r"]);
        else await this.#set(setting, before);
        this.#log.info(`${nameOf(setting)} as it was`);
        await this.#keep(this.#switchedOff.filter((each) => each !== one));
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        this.#log.warn(`${nameOf(setting)} stays switched off: ${describeError(error)}`);
      }
    }
  }

  /** What the next to come would have to put back. */
  async #keep(switchedOff: readonly SwitchedOff[]): Promise<void> {
    this.#switchedOff = switchedOff;
    try {
      await keepSwitchedOff(this.#parts.path, switchedOff);
    } catch (error) {
      this.#log.warn(`${this.#parts.path}: ${describeError(error)}: what is switched off stays so if we are killed`);
    }
  }

  readonly #kinds: readonly DesktopKind[] = [
    {
      // Cinnamon's is "Mutter (Muffin)", and looks elsewhere.
      windowManager: /^(GNOME Shell|Mutter(?! \(Muffin\)))/,
      effects: async (effect) => [
        effect === DISABLE_WALLPAPER
          ? gsetting("org.gnome.desktop.background", "picture-options", "'none'")
          : effect === DISABLE_FONT_SMOOTH
            ? gsetting("org.gnome.desktop.interface", "font-antialiasing", "'none'")
            : gsetting("org.gnome.desktop.interface", "enable-animations", "false"),
      ],
    },
    {
      windowManager: /^Xfwm4/,
      effects: async (effect) => {
        if (effect === DISABLE_FONT_SMOOTH) return [xfconf("xsettings", "/Xft/Antialias", "int", "0")];
        if (effect === DISABLE_ANIMATION) return [xfconf("xsettings", "/Gtk/EnableAnimations", "bool", "false")];
        // One for each monitor and workspace.
        const listed = await this.#tool("xfconf-query", ["-c", "xfce4-desktop", "-l"]);
        const styles = listed.split("\n").filter((line) => /^\/backdrop\/\S+\/image-style$/.test(line));
        return styles.slice(0, MAX_WALLPAPERS).map((path) => xfconf("xfce4-desktop", path, "int", "0"));
      },
    },
  ];

  /** Undefined: it is not set, which only xfconf knows. */
  async #get({ tool, group, key }: Setting): Promise<string | undefined> {
    if (tool === "gsettings") return (await this.#tool(tool, ["get", group, key])).trim();
    const { code, stdout } = await this.#parts.run(tool, ["-c", group, "-p", key], this.#parts.signal);
    return code === 0 ? stdout.trim() : undefined;
  }

  async #set({ tool, group, key, type }: Setting, value: string): Promise<void> {
    if (tool === "gsettings") await this.#tool(tool, ["set", group, key, value]);
    else await this.#tool(tool, ["-c", group, "-p", key, "-n", "-t", type, "-s", value]);
  }

  async #tool(command: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#parts.run(command, args, this.#parts.signal);
    if (code === 0) return stdout;
    throw new BackendError("effects.unavailable", `${command}: ${stderr.trim().split("\n", 1).join("").slice(0, 200)}`);
  }
}

function gsetting(group: string, key: string, off: string): Effect {
  return { setting: { tool: "gsettings", group, key, type: "" }, off };
}

function xfconf(group: string, key: string, type: string, off: string): Effect {
  return { setting: { tool: "xfconf-query", group, key, type }, off };
}

function nameOf({ group, key }: Setting): string {
  return `${group} ${key}`;
}
