// How often a port is tried, and when: with time that stands still.
import { Duplex, duplexPair } from "node:stream";
import { expect, test } from "vitest";
import { PortError } from "../../../../src/support/errors.ts";
import { ReopeningPort } from "../../../../src/system/ports/reopening-port.ts";
import { settled } from "../../../fakes/daemon.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

function portOn(open: () => Promise<unknown>) {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const seen: string[] = [];
  const handlers = {
    opened: () => seen.push("opened"),
    data: (bytes: Uint8Array) => {
      if (bytes[0] === 0xff) throw new PortError("port.protocol", "nonsense");
      seen.push(`data ${bytes.length}`);
    },
    closed: () => seen.push("closed"),
  };
  const port = new ReopeningPort(open as never, handlers as never, clock, log);
  queueMicrotask(() => port.start());
  return { port, clock, lines, seen };
}

function pair() {
  const [guest, host] = duplexPair();
  host.on("error", () => {});
  return { host, opened: { stream: guest, [Symbol.asyncDispose]: async () => void guest.destroy() } };
}

test("a port that is not there is tried with pauses that double up to 2 s, and said so", async () => {
  const triesMs: number[] = [];
  const { port, clock, lines } = portOn(async () => {
    triesMs.push(clock.nowMs());
    throw new PortError("port.missing", "/dev/x is not there");
  });
  for (let step = 0; step < 1000; step += 1) {
    await settled(2);
    clock.advance(10);
  }
  const pauses = triesMs.slice(-3).map((at, index, all) => at - (all[index - 1] ?? at));
  expect(pauses.slice(1)).toEqual([2000, 2000]);
  expect(triesMs.slice(0, 8)).toEqual([0, 10, 30, 70, 150, 310, 630, 1270]);
  expect(lines[0]).toBe("warn: port.missing: /dev/x is not there: trying again");
  expect(lines.length).toBeLessThan(5);
  await port[Symbol.asyncDispose]();
  expect(clock.waiting).toBe(0);
});

test("after a host has shown that it is one, the first pause is short again", async () => {
  const opened = [pair(), pair(), pair()];
  let count = 0;
  const { port, clock } = portOn(async () => opened[count++]?.opened);
  for (const { host } of opened.slice(0, 2)) {
    await settled();
    port.confirm();
    host.destroy();
    opened[count - 1]?.opened.stream.destroy();
    await settled();
    clock.advance(50);
  }
  await settled();
  expect(count).toBe(3);
  await port[Symbol.asyncDispose]();
});

test("nonsense from the host closes the port; nothing more of it is heard", async () => {
  const first = pair();
  const second = pair();
  const { port, clock, seen } = portOn(async () => (seen.includes("opened") ? second.opened : first.opened));
  await settled();
  first.host.write(Uint8Array.of(1, 2, 3));
  first.host.write(Uint8Array.of(0xff));
  first.host.write(Uint8Array.of(4));
  await settled();
  clock.advance(50);
  await settled();
  expect(seen).toEqual(["opened", "data 3", "closed", "opened"]);
  await port[Symbol.asyncDispose]();
});

test("a port held for a moment delivers what came meanwhile", async () => {
  const { host, opened } = pair();
  const { port, clock, seen } = portOn(async () => opened);
  await settled();
  port.hold(20);
  host.write(Uint8Array.of(1));
  await settled();
  expect(seen).toEqual(["opened"]);
  clock.advance(20);
  await settled();
  expect(seen).toEqual(["opened", "data 1"]);
  await port[Symbol.asyncDispose]();
});

test("a port that is closed while it is held leaves no timer", async () => {
  const { opened } = pair();
  const { port, clock } = portOn(async () => opened);
  await settled();
  port.hold(20);
  await port[Symbol.asyncDispose]();
  expect(clock.waiting).toBe(0);
});

test("pieces that are written together reach the stream in one write", async () => {
  const writes: string[] = [];
  const stream = new Duplex({
    read: () => {},
    writev: (chunks, done) => {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString());
      done();
    },
  });
  const { port } = portOn(async () => ({ stream, [Symbol.asyncDispose]: async () => void stream.destroy() }));
  await settled();
  port.write([Buffer.from("head "), Buffer.from("and "), Buffer.from("body")]);
  port.write([Buffer.from("alone")]);
  expect(writes).toEqual(["head and body", "alone"]);
  await port[Symbol.asyncDispose]();
});

test("what the host has taken is told, and what a port that was closed had is not", async () => {
  let take: (error?: Error) => void = () => {};
  const stream = new Duplex({
    read: () => {},
    write: (_chunk, _encoding, done) => {
      take = done;
    },
  });
  stream.on("error", () => {});
  const { port } = portOn(async () => ({ stream, [Symbol.asyncDispose]: async () => void stream.destroy() }));
  await settled();
  const taken: string[] = [];
  port.write([Buffer.from("one")], () => taken.push("one"));
  port.write([Buffer.from("two")], () => taken.push("two"));
  expect(taken).toEqual([]);
  take();
  await settled();
  expect(taken).toEqual(["one"]);
  take(new Error("gone"));
  await settled();
  expect(taken).toEqual(["one"]);
  await port[Symbol.asyncDispose]();
});

test("stopping while a port is being opened calls that off", async () => {
  let wasCalledOff = false;
  const open = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        wasCalledOff = true;
        reject(new PortError("port.failed", "called off"));
      });
    });
  const { port } = portOn(open as never);
  await settled();
  await port[Symbol.asyncDispose]();
  expect(wasCalledOff).toBe(true);
});
