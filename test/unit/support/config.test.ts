// The configuration as a person writes it: what it amounts to, and what they are told when it is wrong.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultConfig, narrowedByUser, readConfig } from "../../../src/support/config.ts";
import { ConfigError } from "../../../src/support/errors.ts";

let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsvdagent-config-"));
  file = join(folder, "config.toml");
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string): ReturnType<typeof readConfig> {
  await writeFile(file, text);
  return readConfig(file, true);
}

/** What a person is told, with the path of this machine taken out. */
async function fault(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.replace(file, "FILE").replace(folder, "FOLDER");
  }
  throw new Error("nothing wrong with it");
}

test("what is not written is as shipped: everything on that is built, PRIMARY included", () => {
  expect(defaultConfig).toEqual({
    log: { level: "info" },
    port: { path: "/dev/virtio-ports/com.redhat.spice.0" },
    clipboard: {
      enabled: true,
      primary: true,
      direction: "both",
      types: ["text", "png", "bmp", "tiff", "jpeg", "files"],
      "max-host-to-guest-mib": 1023,
      "max-guest-to-host-mib": 1023,
      "mark-received": false,
    },
    display: { resize: true, effects: true, dpi: false },
    volume: { sync: true },
    files: { enabled: true, "save-dir": "xdg-download" },
    "shared-folder": { enabled: true, mount: true, path: "Shared", bookmark: true, announce: false },
    "guest-share": { enabled: true, folders: [], writable: false, port: 0 },
    pointer: { device: "/dev/uinput" },
    compat: { version: "" },
  });
});

describe("spellings", () => {
  const off = { ...defaultConfig, clipboard: { ...defaultConfig.clipboard, primary: false } };
  test.each([
    ["nothing at all", "", defaultConfig],
    ["only a comment", "# nothing\n", defaultConfig],
    ["a table", "[clipboard]\nprimary = false\n", off],
    ["a dotted key", "clipboard.primary = false", off],
    ["a dotted key with blanks and quotes", '"clipboard" . primary = false', off],
    ["an inline table", "clipboard = { primary = false }", off],
    ["an empty table", "[clipboard]\n[display]\n", defaultConfig],
    ["lines of another system", "[clipboard]\r\nprimary = false\r\n", off],
    [
      "every key",
      '[log]\nlevel = "debug"\n[port]\npath = "/run/x"\n[pointer]\ndevice = "fifo:/run/y"\n[display]\nresize = false\neffects = false\ndpi = true\n[clipboard]\nenabled = false\nprimary = false\ndirection = "host-to-guest"\ntypes = [\n  "text",\n]\nmax-host-to-guest-mib = 1_000\nmax-guest-to-host-mib = 0x10\nmark-received = true\n[volume]\nsync = false\n[files]\nenabled = false\nsave-dir = "~/In"\n[shared-folder]\nenabled = false\nmount = false\npath = "a b/c"\nbookmark = false\nannounce = true\n[guest-share]\nenabled = false\nfolders = ["~/Public", "/srv"]\nwritable = true\nport = 8080\n[compat]\nversion = "0.22.1"',
      {
        log: { level: "debug" },
        port: { path: "/run/x" },
        clipboard: {
          enabled: false,
          primary: false,
          direction: "host-to-guest",
          types: ["text"],
          "max-host-to-guest-mib": 1000,
          "max-guest-to-host-mib": 16,
          "mark-received": true,
        },
        display: { resize: false, effects: false, dpi: true },
        volume: { sync: false },
        files: { enabled: false, "save-dir": "~/In" },
        "shared-folder": { enabled: false, mount: false, path: "a b/c", bookmark: false, announce: true },
        "guest-share": { enabled: false, folders: ["~/Public", "/srv"], writable: true, port: 8080 },
        pointer: { device: "fifo:/run/y" },
        compat: { version: "0.22.1" },
      },
    ],
  ])("%s", async (_, text, config) => {
    expect(await read(text)).toEqual(config);
  });

  test.each(["none", "/dev/uinput", "fifo:/run/pointer"])("pointer device %s", async (device) => {
    expect((await read(`pointer.device = "${device}"`)).pointer.device).toBe(device);
  });

  test.each(["error", "warn", "info", "debug"])("log level %s", async (level) => {
    expect((await read(`[log]\nlevel = "${level}"`)).log.level).toBe(level);
  });

  test.each(["", "0.22.1", "0.23.0-rc1+deb12~1", "v".repeat(64)])("version for session agents %j", async (version) => {
    expect((await read(`[compat]\nversion = "${version}"`)).compat.version).toBe(version);
  });
});

describe("a fault names the file, the line, the key, the value and what is allowed", () => {
  const clipboardKeys =
    "known are enabled, primary, direction, types, max-host-to-guest-mib, max-guest-to-host-mib, mark-received";
  const types = 'a list of at most 6, each "text" or "png" or "bmp" or "tiff" or "jpeg" or "files"';
  const tables = "known are log, port, clipboard, display, volume, files, shared-folder, guest-share, pointer, compat";
  test.each([
    ["an unknown table", "\n[clipbord]\nenabled = true", `FILE:2: unknown table [clipbord]: ${tables}`],
    ["an unknown table in a dotted key", "\n\nclipbord.enabled = true", `FILE:3: unknown table [clipbord]: ${tables}`],
    ["an unknown table inline", "clipbord = {}", `FILE:1: unknown table [clipbord]: ${tables}`],
    ["a key without a table", "enabled = true", `FILE:1: unknown table [enabled]: ${tables}`],
    ["a table that every object has", "[constructor]", `FILE:1: unknown table [constructor]: ${tables}`],
    ["another of that kind", "[__proto__]", `FILE:1: unknown table [__proto__]: ${tables}`],
    [
      "an unknown key",
      "[clipboard]\n# hm\nprimry = false",
      `FILE:3: unknown key clipboard.primry = false: ${clipboardKeys}`,
    ],
    [
      "a key that every object has",
      "[clipboard]\ntoString = 1",
      `FILE:2: unknown key clipboard.toString = 1: ${clipboardKeys}`,
    ],
    [
      "a table in a table",
      "[clipboard]\n[clipboard.primary.more]",
      'FILE:2: clipboard.primary = {"more":{}}: allowed is true or false',
    ],
    [
      "a value where a table is expected",
      "clipboard = true",
      "FILE:1: clipboard = true: a table [clipboard] is expected",
    ],
    [
      "a list of tables",
      "[[clipboard]]\nprimary = true",
      'FILE:1: clipboard = [{"primary":true}]: a table [clipboard] is expected',
    ],
    [
      "a date where a table is expected",
      "clipboard = 1979-05-27",
      'FILE:1: clipboard = "1979-05-27": a table [clipboard] is expected',
    ],
    ["text for a switch", '[clipboard]\nprimary = "no"', 'FILE:2: clipboard.primary = "no": allowed is true or false'],
    ["a number for a switch", "[clipboard]\nenabled = 0", "FILE:2: clipboard.enabled = 0: allowed is true or false"],
    [
      "no number for a switch",
      "[clipboard]\nenabled = nan",
      "FILE:2: clipboard.enabled = nan: allowed is true or false",
    ],
    ["a switch for text", "[port]\npath = true", "FILE:2: port.path = true: allowed is an absolute path"],
    [
      "a relative path",
      '[port]\npath = "dev/vport0p1"',
      'FILE:2: port.path = "dev/vport0p1": allowed is an absolute path',
    ],
    ["an empty path", '[port]\npath = ""', 'FILE:2: port.path = "": allowed is an absolute path'],
    [
      "a pointer that is nothing known",
      '[pointer]\ndevice = "mouse"',
      'FILE:2: pointer.device = "mouse": allowed is an absolute path, fifo: and an absolute path, or none',
    ],
    [
      "a level there is not",
      '[log]\nlevel = "loud"',
      'FILE:2: log.level = "loud": allowed is "error", "warn", "info", "debug"',
    ],
    [
      "a level in capitals",
      '[log]\nlevel = "INFO"',
      'FILE:2: log.level = "INFO": allowed is "error", "warn", "info", "debug"',
    ],
    ["a number for a level", "[log]\nlevel = 7", 'FILE:2: log.level = 7: allowed is "error", "warn", "info", "debug"'],
    [
      "a list for a level",
      '[log]\nlevel = ["info"]',
      'FILE:2: log.level = ["info"]: allowed is "error", "warn", "info", "debug"',
    ],
    [
      "a version of two words",
      '[compat]\nversion = "0.22.1 beta"',
      'FILE:2: compat.version = "0.22.1 beta": allowed is a version like 0.22.1, or nothing',
    ],
    [
      "a version longer than any",
      `[compat]\nversion = "${"1".repeat(65)}"`,
      `FILE:2: compat.version = "${"1".repeat(65)}": allowed is a version like 0.22.1, or nothing`,
    ],
    [
      "a direction there is not",
      '[clipboard]\ndirection = "in"',
      'FILE:2: clipboard.direction = "in": allowed is "both", "host-to-guest", "guest-to-host", "off"',
    ],
    [
      "a size of nothing",
      "[clipboard]\nmax-host-to-guest-mib = 0",
      "FILE:2: clipboard.max-host-to-guest-mib = 0: allowed is a whole number from 1 to 1023",
    ],
    [
      "a size beyond any",
      "[clipboard]\nmax-guest-to-host-mib = 1024",
      "FILE:2: clipboard.max-guest-to-host-mib = 1024: allowed is a whole number from 1 to 1023",
    ],
    [
      "a broken size",
      "[clipboard]\nmax-host-to-guest-mib = 1.5",
      "FILE:2: clipboard.max-host-to-guest-mib = 1.5: allowed is a whole number from 1 to 1023",
    ],
    [
      "a size that is none",
      "[clipboard]\nmax-host-to-guest-mib = inf",
      "FILE:2: clipboard.max-host-to-guest-mib = Infinity: allowed is a whole number from 1 to 1023",
    ],
    [
      "a size in words",
      '[clipboard]\nmax-host-to-guest-mib = "10"',
      'FILE:2: clipboard.max-host-to-guest-mib = "10": allowed is a whole number from 1 to 1023',
    ],
    [
      "a type in place of a list",
      '[clipboard]\ntypes = "text"',
      `FILE:2: clipboard.types = "text": allowed is ${types}`,
    ],
    [
      "a list with one type there is not",
      '[clipboard]\ntypes = [\n  "text",\n  "gif",\n]',
      `FILE:2: clipboard.types = ["text","gif"]: allowed is ${types}`,
    ],
    ["a list of numbers", "[clipboard]\ntypes = [1]", `FILE:2: clipboard.types = [1]: allowed is ${types}`],
    [
      "a list that is too long",
      `clipboard.types = [${Array(7).fill('"text"').join(",")}]`,
      `FILE:1: clipboard.types = [${Array(7).fill('"text"').join(",")}]: allowed is ${types}`,
    ],
    [
      "in a dotted key",
      "display.resize = false\nclipboard.primary = 3",
      "FILE:2: clipboard.primary = 3: allowed is true or false",
    ],
    [
      "in a dotted key with blanks",
      "display.resize = false\nclipboard . primary = 3",
      "FILE:2: clipboard.primary = 3: allowed is true or false",
    ],
    ["in an inline table", "\nclipboard = { primary = 3 }", "FILE:2: clipboard.primary = 3: allowed is true or false"],
    [
      "under a header with blanks and a comment",
      '[ "clipboard" ] # mine\n  primary = 3 # hm',
      "FILE:2: clipboard.primary = 3: allowed is true or false",
    ],
    [
      "after a comment that looks like it",
      "[clipboard]\n# primary = true\nprimary = 3",
      "FILE:3: clipboard.primary = 3: allowed is true or false",
    ],
    [
      "the same name under another table",
      "[display]\nresize = true\n[clipboard]\nresize = true",
      `FILE:4: unknown key clipboard.resize = true: ${clipboardKeys}`,
    ],
  ])("%s", async (_, text, told) => {
    // TOML's own word for no number is another than JavaScript's.
    expect((await fault(read(text))).replace("NaN", "nan")).toBe(told);
  });

  test.each([
    ["a line that is none", "[log]\nlevel = \n", /^FILE:2: \S/],
    ["a header that is not closed", '\n\n[log\nlevel = "info"', /^FILE:3: \S/],
    ["a word without quotes", "[log]\n\n\nlevel = info", /^FILE:4: \S/],
    ["a key twice", '[log]\nlevel = "info"\nlevel = "debug"', /^FILE:3: \S/],
    ["a table twice", "[log]\n[port]\n[log]", /^FILE:3: \S/],
    ["a number that is too large to be one", "[log]\nlevel = 99999999999999999999", /^FILE:2: \S/],
  ])("no TOML: %s", async (_, text, told) => {
    const message = await fault(read(text));
    expect(message).toMatch(told);
    expect(message).not.toContain("\n");
  });
});

describe("files", () => {
  test("one that may be missing and is missing says nothing", async () => {
    expect(await readConfig(join(folder, "none.toml"), false)).toBe(defaultConfig);
  });

  test("one that was asked for and is missing is a fault", async () => {
    expect(await fault(readConfig(join(folder, "none.toml"), true))).toBe("FOLDER/none.toml: cannot be read: ENOENT");
  });

  test.each([true, false])("a folder in its place is a fault (asked for: %s)", async (required) => {
    await mkdir(join(folder, "dir.toml"), { recursive: true });
    expect(await fault(readConfig(join(folder, "dir.toml"), required))).toBe("FOLDER/dir.toml: cannot be read: EISDIR");
  });
});

describe("a user's own file only takes away", () => {
  async function narrowed(system: string, user: string): ReturnType<typeof readConfig> {
    const config = await read(system);
    await writeFile(file, user);
    return narrowedByUser(config, file);
  }

  test.each([
    ["a user switches off", "", "[clipboard]\nprimary = false", { primary: false }],
    ["a user's true changes nothing", "", "[clipboard]\nprimary = true", {}],
    ["a user cannot switch on", "clipboard.enabled = false", "[clipboard]\nenabled = true", { enabled: false }],
    [
      "nor off what is off",
      "clipboard.enabled = false",
      "[clipboard]\nenabled = false\nprimary = false",
      { enabled: false, primary: false },
    ],
    ["an empty file changes nothing", "clipboard.primary = false", "", { primary: false }],
    ["a smaller size", "", "clipboard.max-host-to-guest-mib = 3", { "max-host-to-guest-mib": 3 }],
    [
      "a larger size changes nothing",
      "clipboard.max-host-to-guest-mib = 3",
      "clipboard.max-host-to-guest-mib = 4",
      { "max-host-to-guest-mib": 3 },
    ],
    ["fewer types, in the system's order", "", 'clipboard.types = ["png", "text"]', { types: ["text", "png"] }],
    [
      "no type beside the system's",
      'clipboard.types = ["text"]',
      'clipboard.types = ["png", "text"]',
      { types: ["text"] },
    ],
    ["no type at all", "", "clipboard.types = []", { types: [] }],
    ["marks what is received", "", "clipboard.mark-received = true", { "mark-received": true }],
    [
      "leaves no mark away",
      "clipboard.mark-received = true",
      "clipboard.mark-received = false",
      { "mark-received": true },
    ],
    ["one direction", "", 'clipboard.direction = "host-to-guest"', { direction: "host-to-guest" }],
    [
      "both directions change nothing",
      'clipboard.direction = "host-to-guest"',
      'clipboard.direction = "both"',
      { direction: "host-to-guest" },
    ],
    [
      "the other direction leaves none",
      'clipboard.direction = "host-to-guest"',
      'clipboard.direction = "guest-to-host"',
      { direction: "off" },
    ],
    ["off stays off", 'clipboard.direction = "off"', 'clipboard.direction = "guest-to-host"', { direction: "off" }],
  ])("%s", async (_, system, user, clipboard) => {
    const config = await narrowed(system, user);
    expect(config.clipboard).toEqual({ ...defaultConfig.clipboard, ...clipboard });
    expect({ ...config, clipboard: defaultConfig.clipboard }).toEqual(defaultConfig);
  });

  test("a missing one changes nothing", async () => {
    expect(await narrowedByUser(defaultConfig, join(folder, "none.toml"))).toBe(defaultConfig);
  });

  test("resizing may be switched off", async () => {
    expect((await narrowed("", "display.resize = false")).display.resize).toBe(false);
    expect(defaultConfig.display.resize).toBe(true);
  });

  test("the volume may be switched off, and not on", async () => {
    expect((await narrowed("", "volume.sync = false")).volume.sync).toBe(false);
    expect((await narrowed("volume.sync = false", "volume.sync = true")).volume.sync).toBe(false);
    expect(defaultConfig.volume.sync).toBe(true);
  });

  test("files may be switched off, and not on, and go where the user says", async () => {
    expect((await narrowed("", "files.enabled = false")).files.enabled).toBe(false);
    expect((await narrowed("files.enabled = false", "files.enabled = true")).files.enabled).toBe(false);
    expect((await narrowed('files.save-dir = "/srv/in"', 'files.save-dir = "~/In"')).files["save-dir"]).toBe("~/In");
  });

  test.each([
    ["the port", '\n[port]\npath = "/dev/null"', "FILE:3: port.path: only the system's configuration may set it"],
    ["the pointer", 'pointer.device = "none"', "FILE:1: pointer.device: only the system's configuration may set it"],
    ["the log", '[log]\nlevel = "debug"', "FILE:2: log.level: only the system's configuration may set it"],
    [
      "the version for session agents",
      'compat.version = "0.22.1"',
      "FILE:1: compat.version: only the system's configuration may set it",
    ],
    ["a wrong value", "[clipboard]\nprimary = 1", "FILE:2: clipboard.primary = 1: allowed is true or false"],
  ])("%s is a fault", async (_, user, told) => {
    expect(await fault(narrowed("", user))).toBe(told);
  });
});
