// A port that is a character device, on a pty that stands in for a serial line: the same code that holds a virtio port.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PortError } from "../../src/support/errors.ts";
import { openPort } from "../../src/system/ports/open-port.ts";
import { FakeHost } from "../fakes/fake-host.ts";
import { startAgent } from "./peers/agent.ts";
import { sleep } from "./peers/until.ts";
import { rawPty } from "./raw-pty.ts";

const never = new AbortController().signal;

class Gathered {
  readonly #pieces: Buffer[] = [];
  length = 0;

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  add(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
    this.length += piece.length;
  }
}

test("every byte value passes a character device both ways, in any amount", async () => {
  await using pty = await rawPty();
  await using port = await openPort(pty.path, never);
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index & 0xff));
  const [there, back] = [new Gathered(), new Gathered()];
  port.stream.on("data", (piece: Buffer) => there.add(piece));
  pty.master.onData((piece) => back.add(piece));
  port.stream.write(bytes);
  await expect.poll(() => back.length, { timeout: 10_000 }).toBe(bytes.length);
  // The library's end of the line blocks while the line is full, so it is given no more than fits.
  for (let at = 0; at < bytes.length; at += 2048) {
    pty.master.write(bytes.subarray(at, at + 2048));
    while (there.length < Math.min(at + 2048, bytes.length)) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(there.bytes.equals(bytes) && back.bytes.equals(bytes)).toBe(true);
});

test("a device that hangs up ends the stream with 'close'", async () => {
  const pty = await rawPty();
  await using port = await openPort(pty.path, never);
  port.stream.resume();
  const closed = once(port.stream, "close");
  await pty[Symbol.asyncDispose]();
  await closed;
});

test("a port with a read outstanding is closed at once", async () => {
  await using pty = await rawPty();
  const port = await openPort(pty.path, never);
  port.stream.resume();
  await sleep(50);
  const startMs = performance.now();
  await port[Symbol.asyncDispose]();
  expect(performance.now() - startMs).toBeLessThan(500);
});

test("a port whose host does not read is closed with a write outstanding, and nothing is thrown", async () => {
  await using pty = await rawPty();
  const port = await openPort(pty.path, never);
  pty.master.pause();
  port.stream.on("error", () => {});
  port.stream.write(Buffer.alloc(5_000_000));
  await sleep(100);
  const startMs = performance.now();
  await Promise.all([port[Symbol.asyncDispose](), port[Symbol.asyncDispose]()]);
  expect(performance.now() - startMs).toBeLessThan(1000);
});

test.each([
  ["/nonexistent/device", "port.missing"],
  ["/etc/hostname", "port.not-a-port"],
])("%s is no port: %s", async (path, code) => {
  const failure = await openPort(path, never).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PortError);
  expect((failure as PortError).code).toBe(code);
});

test("the agent works on a character device, and ends in under 2 s with a read outstanding", async () => {
  await using pty = await rawPty();
  await using agent = await startAgent(["run", "--uinput", "none", "--port", pty.path]);
  await agent.untilLogged(/port: open/);
  const host = new FakeHost(pty.duplex);
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(host.violations).toEqual([]);
  const before = voluntarySwitches(agent.pid);
  await sleep(1000);
  expect(voluntarySwitches(agent.pid) - before).toBeLessThan(50);
  const startMs = performance.now();
  agent.process.signal("SIGTERM");
  expect(await agent.process.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - startMs).toBeLessThan(2000);
});

function voluntarySwitches(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
