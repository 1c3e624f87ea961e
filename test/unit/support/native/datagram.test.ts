// Datagrams to a real unix socket.
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { datagramSender } from "../../../../src/support/native/datagram.ts";
import { notifySocket } from "../../../fakes/notify-socket.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let folder: TempDir;

beforeAll(() => {
  folder = makeTempDir("datagram");
});

afterAll(() => folder?.[Symbol.dispose]());

test.each([
  ["a path", () => folder.join("socket")],
  ["an abstract name", () => `@tsvdagent-test-${randomUUID()}`],
])("what is sent to %s arrives, each datagram by itself", async (_, addressOf) => {
  const address = addressOf();
  await using peer = await notifySocket(address);
  const send = await datagramSender(address);
  send("READY=1\nSTATUS=näher");
  send("STOPPING=1");
  expect(await peer.untilReceived(2)).toEqual(["READY=1\nSTATUS=näher", "STOPPING=1"]);
  expect(existsSync(address)).toBe(!address.startsWith("@"));
});

test("nobody there is an error with its reason, and leaves no descriptor behind", async () => {
  const send = await datagramSender(folder.join("nobody"));
  const before = readdirSync("/proc/self/fd").length;
  for (let count = 0; count < 50; count += 1) {
    expect(() => send("READY=1")).toThrow(
      expect.objectContaining({ name: "BackendError", code: "native.failed", message: "sendto: ENOENT" }),
    );
  }
  expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 10);
});

test("an address that is too long is an error", async () => {
  const send = await datagramSender(`/${"x".repeat(200)}`);
  expect(() => send("READY=1")).toThrow("sendto: EINVAL");
});

test("a receiver that takes nothing holds us up for half a second, not for ever", async () => {
  const address = folder.join("deaf");
  await using _peer = await notifySocket(address, "deaf");
  const send = await datagramSender(address);
  const beganMs = performance.now();
  expect(() => {
    for (let count = 0; count < 10_000; count += 1) send("WATCHDOG=1");
  }).toThrow("sendto: EAGAIN");
  const tookMs = performance.now() - beganMs;
  expect(tookMs).toBeGreaterThan(400);
  expect(tookMs).toBeLessThan(3000);
});
