// The shared folder's port as a character device, on a pty: read and written by edges, without a timer and without a spin.
// (A host that comes and goes on one descriptor is for a real virtio port: test/vm/shared-folder.test.ts.)
import { expect, test } from "vitest";
import { PortError } from "../../src/support/errors.ts";
import { openDeviceLine } from "../../src/system/ports/device-line.ts";
import { sleep, until } from "./peers/until.ts";
import { rawPty } from "./raw-pty.ts";

test("every byte value passes both ways, in any amount, and a writer that is told to wait is let on", async () => {
  await using pty = await rawPty();
  await using line = await openDeviceLine(pty.path);
  const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, index) => index & 0xff));
  const [there, back]: [Buffer[], Buffer[]] = [[], []];
  const count = (pieces: readonly Buffer[]): number => pieces.reduce((sum, { length }) => sum + length, 0);
  const told: string[] = [];
  pty.master.onData((piece) => back.push(Buffer.from(piece)));
  line.start({
    hostCame: () => told.push("came"),
    data: (piece) => there.push(Buffer.from(piece)),
    isHeld: () => false,
    hostLeft: () => told.push("left"),
    lost: () => told.push("lost"),
  });
  await until("the host", () => told.includes("came"), 5000);
  expect(line.write(bytes)).toBe(false);
  await line.drained();
  await until("all that was written", () => count(back) === bytes.length, 10_000);
  for (let at = 0; at < 100_000; at += 2000) {
    pty.master.write(bytes.subarray(at, at + 2000));
    await until("it to be read", () => count(there) === at + 2000, 5000, 1);
  }
  expect(Buffer.concat(back).equals(bytes)).toBe(true);
  expect(Buffer.concat(there).equals(bytes.subarray(0, 100_000))).toBe(true);

  line.pause();
  pty.master.write(Buffer.from("held back"));
  await sleep(100);
  expect(count(there)).toBe(100_000);
  line.resume();
  await until("what was held back", () => count(there) === 100_009, 5000);

  // Turns, and not time: a spin on a busy machine is slower, and no less a spin.
  const turns = (): number => performance.nodeTiming.uvMetricsInfo.loopCount;
  const before = turns();
  await sleep(500);
  expect(turns() - before).toBeLessThan(100);
  expect(told).toEqual(["came"]);
});

test("a device that is gone is told of once", async () => {
  const pty = await rawPty();
  await using line = await openDeviceLine(pty.path);
  const told: string[] = [];
  line.start({
    hostCame: () => told.push("came"),
    data: () => {},
    isHeld: () => false,
    hostLeft: () => told.push("left"),
    lost: (reason) => told.push(reason.name),
  });
  await until("the host", () => told.includes("came"), 5000);
  await pty[Symbol.asyncDispose]();
  await until("it to be gone", () => told.includes("left"), 5000);
  await sleep(100);
  expect(told.filter((what) => what === "left")).toHaveLength(1);
});

test("nothing at the path", async () => {
  const failure = await openDeviceLine("/dev/no-such-port").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PortError);
  expect(failure).toMatchObject({ code: "port.missing" });
});
