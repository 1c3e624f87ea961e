// An other end of the link that means ill: any user of the machine can be one. Memory stays flat; the link goes on, or is
// closed where the framing is lost, and nothing else is thrown.
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeLinkHeader, MAX_FRAME_DATA_BYTES } from "../../../../src/wire/link/frame.ts";
import { type LinkMessage, LinkType } from "../../../../src/wire/link/messages.ts";
import { SeededRandom } from "../../../fakes/hostile-bytes.ts";
import { memoryInUse } from "../../../fakes/memory-in-use.ts";
import { bytesOf as fixtureBytes } from "../../../fixtures/fixture.ts";
import { badLinkFrames, linkFrames } from "../../../fixtures/link-frames.ts";
import { bytesOf, connectedPair, End, failure, KIB, MIB, RawEnd, settled, until } from "./link-end.ts";

const HEADER_BYTES = 16;
/** What a test may keep of its own. */
const FLAT_BYTES = 12 * MIB;

const states = ["not greeted", "extended", "plain"] as const;
const firstWords: Readonly<Record<(typeof states)[number], readonly LinkMessage[]>> = {
  "not greeted": [],
  extended: [{ kind: "hello", extension: 1, version: "hostile" }],
  plain: [{ kind: "clipboard-release", selection: 0 }],
};

/** An end that forgets what it is told, so that only what the link keeps counts. */
async function hostileTo(state: (typeof states)[number]): Promise<{ end: End; raw: RawEnd }> {
  const [left, right] = connectedPair();
  const end = new End(left, "daemon");
  const raw = new RawEnd(right);
  raw.send(...firstWords[state]);
  await settled();
  expect(end.isReady).toBe(state !== "not greeted");
  end.takesBodies = false;
  end.onMessage = () => {
    end.messages.length = 0;
    end.calls.length = 0;
  };
  return { end, raw };
}

/** Whether it hears what it is told, after all that. */
async function hears(end: End, raw: RawEnd): Promise<boolean> {
  let heard = false;
  end.onMessage = (message) => {
    heard ||= message.kind === "clipboard-release" && message.selection === 2;
  };
  raw.send({ kind: "clipboard-release", selection: 2 });
  await until(() => heard || raw.isClosed);
  return heard;
}

it.each(states)("4 GiB in one frame, whatever its type, closes an end that is %s, at once", async (state) => {
  const before = memoryInUse();
  for (const type of new Set([...Object.values(LinkType), 8, 9, 10, 14, 77, 0xffffffff])) {
    const { end, raw } = await hostileTo(state);
    raw.raw(encodeLinkHeader({ type, arg1: 0, arg2: 1 }, 0xffffffff));
    raw.raw(new Uint8Array(64 * KIB));
    await until(() => raw.isClosed);
    expect(end.closed).toBe(1);
    expect(end.logged.lines).toEqual(["error: closing: too-large: link frame of 4294967295 bytes"]);
  }
  expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
});

describe.each(states)("to an end that is %s", (state) => {
  let end: End;
  let raw: RawEnd;

  beforeEach(async () => {
    ({ end, raw } = await hostileTo(state));
  });
  afterEach(() => end.link[Symbol.asyncDispose]());

  it("1 GiB of content nobody asked for may be promised; what comes of it is kept by nobody", async () => {
    const before = memoryInUse();
    raw.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: 0, arg2: 1 }, 1024 * MIB));
    for (let count = 0; count < 64; count++) {
      raw.raw(new Uint8Array(MIB));
      await settled();
    }
    expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
    expect(end.closed).toBe(0);
  });

  it("frames of types nobody knows are passed over, however many and large", async () => {
    const random = new SeededRandom(82);
    const before = memoryInUse();
    for (let count = 0; count < 500; count++) {
      const type = random.pick([8, 9, 10, 14, 0x0fff, 0x1003, 0x1014, 0x1022, 0xffffffff]);
      raw.frame({ type, arg1: random.u32(), arg2: random.u32(), data: new Uint8Array(MAX_FRAME_DATA_BYTES) });
      if (count % 50 === 0) await settled();
    }
    expect(await hears(end, raw)).toBe(true);
    expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
    expect(end.closed).toBe(0);
  });

  it("whole frames with anything in them, 25000 of them, leave it as it was", async () => {
    const random = new SeededRandom(83);
    const seeds = [...linkFrames, ...badLinkFrames].map(fixtureBytes).filter((bytes) => bytes.length < 2000);
    // Content may be promised by the gigabyte, and would swallow what comes behind it.
    const types = Object.values(LinkType).filter((type) => type !== LinkType.CLIPBOARD_DATA);
    const frame = (): Uint8Array => {
      const seed = random.pick(seeds);
      const bytes = random.below(3) === 0 ? seed.slice(0, HEADER_BYTES + random.below(seed.length)) : seed.slice();
      const view = new DataView(bytes.buffer);
      for (let times = random.below(4); times > 0; times--) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      }
      if (view.getUint32(0, true) === LinkType.CLIPBOARD_DATA || random.below(4) === 0)
        view.setUint32(0, random.pick(types), true);
      view.setUint32(12, bytes.length - HEADER_BYTES, true);
      return bytes;
    };
    const forget = (): void => {
      end.logged.lines.length = 0;
      raw.heard.length = 0;
    };
    // What is kept of questions and bodies is bounded, and there before it is looked at.
    let before = 0;
    for (let count = 0; count < 25_000; count++) {
      raw.raw(frame());
      if (count % 100 !== 0) continue;
      await settled();
      forget();
      if (count === 5000) before = memoryInUse();
    }
    await settled();
    forget();
    expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
    expect(end.closed).toBe(0);
    expect(await hears(end, raw)).toBe(true);
  }, 30_000);
});

it.each(["extended", "plain", "plain, amid content"] as const)(
  "whoever asks and asks (%s) and never reads an answer is given up: what waits for it does not grow",
  async (how) => {
    const dialect = how === "extended" ? "extended" : "plain";
    const { end, raw } = await hostileTo(dialect);
    raw.duplex.pause();
    let requests = 0;
    end.onMessage = (message) => {
      end.messages.length = 0;
      end.calls.length = 0;
      if (message.kind !== "content-request") return;
      requests += 1;
      const { requestId } = message;
      if (how === "plain, amid content" && requests === 1) {
        const body = end.link.openBody();
        end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id });
        void body.write(new Uint8Array(MIB)).then(() => body.end(true));
      } else end.link.send({ kind: "content-answer", requestId, type: 0 });
    };
    const before = memoryInUse();
    for (let count = 0; count < 200_000 && !raw.isClosed; count++) {
      if (dialect === "extended") raw.send({ kind: "content-request", requestId: count, selection: 0, type: 1 });
      else raw.send({ kind: "clipboard-request", selection: 0, type: 1 });
      if (count % 1000 === 0) await settled();
    }
    await settled();
    expect(requests).toBeGreaterThan(1000);
    expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
  },
  30_000,
);

it("noise closes the link or is passed over, whatever was said before", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...states),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 5 }),
      async (state, noise) => {
        const [left, right] = connectedPair();
        const end = new End(left, "daemon");
        const raw = new RawEnd(right);
        raw.send(...firstWords[state]);
        for (const bytes of noise) raw.raw(bytes);
        for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
        const told = end.logged.lines.filter((line) => !/^warn: (message ignored: |.* speaks extension )/.test(line));
        expect(told.length).toBe(end.closed);
        for (const line of told) expect(line).toMatch(/^error: closing: too-large: /);
        await end.link[Symbol.asyncDispose]();
      },
    ),
    { numRuns: 300 },
  );
});

it("content that was asked for, promised by the gigabyte and not read, is kept on disk and fails when the link does", async () => {
  const { end, raw } = await hostileTo("plain");
  end.takesBodies = true;
  end.link.send({ kind: "content-request", requestId: 1, selection: 0, type: 1 });
  const before = memoryInUse();
  raw.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: 0, arg2: 1 }, 1024 * MIB));
  for (let count = 0; count < 100; count++) {
    raw.raw(new Uint8Array(MIB));
    await settled();
  }
  const body = await end.body(1);
  // The disk takes its time.
  for (let turns = 0; memoryInUse() - before > FLAT_BYTES && turns < 100; turns++) await sleep(50);
  expect(memoryInUse() - before).toBeLessThan(FLAT_BYTES);
  raw.raw(new Uint8Array(100 * KIB));
  raw.duplex.destroy();
  expect(await failure(bytesOf(body))).toBe("body.failed");
});
