// The system calls themselves, on what every machine has: a terminal answers requests as well as an input device.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { uinputSystem } from "../../../../src/support/native/uinput.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";

/** asm-generic/ioctls.h */
const TIOCGPTN = 0x8004_5430;
const TCFLSH = 0x540b;
/** Both queues, and no queue there is. */
const TCIOFLUSH = 2;
const NO_QUEUE = 7;

test("what is not there cannot be opened", async () => {
  await expect(uinputSystem().open("/nowhere/uinput")).rejects.toMatchObject({ code: "ENOENT" });
});

test("a request with a buffer is answered in it, one with a number is carried out", async () => {
  const system = uinputSystem();
  const fd = await system.open("/dev/ptmx");
  const number = Buffer.alloc(4, 0xff);
  system.ioctlBuffer(fd, TIOCGPTN, number);
  expect(number.readUInt32LE(0)).toBeLessThan(100_000);
  system.ioctlInt(fd, TCFLSH, TCIOFLUSH);
  expect(() => system.ioctlInt(fd, TCFLSH, NO_QUEUE)).toThrow("ioctl: EINVAL");
  system.close(fd);
});

test("a request that the device does not know is an error with its reason", async () => {
  const system = uinputSystem();
  const fd = await system.open("/dev/null");
  const failed = expect.objectContaining({ name: "BackendError", code: "native.failed", message: "ioctl: ENOTTY" });
  expect(() => system.ioctlInt(fd, 0x5501, 0)).toThrow(failed);
  expect(() => system.ioctlBuffer(fd, 0x405c_5503, Buffer.alloc(92))).toThrow(failed);
  system.close(fd);
  expect(() => system.write(fd, Buffer.alloc(24))).toThrow(expect.objectContaining({ code: "EBADF" }));
});

test("what is written arrives", async () => {
  using folder = makeTempDir("uinput");
  const path = folder.join("file");
  writeFileSync(path, "");
  const system = uinputSystem();
  const fd = await system.open(path);
  system.write(fd, Buffer.from("events"));
  system.close(fd);
  expect(readFileSync(path, "utf8")).toBe("events");
});
