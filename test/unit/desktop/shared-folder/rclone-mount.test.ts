import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { mountRclone } from "../../../../src/desktop/shared-folder/rclone-mount.ts";
import { systemClock } from "../../../../src/support/clock.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";
import { until } from "../../../integration/peers/until.ts";

afterEach(() => vi.unstubAllEnvs());

test("a mount that is under way is called off: nothing of it is waited for, and nothing stays", async () => {
  using dir = makeTempDir("rclone");
  const pidFile = dir.join("pid");
  for (const [name, does] of [
    ["rclone", `echo $$ > '${pidFile}.new'; mv '${pidFile}.new' '${pidFile}'; exec sleep 100`],
    ["fusermount3", "exit 1"],
  ] as const) {
    writeFileSync(dir.join(name), `#!/bin/sh\n${does}\n`);
    chmodSync(dir.join(name), 0o755);
  }
  vi.stubEnv("PATH", `${dir.path}:${process.env.PATH}`);
  vi.stubEnv("INVOCATION_ID", "");
  const abort = new AbortController();
  const url = "http://127.0.0.1:1/";
  const options = { url, path: dir.join("Shared"), readOnly: false, clock: systemClock, signal: abort.signal };
  const called = expect(mountRclone(options)).rejects.toMatchObject({
    code: "mount.failed",
    message: expect.stringContaining("called off"),
  });
  await until("rclone to be started", () => existsSync(pidFile), 20_000);
  abort.abort();
  await called;
  expect(existsSync(`/proc/${readFileSync(pidFile, "utf8").trim()}`)).toBe(false);
});
