import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SessionEffects } from "../../../src/programs/session-effects.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { DisplayConfigFlag } from "../../../src/wire/display-config.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let dir: TempDir;

beforeEach(() => {
  dir = makeTempDir("session-effects");
  vi.stubEnv("XDG_STATE_HOME", dir.join("state"));
  vi.stubEnv("PATH", `${dir.path}:${process.env.PATH}`);
  const gsettings = dir.join("gsettings");
  writeFileSync(gsettings, `#!/bin/sh\necho "$@" >> '${dir.join("calls")}'\n[ "$1" = set ] || echo "'zoom'"\n`);
  chmodSync(gsettings, 0o755);
});
afterEach(() => {
  vi.unstubAllEnvs();
  dir[Symbol.dispose]();
});

const SET = "set org.gnome.desktop.background picture-options";
const changes = (): string[] =>
  readFileSync(dir.join("calls"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("set"));

test("an X server that comes back does not bring back what this viewer has switched off; its leaving does", async () => {
  const effects = new SessionEffects({
    isEnabled: true,
    windowManager: async () => "GNOME Shell",
    clock: systemClock,
    log: recordingLog().log,
  });
  await effects.desktopConnected();
  await effects.request(
    { kind: "effects-request", requestId: 1, flags: DisplayConfigFlag.DISABLE_WALLPAPER },
    undefined,
  );
  await effects.desktopConnected();
  expect(changes()).toEqual([`${SET} 'none'`]);
  await effects[Symbol.asyncDispose]();
  expect(changes()).toEqual([`${SET} 'none'`, `${SET} 'zoom'`]);
});
