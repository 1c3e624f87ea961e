import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { saveFolder } from "../../../../src/desktop/downloads/save-folder.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "home-"));
  mkdirSync(join(home, ".config"));
});

afterEach(() => rmSync(home, { recursive: true }));

const folder = (choice: string, env = {}): Promise<string> => saveFolder(choice, { HOME: home, ...env });

describe("row 78: the folder", () => {
  test.each([
    ["nothing is configured", "", "Downloads"],
    ["below the home folder", 'XDG_DOWNLOAD_DIR="$HOME/In"', "In"],
    ["with blanks and an escape", '  XDG_DOWNLOAD_DIR = "$HOME/a \\"b\\" \\$c"', 'a "b" $c'],
    ["the last counts", 'XDG_DOWNLOAD_DIR="$HOME/1"\nXDG_DOWNLOAD_DIR="$HOME/2"', "2"],
    ["another's", 'XDG_DESKTOP_DIR="$HOME/In"', "Downloads"],
    ["a comment", '#XDG_DOWNLOAD_DIR="$HOME/In"', "Downloads"],
    ["the home folder itself stands for none", 'XDG_DOWNLOAD_DIR="$HOME/"', "Downloads"],
    ["and so does one that is not absolute", 'XDG_DOWNLOAD_DIR="In"', "Downloads"],
    ["or that a shell would have to make out", 'XDG_DOWNLOAD_DIR="$(reboot)"', "Downloads"],
    ["or another variable", 'XDG_DOWNLOAD_DIR="$HOMER/x"', "Downloads"],
  ])("%s", async (_, text, name) => {
    writeFileSync(join(home, ".config/user-dirs.dirs"), `# a comment\n${text}\n`);
    expect(await folder("xdg-download")).toBe(join(home, name));
  });

  test("an absolute one, and the desktop", async () => {
    const text = 'XDG_DOWNLOAD_DIR="/srv/in/"\nXDG_DESKTOP_DIR="$HOME/Schreibtisch"\n';
    writeFileSync(join(home, ".config/user-dirs.dirs"), text);
    expect(await folder("xdg-download")).toBe("/srv/in");
    expect(await folder("xdg-desktop")).toBe(join(home, "Schreibtisch"));
  });

  test("where the user's configuration is elsewhere", async () => {
    mkdirSync(join(home, "conf"));
    writeFileSync(join(home, "conf/user-dirs.dirs"), 'XDG_DOWNLOAD_DIR="$HOME/In"');
    expect(await folder("xdg-download", { XDG_CONFIG_HOME: join(home, "conf") })).toBe(join(home, "In"));
  });

  test.each([
    ["~/In/here", "In/here"],
    ["/srv/in", "/srv/in"],
    ["constructor", undefined],
  ])("%s", async (choice, expected) => {
    const found = await folder(choice);
    if (expected === undefined) expect(found).toBe(join(process.cwd(), choice));
    else expect(found).toBe(expected.startsWith("/") ? expected : join(home, expected));
  });
});
