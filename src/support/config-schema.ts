// Every key of the configuration, once: what it may hold, what it is when absent, and what it is for.
import { type LogLevel, logLevels } from "./log.ts";

interface BooleanKey {
  readonly kind: "boolean";
  readonly default: boolean;
  readonly about: string;
  /** A user may switch it off in a configuration of their own. */
  readonly userMayDisable?: boolean;
}

interface TextKey {
  readonly kind: "text";
  readonly default: string;
  readonly about: string;
  /** What it must look like, and that in words. */
  readonly pattern: RegExp;
  readonly allowed: string;
}

interface ChoiceKey<C extends string> {
  readonly kind: "choice";
  readonly default: C;
  readonly about: string;
  readonly choices: readonly C[];
}

export type ConfigKey = BooleanKey | TextKey | ChoiceKey<string>;

const logLevel: ChoiceKey<LogLevel> = {
  kind: "choice",
  default: "info",
  choices: logLevels,
  about: "The least urgent lines that are written.",
};

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
  },
  display: {
    resize: {
      kind: "boolean",
      default: true,
      userMayDisable: true,
      about: "Let the screen follow the viewer's window.",
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
  "shared-folder": {
    enabled: {
      kind: "boolean",
      default: true,
      about: "Serve the folder that the viewer shares on this machine's loopback, to the user on the screen.",
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

type ValueOf<K> = K extends ChoiceKey<infer C> ? C : K extends BooleanKey ? boolean : string;

/** The configuration with every key filled in. */
export type Config = {
  readonly [T in keyof typeof configSchema]: {
    readonly [K in keyof (typeof configSchema)[T]]: ValueOf<(typeof configSchema)[T][K]>;
  };
};
