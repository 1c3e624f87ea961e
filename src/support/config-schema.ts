// Every key of the configuration, once: what it may hold, what it is when absent, and what it is for.
import { type LogLevel, logLevels } from "./log.ts";

interface KeyBase<T> {
  readonly default: T;
  readonly about: string;
  /** A matter of taste: what a user's own file says stands in place of the system's. Without it, and without a rule below, a fault. */
  readonly userMaySet?: boolean;
}

interface BooleanKey extends KeyBase<boolean> {
  readonly kind: "boolean";
  /** The one value that takes away: a user may say it, and cannot take it back. */
  readonly userMayDisable?: boolean;
  readonly userMayEnable?: boolean;
}

interface TextKey extends KeyBase<string> {
  readonly kind: "text";
  /** What it must look like, and that in words. */
  readonly pattern: RegExp;
  readonly allowed: string;
}

interface ChoiceKey<C extends string> extends KeyBase<C> {
  readonly kind: "choice";
  readonly choices: readonly C[];
  /** For each choice those that allow less, the widest first: a user may go from one to the other. */
  readonly narrower?: Readonly<Record<C, readonly C[]>>;
}

/** A whole number; its unit is the last word of the key's name. */
interface IntegerKey extends KeyBase<number> {
  readonly kind: "integer";
  readonly min: number;
  readonly max: number;
  /** A user may ask for less, never for more. */
  readonly userMayLower?: boolean;
}

/** Of choices, or of texts. */
interface ListKey<C extends string> extends KeyBase<readonly C[]> {
  readonly kind: "list";
  readonly of: { readonly choices: readonly C[] } | { readonly pattern: RegExp; readonly allowed: string };
  readonly maxEntries: number;
  /** A user may leave entries out, never add any. */
  readonly userMayDrop?: boolean;
}

export type ConfigKey = BooleanKey | TextKey | ChoiceKey<string> | IntegerKey | ListKey<string>;

const logLevel: ChoiceKey<LogLevel> = {
  kind: "choice",
  default: "info",
  choices: logLevels,
  about: "The least urgent lines that are written.",
};

const clipboardDirection: ChoiceKey<"both" | "host-to-guest" | "guest-to-host" | "off"> = {
  kind: "choice",
  default: "both",
  choices: ["both", "host-to-guest", "guest-to-host", "off"],
  narrower: {
    both: ["host-to-guest", "guest-to-host", "off"],
    "host-to-guest": ["off"],
    "guest-to-host": ["off"],
    off: [],
  },
  about: "Which way content may go; the host is the viewer's side.",
};

const clipboardTypes: ListKey<"text" | "png" | "bmp" | "tiff" | "jpeg" | "files"> = {
  kind: "list",
  default: ["text", "png", "bmp", "tiff", "jpeg", "files"],
  of: { choices: ["text", "png", "bmp", "tiff", "jpeg", "files"] },
  maxEntries: 6,
  userMayDrop: true,
  about: "What may be exchanged.",
};

/** Just under the largest size that every viewer can count. */
const MAX_CLIPBOARD_MIB = 1023;

/** Table by table, key by key, as in the file. */
export const configSchema = {
  log: { level: logLevel },
  port: {
    path: {
      kind: "text",
      default: "/dev/virtio-ports/com.redhat.spice.0",
      pattern: /^\/./,
      allowed: "an absolute path",
      about: "The port to the host: a character device or a listening unix socket.",
    },
  },
  clipboard: {
    enabled: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Copy and paste between guest and viewer.",
    },
    primary: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Share PRIMARY too, the selection of marked text that the middle button pastes.",
    },
    direction: clipboardDirection,
    types: clipboardTypes,
    "max-host-to-guest-mib": {
      kind: "integer",
      default: MAX_CLIPBOARD_MIB,
      min: 1,
      max: MAX_CLIPBOARD_MIB,
      userMayLower: true,
      about: "The largest content that comes in.",
    },
    "max-guest-to-host-mib": {
      kind: "integer",
      default: MAX_CLIPBOARD_MIB,
      min: 1,
      max: MAX_CLIPBOARD_MIB,
      userMayLower: true,
      about: "The largest content that goes out; the viewer may want less.",
    },
    "mark-received": {
      kind: "boolean",
      default: false,
      userMayEnable: true,
      about: "Mark what comes from the viewer as secret: clipboard managers do not keep it.",
    },
  },
  display: {
    resize: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Let the screen follow the viewer's window.",
    },
    effects: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Let a viewer with a slow line switch off wallpaper, animations and smooth letters while it is there.",
    },
    dpi: {
      kind: "boolean",
      default: false,
      userMaySet: true,
      about:
        "Tell the desktop how large the viewer's pixels are (Xft.dpi), so that letters are as large as the viewer's own.",
    },
  },
  volume: {
    sync: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Let the guest's volume follow the viewer's.",
    },
  },
  files: {
    enabled: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Save files that are dropped on the viewer's window.",
    },
    "save-dir": {
      kind: "text",
      default: "xdg-download",
      userMaySet: true,
      pattern: /^(xdg-download|xdg-desktop|~\/.+|\/.+)$/,
      allowed: "xdg-download, xdg-desktop, a path in the home folder that begins with ~/, or an absolute path",
      about: "The folder they are saved in; it is made if it is missing.",
    },
  },
  "shared-folder": {
    enabled: {
      kind: "boolean",
      default: true,
      about: "Serve the folder that the viewer shares on this machine's loopback, to the user on the screen.",
    },
    mount: {
      kind: "boolean",
      default: true,
      about: "Mount it in that user's home, too.",
    },
    path: {
      kind: "text",
      default: "Shared",
      pattern: /^(?!\.{1,2}(\/|$))[^/\0]+(\/(?!\.{1,2}(\/|$))[^/\0]+)*$/,
      allowed: "a path below the home folder, without . and ..",
      about: "Where it is mounted, below the user's home: a folder that is empty or not there yet.",
    },
    bookmark: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "While it is mounted, have a bookmark of it in file managers.",
    },
    announce: {
      kind: "boolean",
      default: false,
      about:
        "While it is served, announce it by mDNS on the loopback, through Avahi, to file managers that look around.",
    },
  },
  "guest-share": {
    enabled: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Let users share folders of theirs with the host, which they begin by naming them.",
    },
    folders: {
      kind: "list",
      default: [],
      userMaySet: true,
      of: {
        pattern: /^(~|~\/[^\0]+|\/[^\0]*)$/,
        allowed: "a path in the home folder that begins with ~/, or an absolute path",
      },
      maxEntries: 64,
      about: "Folders that the host sees, by name and password; none: nothing is served.",
    },
    writable: {
      kind: "boolean",
      default: false,
      userMaySet: true,
      about: "Let the host change what is in them.",
    },
    port: {
      kind: "integer",
      default: 0,
      min: 0,
      max: 65535,
      userMaySet: true,
      about: "Serve them on this port of the guest's own loopback (127.0.0.1), too; 0: do not.",
    },
  },
  pointer: {
    device: {
      kind: "text",
      default: "/dev/uinput",
      pattern: /^(none|fifo:\/.+|\/.+)$/,
      allowed: "an absolute path, fifo: and an absolute path, or none",
      about: "Where pointer events go: uinput, the FIFO of Xspice, or nowhere.",
    },
  },
  compat: {
    version: {
      kind: "text",
      default: "",
      pattern: /^[\w.+~-]{0,64}$/,
      allowed: "a version like 0.22.1, or nothing",
      about:
        "The version told to session agents, where spice-vdagent is to work with this daemon: it stays only with its own.",
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, ConfigKey>>>>;

type ValueOf<K> =
  K extends ChoiceKey<infer C>
    ? C
    : K extends ListKey<infer C>
      ? readonly C[]
      : K extends IntegerKey
        ? number
        : K extends BooleanKey
          ? boolean
          : string;

/** The configuration with every key filled in. */
export type Config = {
  readonly [T in keyof typeof configSchema]: {
    readonly [K in keyof (typeof configSchema)[T]]: ValueOf<(typeof configSchema)[T][K]>;
  };
};
