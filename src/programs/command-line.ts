// What each command takes on the command line, once: for parsing, for checking and for --help.
import { parseArgs } from "node:util";
import { ConfigError } from "../support/errors.ts";
import { logLevels } from "../support/log.ts";

export interface Option {
  /** What stands for the value in --help; absent for a switch. */
  readonly value?: string;
  readonly about: string;
  readonly multiple?: true;
  readonly pattern?: RegExp;
}

const absolute = /^\/./;
/** Loopback only: nobody is asked for a password there. */
const hostAndPort =
  /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]):([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;

const common = {
  config: { value: "FILE", about: "configuration to read instead of /etc/tsvdagent/config.toml" },
  log: {
    value: "LEVEL",
    about: `least urgent lines to write: ${logLevels.join(", ")}`,
    pattern: /^(error|warn|info|debug)$/,
  },
  help: { about: "show this text" },
  version: { about: "show the version" },
} as const satisfies Record<string, Option>;

const configured = { config: common.config, log: common.log } as const;
const asked = { help: common.help, version: common.version } as const;

const socket = { value: "PATH", about: "socket between daemon and session agents", pattern: absolute } as const;
const control = { value: "PATH", about: "socket for status and the like", pattern: absolute } as const;

const halfOfDaemon = {
  port: { value: "PATH", about: "port to the host: a character device or a listening unix socket", pattern: absolute },
  uinput: { value: "PATH|fifo:PATH|none", about: "where pointer events go", pattern: /^(none|fifo:\/.+|\/.+)$/ },
  "no-logind": { about: "do not ask logind which session is active: the first agent that comes is" },
  "webdav-device": {
    value: "PATH",
    about: "port of the viewer's shared folder: a character device or a listening unix socket",
    pattern: absolute,
  },
  "webdav-listen": {
    value: "HOST:PORT",
    about: "where to serve it on loopback, may be repeated",
    multiple: true,
    pattern: hostAndPort,
  },
  "share-device": {
    value: "PATH",
    about: "port on which the guest's folders are served to the host: a character device or a listening unix socket",
    pattern: absolute,
  },
  "check-config": { about: "check the configuration and end" },
} as const satisfies Record<string, Option>;

const halfOfSession = {
  display: { value: "NAME", about: "X display, instead of $DISPLAY" },
  "save-dir": {
    value: "DIR",
    about: "where files that are dropped are saved: a folder, xdg-download or xdg-desktop",
  },
  "open-folder": { about: "open that folder when they are there" },
} as const satisfies Record<string, Option>;

const daemonOptions = {
  ...halfOfDaemon,
  socket,
  control: { ...control, value: "PATH|none", pattern: /^(none|\/.+)$/ },
  ...configured,
  ...asked,
} as const satisfies Record<string, Option>;

const sessionOptions = { socket, ...halfOfSession, ...configured, ...asked } as const satisfies Record<string, Option>;

const runOptions = { ...halfOfDaemon, ...halfOfSession, ...configured, ...asked } as const satisfies Record<
  string,
  Option
>;

const statusOptions = {
  control,
  json: { about: "one line of JSON" },
  watch: { about: "go on, and tell what changes" },
  ...asked,
} as const satisfies Record<string, Option>;

const mountHelperOptions = { ...configured, ...asked } as const satisfies Record<string, Option>;

const sendOptions = {
  address: { value: "HOST:PORT", about: "where the folder is served, instead of 127.0.0.1:9843", pattern: hostAndPort },
  ...asked,
} as const satisfies Record<string, Option>;

const shareProxyOptions = {
  port: {
    value: "SOCKET",
    about: "socket on the host that is the guest's port org.tsvdagent.share.0",
    pattern: absolute,
  },
  listen: {
    value: "HOST:PORT",
    about: "where to serve the guest's folders, instead of 127.0.0.1:9844",
    pattern: /^([\w.-]+|\[[\da-fA-F:.]+\]):([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/,
  },
  "any-address": { about: "allow --listen an address that others can reach, without encryption" },
  log: common.log,
  ...asked,
} as const satisfies Record<string, Option>;

export const commands = {
  daemon: { about: "the ports and the rules, for whichever session is on the screen", options: daemonOptions },
  session: { about: "one desktop session's agent", options: sessionOptions },
  run: { about: "daemon and session in one process, in the foreground", options: runOptions },
  "mount-helper": {
    about: "mounts the viewer's folder for the daemon: started by systemd",
    options: mountHelperOptions,
  },
  "share-proxy": { about: "on the host: makes the guest's folders reachable", options: shareProxyOptions },
  status: { about: "how the daemon and its sessions are", options: statusOptions },
  send: { about: "puts files into the viewer's folder", options: sendOptions, operands: "FILE…" },
} as const;

type ValuesOf<O> = {
  readonly [K in keyof O]?: O[K] extends { multiple: true }
    ? string[]
    : O[K] extends { value: string }
      ? string
      : boolean;
};

export type CommandLine =
  | { readonly command: "daemon"; readonly options: ValuesOf<typeof daemonOptions> }
  | { readonly command: "session"; readonly options: ValuesOf<typeof sessionOptions> }
  | { readonly command: "run"; readonly options: ValuesOf<typeof runOptions> }
  | { readonly command: "mount-helper"; readonly options: ValuesOf<typeof mountHelperOptions> }
  | { readonly command: "share-proxy"; readonly options: ValuesOf<typeof shareProxyOptions> }
  | { readonly command: "status"; readonly options: ValuesOf<typeof statusOptions> }
  | { readonly command: "send"; readonly options: ValuesOf<typeof sendOptions>; readonly operands: readonly string[] }
  | { readonly command: "help"; readonly text: string }
  | { readonly command: "version" };

/** Throws a ConfigError that says what is wrong and what is allowed. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") return { command: "help", text: overview() };
  if (name === "--version") return { command: "version" };
  if (!isCommand(name)) throw new ConfigError(`unknown command ${name}: known are ${Object.keys(commands).join(", ")}`);
  const options: Readonly<Record<string, Option>> = commands[name].options;
  const { values, positionals } = parsed(name, options, rest, "operands" in commands[name]);
  if (values.help === true) return { command: "help", text: helpOf(name) };
  if (values.version === true) return { command: "version" };
  return name === "send"
    ? { command: name, options: values, operands: positionals }
    : { command: name, options: values };
}

function parsed(
  command: string,
  options: Readonly<Record<string, Option>>,
  args: readonly string[],
  takesOperands: boolean,
): { readonly values: Record<string, unknown>; readonly positionals: readonly string[] } {
  const config = Object.entries(options).map(([name, { value, multiple }]) => [
    name,
    {
      type: value === undefined ? ("boolean" as const) : ("string" as const),
      multiple: multiple ?? false,
      ...(name === "help" ? { short: "h" } : {}),
    },
  ]);
  let values: Record<string, unknown>;
  let positionals: readonly string[];
  try {
    ({ values, positionals } = parseArgs({
      args: [...args],
      options: Object.fromEntries(config),
      allowPositionals: takesOperands,
      strict: true,
    }));
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
    throw new ConfigError(`${reason}: see tsvdagent ${command} --help`);
  }
  for (const [name, given] of Object.entries(values)) {
    const { pattern, value, about } = options[name] ?? { about: "" };
    for (const text of [given].flat()) {
      const isFine = typeof text !== "string" || (text !== "" && (pattern === undefined || pattern.test(text)));
      if (!isFine) throw new ConfigError(`--${name} ${JSON.stringify(text)}: ${value} is expected: ${about}`);
    }
  }
  return { values, positionals };
}

function isCommand(name: string): name is keyof typeof commands {
  return Object.hasOwn(commands, name);
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map(({ length }) => length)) + 2;
  const lines = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(width)}${about}`);
  return [
    "tsvdagent: a SPICE guest agent",
    "",
    "usage: tsvdagent COMMAND [OPTION…]",
    "",
    ...lines,
    "",
    "tsvdagent COMMAND --help tells the options of one.",
    "",
  ].join("\n");
}

function helpOf(command: keyof typeof commands): string {
  const entries: readonly (readonly [string, Option])[] = Object.entries(commands[command].options);
  const lines = entries.map(([name, { value, about }]) => {
    const left = `--${name}${value === undefined ? "" : ` ${value}`}`;
    return left.length < 28 ? `  ${left.padEnd(30)}${about}` : `  ${left}\n${" ".repeat(32)}${about}`;
  });
  const operands = command === "send" ? ` ${commands.send.operands}` : "";
  return [`usage: tsvdagent ${command} [OPTION…]${operands}: ${commands[command].about}`, "", ...lines, ""].join("\n");
}
