import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DesktopEffects } from "../../../../src/desktop/display/desktop-effects.ts";
import { DisplayConfigFlag } from "../../../../src/wire/display-config.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";
import { complaint, done, type RecordedCommands, recordedCommands } from "../volume/recorded-commands.ts";

const { DISABLE_WALLPAPER } = DisplayConfigFlag;
const said = (stdout: string) => ({ ...done, stdout });

let dir: TempDir;

beforeEach(() => {
  dir = makeTempDir("effects");
});
afterEach(() => dir[Symbol.dispose]());

function effectsOf({ run }: RecordedCommands, windowManager = "GNOME Shell"): DesktopEffects {
  return new DesktopEffects({
    run,
    windowManager: async () => windowManager,
    path: dir.join("state/switched-off.json"),
    log: recordingLog().log,
    signal: new AbortController().signal,
  });
}

const SET = "gsettings set org.gnome.desktop.background picture-options";
const GET = "gsettings get org.gnome.desktop.background picture-options";

describe("what a viewer can do without", () => {
  test("is tried again when it could not be switched off the first time", async () => {
    const tools = recordedCommands(said("'zoom'\n"), complaint(1, "no bus"), said("'zoom'\n"), done);
    const effects = effectsOf(tools);
    await expect(effects.request(DISABLE_WALLPAPER)).rejects.toThrow("no bus");
    await effects.request(DISABLE_WALLPAPER);
    expect(tools.calls).toEqual([GET, `${SET} 'none'`, GET, `${SET} 'none'`]);
    await effects.restore();
    expect(tools.calls.at(-1)).toBe(`${SET} 'zoom'`);
  });

  test("is put back by the next agent when this one is killed, once", async () => {
    const path = dir.join("state/switched-off.json");
    await effectsOf(recordedCommands(said("'zoom'\n"))).request(DISABLE_WALLPAPER);
    const left = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...left, boot: "another" }));
    const tools = recordedCommands();
    await effectsOf(tools).restoreLeft();
    expect(tools.calls).toEqual([`${SET} 'zoom'`]);
    expect(existsSync(path)).toBe(false);
  });

  test("is left alone while the one that switched it off lives", async () => {
    const path = dir.join("state/switched-off.json");
    await effectsOf(recordedCommands(said("'zoom'\n"))).request(DISABLE_WALLPAPER);
    const left = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...left, pid: process.ppid }));
    const tools = recordedCommands();
    await effectsOf(tools).restoreLeft();
    expect(tools.calls).toEqual([]);
  });

  test.each(["", "[]", "{", '{"pid":1,"settings":[{"setting":{"tool":"rm"}}]}'])(
    "a file that says nothing of it is passed over: %s",
    async (text) => {
      await effectsOf(recordedCommands(said("'zoom'\n"))).request(DISABLE_WALLPAPER);
      writeFileSync(dir.join("state/switched-off.json"), text);
      const tools = recordedCommands();
      await effectsOf(tools).restoreLeft();
      expect(tools.calls).toEqual([]);
    },
  );

  test("Cinnamon, whose window manager is a Mutter by name, is not taken for GNOME", async () => {
    const tools = recordedCommands();
    const request = effectsOf(tools, "Mutter (Muffin)").request(DISABLE_WALLPAPER);
    await expect(request).rejects.toThrow("no settings known of Mutter (Muffin)");
    expect(tools.calls).toEqual([]);
  });
});
