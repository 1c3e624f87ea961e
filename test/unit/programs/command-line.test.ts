// The command line is a contract: every option of it, and what a person is told who gets it wrong.
import { describe, expect, test } from "vitest";
import { type CommandLine, parseCommandLine } from "../../../src/programs/command-line.ts";
import { ConfigError } from "../../../src/support/errors.ts";

function options(...args: readonly string[]): unknown {
  const line = parseCommandLine(["run", ...args]);
  expect(line.command).toBe("run");
  return { ...(line as Extract<CommandLine, { command: "run" }>).options };
}

function fault(...args: readonly string[]): string {
  try {
    parseCommandLine(args);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("nothing wrong with it");
}

const rows: readonly (readonly [string[], unknown])[] = [
  [["--config", "/etc/x.toml"], { config: "/etc/x.toml" }],
  [["--config", "x.toml"], { config: "x.toml" }],
  [["--log", "error"], { log: "error" }],
  [["--log", "warn"], { log: "warn" }],
  [["--log", "info"], { log: "info" }],
  [["--log=debug"], { log: "debug" }],
  [["--port", "/dev/vport0p1"], { port: "/dev/vport0p1" }],
  [["--uinput", "/dev/uinput"], { uinput: "/dev/uinput" }],
  [["--uinput", "fifo:/run/pointer"], { uinput: "fifo:/run/pointer" }],
  [["--uinput=none"], { uinput: "none" }],
  [["--no-logind"], { "no-logind": true }],
  [["--webdav-device", "/dev/vport0p2"], { "webdav-device": "/dev/vport0p2" }],
  [["--webdav-listen", "127.0.0.1:9843"], { "webdav-listen": ["127.0.0.1:9843"] }],
  [
    ["--webdav-listen", "127.0.0.1:1", "--webdav-listen", "[::1]:65535"],
    { "webdav-listen": ["127.0.0.1:1", "[::1]:65535"] },
  ],
  [["--share-device", "/dev/vport0p3"], { "share-device": "/dev/vport0p3" }],
  [["--check-config"], { "check-config": true }],
  [["--display", ":0"], { display: ":0" }],
  [["--save-dir", "Downloads"], { "save-dir": "Downloads" }],
];

describe("row 90: options of run", () => {
  test("none at all", () => {
    expect(options()).toEqual({});
  });

  test.each(rows)("%j", (args, expected) => {
    expect(options(...args)).toEqual(expected);
  });

  test("all of them together", () => {
    const last = new Map(
      rows.flatMap(([args, values]) => Object.keys(values as object).map((name) => [name, args] as const)),
    );
    const expected = Object.assign({}, ...rows.map(([, values]) => values));
    expect(options(...[...last.values()].flat())).toEqual(expected);
  });

  test("of one that may stand once the last counts", () => {
    expect(options("--port", "/a", "--port", "/b")).toEqual({ port: "/b" });
  });
});

describe("wrong words say what is wrong and what is allowed", () => {
  test.each<[string, string[], string | RegExp]>([
    [
      "no such command",
      ["rum"],
      "unknown command rum: known are daemon, session, run, mount-helper, share-proxy, status, send",
    ],
    [
      "a command that every object has",
      ["constructor"],
      "unknown command constructor: known are daemon, session, run, mount-helper, share-proxy, status, send",
    ],
    [
      "an option before the command",
      ["--port", "/x", "run"],
      /^unknown command --port: known are daemon, session, run, mount-helper, share-proxy, status/,
    ],
    ["no such option", ["run", "--prot", "/x"], "Unknown option '--prot': see tsvdagent run --help"],
    ["no such short option", ["run", "-p", "/x"], "Unknown option '-p': see tsvdagent run --help"],
    ["a word too many", ["run", "now"], "Unexpected argument 'now': see tsvdagent run --help"],
    ["a word after the dashes", ["run", "--", "--help"], "Unexpected argument '--help': see tsvdagent run --help"],
    [
      "a value missing at the end",
      ["run", "--port"],
      "Option '--port <value>' argument missing: see tsvdagent run --help",
    ],
    [
      "a value missing before the next option",
      ["run", "--port", "--no-logind"],
      "Option '--port' argument is ambiguous: see tsvdagent run --help",
    ],
    [
      "a value for a switch",
      ["run", "--no-logind=1"],
      "Option '--no-logind' does not take an argument: see tsvdagent run --help",
    ],
    [
      "a level there is not",
      ["run", "--log", "loud"],
      '--log "loud": LEVEL is expected: least urgent lines to write: error, warn, info, debug',
    ],
    ["a relative port", ["run", "--port", "dev/x"], /^--port "dev\/x": PATH is expected: port to the host/],
    ["an empty port", ["run", "--port="], /^--port "": PATH is expected/],
    ["an empty file", ["run", "--config", ""], /^--config "": FILE is expected: configuration to read/],
    ["an empty display", ["run", "--display="], /^--display "": NAME is expected/],
    ["an empty folder", ["run", "--save-dir="], /^--save-dir "": DIR is expected/],
    ["a relative pointer", ["run", "--uinput", "uinput"], /^--uinput "uinput": PATH\|fifo:PATH\|none is expected/],
    ["a relative FIFO", ["run", "--uinput", "fifo:pointer"], /^--uinput "fifo:pointer": /],
    ["a relative device of the folder", ["run", "--webdav-device", "x"], /^--webdav-device "x": PATH is expected/],
    ["a relative device of the share", ["run", "--share-device", "x"], /^--share-device "x": PATH is expected/],
    [
      "a place without a port",
      ["run", "--webdav-listen", "127.0.0.1"],
      /^--webdav-listen "127.0.0.1": HOST:PORT is expected/,
    ],
    [
      "the second of two places",
      ["run", "--webdav-listen", "localhost:1", "--webdav-listen", ":2"],
      /^--webdav-listen ":2": HOST:PORT is expected/,
    ],
  ])("%s", (_, args, told) => {
    const message = fault(...args);
    if (typeof told === "string") expect(message).toBe(told);
    else expect(message).toMatch(told);
    expect(message).not.toContain("\n");
  });
});

describe("help and version", () => {
  test.each([[[]], [["--help"]], [["-h"]]])("%j tells the commands", (args: string[]) => {
    const line = parseCommandLine(args);
    if (line.command !== "help") throw new Error("no help");
    for (const name of ["daemon", "session", "run", "mount-helper", "share-proxy", "status", "send"])
      expect(line.text).toMatch(new RegExp(`^ {2}${name} {2,}\\S`, "m"));
  });

  test("run --help tells every option, its value and what it is for, and ends the line", () => {
    const line = parseCommandLine(["run", "--help"]);
    if (line.command !== "help") throw new Error("no help");
    for (const [args] of rows) {
      const name = args[0]?.replace(/=.*/, "") ?? "";
      expect(line.text).toMatch(new RegExp(`^ {2}${name}( \\S+)?\\s+\\w`, "m"));
    }
    expect(line.text).toMatch(/^usage: tsvdagent run /);
    expect(line.text).toMatch(/\n$/);
  });

  test("--version tells the version, of the whole and of a command", () => {
    expect(parseCommandLine(["--version"])).toEqual({ command: "version" });
    expect(parseCommandLine(["run", "--version"])).toEqual({ command: "version" });
  });

  test("help wins over everything else that is right", () => {
    expect(parseCommandLine(["run", "--version", "--help", "--port", "/x"]).command).toBe("help");
  });
});
