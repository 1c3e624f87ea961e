// Row 90: upstream's options, as those who start its programs write them, and what they are here.
import { describe, expect, test } from "vitest";
import { parseCommandLine } from "../../../src/programs/command-line.ts";
import { type UpstreamProgram, upstreamProgram } from "../../../src/programs/upstream-names.ts";
import { ConfigError } from "../../../src/support/errors.ts";

const PORT = "/dev/virtio-ports/com.redhat.spice.0";
const SOCKET = "/run/spice-vdagentd/spice-vdagent-sock";

function daemon(...args: readonly string[]): unknown {
  const { line, ignored } = named("spice-vdagentd").parse(args);
  expect(line.command).toBe("daemon");
  return { ...("options" in line ? line.options : {}), ...(ignored.length > 0 ? { ignored } : {}) };
}

function session(...args: readonly string[]): unknown {
  const { line, ignored } = named("spice-vdagent").parse(args);
  expect(line.command).toBe("session");
  return { ...("options" in line ? line.options : {}), ...(ignored.length > 0 ? { ignored } : {}) };
}

function named(name: string, env: NodeJS.ProcessEnv = {}, exists = (_path: string) => true): UpstreamProgram {
  const program = upstreamProgram(name, env, exists);
  if (program === undefined) throw new Error(`${name} is no name of upstream's`);
  return program;
}

test("row 90: no other name is upstream's", () => {
  for (const name of ["tsvdagent", "tsvdagent.js", "", "spice-vdagent.js", "constructor"])
    expect(upstreamProgram(name)).toBe(undefined);
});

describe("row 90: spice-vdagentd", () => {
  test.each<[string, string[], unknown]>([
    ["nothing", [], { socket: SOCKET }],
    ["-s", ["-s", "/p"], { socket: SOCKET, port: "/p" }],
    ["-s, joined", ["-s/p"], { socket: SOCKET, port: "/p" }],
    ["--virtio-serial-port-path", ["--virtio-serial-port-path", "/p"], { socket: SOCKET, port: "/p" }],
    ["--virtio-serial-port-path=", ["--virtio-serial-port-path=/p"], { socket: SOCKET, port: "/p" }],
    ["-S", ["-S", "/s"], { socket: "/s", control: "/s.control" }],
    ["--vdagentd-socket", ["--vdagentd-socket=/s"], { socket: "/s", control: "/s.control" }],
    ["-u", ["-u", "/dev/u"], { socket: SOCKET, uinput: "/dev/u" }],
    ["a device named none", ["-u", "/none"], { socket: SOCKET, uinput: "/none" }],
    ["-f", ["-f"], { socket: SOCKET, uinput: "fifo:/dev/uinput", control: "none", "no-logind": true }],
    ["-X", ["-X"], { socket: SOCKET, "no-logind": true }],
    ["--disable-session-integration", ["--disable-session-integration"], { socket: SOCKET, "no-logind": true }],
    ["-d", ["-d"], { socket: SOCKET, log: "debug" }],
    ["-d twice", ["-d", "--debug"], { socket: SOCKET, log: "debug" }],
    ["-x and -o", ["-x", "-o"], { socket: SOCKET, ignored: ["foreground", "one-session"] }],
    ["a word more", ["-x", "word"], { socket: SOCKET, ignored: ["foreground"] }],
    [
      "short ones joined",
      ["-dXxu", "/dev/u"],
      { socket: SOCKET, log: "debug", "no-logind": true, uinput: "/dev/u", ignored: ["foreground"] },
    ],
    [
      "as Xspice writes them",
      ["-f", "-x", "-S", "/t/udcs", "-s", "/t/virtio", "-u", "/t/uinput"],
      {
        socket: "/t/udcs",
        port: "/t/virtio",
        uinput: "fifo:/t/uinput",
        control: "none",
        "no-logind": true,
        ignored: ["foreground"],
      },
    ],
  ])("%s", (_, args, expected) => {
    expect(daemon(...args)).toEqual(expected);
  });

  test("relative paths are those of where it was started", () => {
    expect(daemon("-S", "s", "-s", "./p", "-u", "u")).toEqual({
      socket: `${process.cwd()}/s`,
      control: `${process.cwd()}/s.control`,
      port: `${process.cwd()}/p`,
      uinput: `${process.cwd()}/u`,
    });
  });
});

describe("row 90: spice-vdagent", () => {
  test.each<[string, string[], unknown]>([
    ["nothing", [], { socket: SOCKET }],
    ["-S", ["-S", "/s"], { socket: "/s" }],
    ["--display", ["--display", ":7"], { socket: SOCKET, display: ":7" }],
    ["-f", ["-f", "/home/u/in"], { socket: SOCKET, "save-dir": "/home/u/in" }],
    ["--file-xfer-save-dir", ["--file-xfer-save-dir=in"], { socket: SOCKET, "save-dir": `${process.cwd()}/in` }],
    ["-f xdg-desktop", ["-f", "xdg-desktop"], { socket: SOCKET, "save-dir": "xdg-desktop" }],
    ["-f xdg-download", ["-f", "xdg-download"], { socket: SOCKET, "save-dir": "xdg-download" }],
    ["-o 1", ["-o", "1"], { socket: SOCKET, "open-folder": true }],
    ["-o 0", ["-o", "0"], { socket: SOCKET }],
    ["-d", ["-d"], { socket: SOCKET, log: "debug" }],
    [
      "what is only accepted",
      ["-x", "-y", "--class=C", "--name", "N", "--gtk-module=M", "--g-fatal-warnings"],
      {
        socket: SOCKET,
        ignored: ["foreground", "x11-abort-on-error", "class", "name", "gtk-module", "g-fatal-warnings"],
      },
    ],
    [
      "as Xspice writes them",
      ["-x", "-s", "/t/virtio", "-S", "/t/udcs"],
      { socket: "/t/udcs", ignored: ["foreground"] },
    ],
  ])("%s", (_, args, expected) => {
    expect(session(...args)).toEqual(expected);
  });

  test("the display of its environment is given by name, and the command line's goes before", () => {
    const program = named("spice-vdagent", { DISPLAY: ":3" });
    expect(program.parse([]).line).toMatchObject({ options: { display: ":3" } });
    expect(program.parse(["--display", ":4"]).line).toMatchObject({ options: { display: ":4" } });
  });

  test("without a port it says so and ends well: a desktop starts it on machines that are no guests, too", () => {
    const asked: string[] = [];
    const program = named("spice-vdagent", {}, (path) => asked.push(path) === 0);
    expect(program.parse([]).line).toEqual({ command: "help", text: expect.stringContaining(PORT) });
    expect(program.parse(["-s", "/p"]).line).toEqual({ command: "help", text: expect.stringContaining("/p") });
    expect(asked).toEqual([PORT, "/p"]);
  });
});

describe("row 90: wrong words", () => {
  test.each<[string, string[], string]>([
    ["no such option", ["--nope"], "Unknown option '--nope'"],
    ["no such short option", ["-z"], "Unknown option '-z'"],
    ["one of them among good ones", ["-dzx"], "Unknown option '-z'"],
    ["a value missing", ["-x", "-S"], "Option '-S, --vdagentd-socket <value>' argument missing"],
    ["a value for a switch", ["--foreground=1"], "Option '-x, --foreground' does not take an argument"],
    ["an empty path", ["-S", ""], "Option '--vdagentd-socket' is empty"],
  ])("%s", (_, args, told) => {
    for (const name of ["spice-vdagentd", "spice-vdagent"]) {
      const program = named(name);
      expect(() => program.parse(args)).toThrow(new ConfigError(`${told}: see ${name} --help`));
    }
  });

  test("end the daemon with 1 and the session with 255", () => {
    expect([named("spice-vdagentd").wrongWords, named("spice-vdagent").wrongWords]).toEqual([1, 255]);
  });
});

describe("row 90: --help", () => {
  test.each([
    ["spice-vdagentd", ["d", "s", "S", "u", "f", "x", "o", "X", "h"]],
    ["spice-vdagent", ["d", "s", "S", "x", "f", "o", "y", "h"]],
  ])("of %s tells every option, and the version, where others look for them", (name, shorts) => {
    for (const asked of ["-h", "--help"]) {
      const { line } = named(name).parse(["-x", asked, "-S", "/s"]);
      if (line.command !== "help") throw new Error("no help");
      for (const short of shorts) expect(line.text).toMatch(new RegExp(`^ {2}-${short}, --\\S`, "m"));
      expect(line.text).toMatch(/^Version: \S+$/m);
      expect(line.text).toMatch(/\n$/);
    }
  });
});

test("the daemon's control socket may be none", () => {
  expect(parseCommandLine(["daemon", "--control", "none"])).toEqual({
    command: "daemon",
    options: { control: "none" },
  });
  expect(() => parseCommandLine(["status", "--control", "none"])).toThrow(ConfigError);
});
