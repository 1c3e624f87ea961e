import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { FifoPointer } from "../../../../src/system/pointer/fifo-pointer.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";
import { until } from "../../../integration/peers/until.ts";

const move = [{ type: 3, code: 0, value: 7 }];

test.each([
  ["a file", (path: string) => writeFile(path, "mine"), /is no FIFO/],
  ["a folder", async (path: string) => void execFileSync("mkdir", [path]), /EISDIR/],
])("%s is refused at the start: no pointer is promised", async (_, make, why) => {
  using dir = makeTempDir("fifo");
  const path = dir.join("pointer");
  await make(path);
  await using pointer = new FifoPointer(path, recordingLog().log);
  await expect(pointer.open()).rejects.toMatchObject({
    code: "pointer.unavailable",
    message: expect.stringMatching(why),
  });
});

test("one that is made later, as by an X server that starts after us, is taken then; until then it is told once", async () => {
  using dir = makeTempDir("fifo");
  const path = dir.join("pointer");
  const { log, lines } = recordingLog();
  await using pointer = new FifoPointer(path, log);
  await pointer.open();
  for (let again = 0; again < 3; again += 1) {
    expect(pointer.emit(move)).toBe(false);
    await pointer.open();
  }
  expect(lines.filter((line) => line.includes("waiting for it"))).toHaveLength(1);
  execFileSync("mkfifo", [path]);
  await using reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  await until("the pointer to be taken", async () => pointer.emit(move), 20_000);
  expect((await reader.read(Buffer.alloc(100))).bytesRead).toBeGreaterThan(0);
});
