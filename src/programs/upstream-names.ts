// Called by a link named spice-vdagentd or spice-vdagent we take upstream's options, so that what starts those, as the
// Xspice script does, can start us. Section 6.4 of the protocol.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ConfigError } from "../support/errors.ts";
import { VERSION } from "../version.ts";
import type { CommandLine } from "./command-line.ts";

const PORT = "/dev/virtio-ports/com.redhat.spice.0";
const SOCKET = "/run/spice-vdagentd/spice-vdagent-sock";

interface UpstreamOption {
  readonly short?: string;
  /** What stands for the value in the usage; absent for a switch. */
  readonly value?: string;
  readonly about: string;
  /** Accepted, and that is all. */
  readonly ignored?: true;
}

const debug = { short: "d", about: "log more" } as const;
const foreground = { short: "x", about: "stay in the foreground: so we always do", ignored: true } as const;
const help = { short: "h", about: "show this text" } as const;
const socketOption = { short: "S", value: "PATH", about: `socket between the two, default ${SOCKET}` } as const;

const daemonOptions = {
  debug,
  "virtio-serial-port-path": { short: "s", value: "PATH", about: `port to the host, default ${PORT}` },
  "vdagentd-socket": socketOption,
  "uinput-device": { short: "u", value: "PATH", about: "where pointer events go, default /dev/uinput" },
  "fake-uinput": {
    short: "f",
    about: "that is a FIFO, as Xspice has it: an X server on no seat, so logind is not asked either",
  },
  foreground,
  "one-session": { short: "o", about: "end with the port's first session: without effect", ignored: true },
  "disable-session-integration": { short: "X", about: "do not ask logind: the first agent that comes is the one" },
  help,
} as const satisfies Record<string, UpstreamOption>;

const sessionOptions = {
  debug,
  "virtio-serial-port-path": { short: "s", value: "PATH", about: `end at once if it is not there, default ${PORT}` },
  "vdagentd-socket": socketOption,
  foreground,
  "file-xfer-save-dir": {
    short: "f",
    value: "DIR|xdg-desktop|xdg-download",
    about: "where files that are dropped are saved",
  },
  "file-xfer-open-dir": { short: "o", value: "0|1", about: "open that folder when they are there" },
  "x11-abort-on-error": { short: "y", about: "for debugging: without effect", ignored: true },
  display: { value: "NAME", about: "X display, instead of $DISPLAY" },
  class: { value: "CLASS", about: "of GTK: without effect", ignored: true },
  name: { value: "NAME", about: "of GTK: without effect", ignored: true },
  "gtk-module": { value: "MODULES", about: "of GTK: without effect", ignored: true },
  "g-fatal-warnings": { about: "of GTK: without effect", ignored: true },
  help,
} as const satisfies Record<string, UpstreamOption>;

type Options = Readonly<Record<string, UpstreamOption>>;
type Values = Readonly<Record<string, string | boolean | undefined>>;

export interface UpstreamCall {
  /** Our own words for it. */
  readonly line: CommandLine;
  /** Options that were given and have no effect. */
  readonly ignored: readonly string[];
}

/** What we are when called by one of upstream's names. */
export interface UpstreamProgram {
  readonly name: string;
  /** Exit code for wrong words. */
  readonly wrongWords: number;
  /** Throws a ConfigError. */
  parse(args: readonly string[]): UpstreamCall;
}

/** Of the file name we were called by; undefined: that is not upstream's. */
export function upstreamProgram(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): UpstreamProgram | undefined {
  switch (name) {
    case "spice-vdagentd":
      return program(name, 1, daemonOptions, "daemon", daemonLine);
    case "spice-vdagent":
      return program(name, 255, sessionOptions, "session", (values) => sessionLine(values, env, exists));
    default:
      return undefined;
  }
}

function program(
  name: string,
  wrongWords: number,
  options: Options,
  command: string,
  lineOf: (values: Values) => CommandLine,
): UpstreamProgram {
  return {
    name,
    wrongWords,
    parse: (args) => {
      const values = parsed(name, options, args);
      if (values.help === true) return { line: { command: "help", text: usage(name, options, command) }, ignored: [] };
      const ignored = Object.keys(values).filter((option) => options[option]?.ignored === true);
      return { line: lineOf(values), ignored };
    },
  };
}

function daemonLine(values: Values): CommandLine {
  const port = pathOf(values["virtio-serial-port-path"]);
  const socket = pathOf(values["vdagentd-socket"]);
  const uinput = pathOf(values["uinput-device"]);
  const common = {
    socket: socket ?? SOCKET,
    ...(port === undefined ? {} : { port }),
    ...(values.debug === true ? { log: "debug" } : {}),
  };
  if (values["fake-uinput"] === true) {
    // Xspice removes the folder it has made for these files, and ends us only after that: it fails at a file that is not
    // its own, and we would be left behind. So there is no control socket.
    const options = { ...common, uinput: `fifo:${uinput ?? "/dev/uinput"}`, control: "none", "no-logind": true };
    return { command: "daemon", options };
  }
  return {
    command: "daemon",
    options: {
      ...common,
      ...(uinput === undefined ? {} : { uinput }),
      // Where whoever starts us may make files, as the other socket shows.
      ...(socket === undefined ? {} : { control: `${socket}.control` }),
      ...(values["disable-session-integration"] === true ? { "no-logind": true } : {}),
    },
  };
}

function sessionLine(values: Values, env: NodeJS.ProcessEnv, exists: (path: string) => boolean): CommandLine {
  const port = pathOf(values["virtio-serial-port-path"]) ?? PORT;
  // A desktop starts it on every machine: where there is no host it has nothing to do, and that is no failure.
  if (!exists(port)) return { command: "help", text: `spice-vdagent: no port ${port}: nothing to do\n` };
  const display = values.display ?? env.DISPLAY;
  const saveDir = values["file-xfer-save-dir"];
  const isXdg = saveDir === "xdg-desktop" || saveDir === "xdg-download";
  return {
    command: "session",
    options: {
      socket: pathOf(values["vdagentd-socket"]) ?? SOCKET,
      ...(typeof display === "string" && display !== "" ? { display } : {}),
      ...(typeof saveDir === "string" ? { "save-dir": isXdg ? saveDir : resolve(saveDir) } : {}),
      ...(isTrue(values["file-xfer-open-dir"]) ? { "open-folder": true } : {}),
      ...(values.debug === true ? { log: "debug" } : {}),
    },
  };
}

/** As GLib takes a number: anything but 0. */
function isTrue(value: string | boolean | undefined): boolean {
  return typeof value === "string" && Number.parseInt(value, 10) !== 0;
}

/** Ours are absolute. */
function pathOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? resolve(value) : undefined;
}

function parsed(name: string, options: Options, args: readonly string[]): Values {
  const config = Object.entries(options).map(([option, { short, value }]) => [
    option,
    {
      type: value === undefined ? ("boolean" as const) : ("string" as const),
      ...(short === undefined ? {} : { short }),
    },
  ]);
  try {
    // Words beside the options are overlooked, as upstream does.
    const given = parseArgs({ args: [...args], options: Object.fromEntries(config), allowPositionals: true });
    const values = given.values as Values;
    const empty = Object.keys(values).find((option) => values[option] === "");
    if (empty !== undefined) throw new Error(`Option '--${empty}' is empty`);
    return values;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
    throw new ConfigError(`${reason}: see ${name} --help`);
  }
}

function usage(name: string, options: Options, command: string): string {
  const lines = Object.entries(options).map(([option, { short, value, about }]) => {
    const left = `${short === undefined ? "   " : `-${short},`} --${option}${value === undefined ? "" : ` ${value}`}`;
    return left.length < 38 ? `  ${left.padEnd(38)}${about}` : `  ${left}\n${" ".repeat(40)}${about}`;
  });
  return [
    `usage: ${name} [OPTION…]: tsvdagent ${command} with the options of ${name}; it never leaves the foreground`,
    `Version: ${VERSION}`,
    "",
    ...lines,
    "",
  ].join("\n");
}
