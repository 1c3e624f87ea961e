// Row 82: how upstream's halves speak, heard frame by frame at the other end, and what it looks like on this one.
import { readdirSync, readlinkSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LinkControlMessage } from "../../../../src/support/link/dialect.ts";
import { encodeLinkHeader } from "../../../../src/wire/link/frame.ts";
import { type LinkMessage, LinkType } from "../../../../src/wire/link/messages.ts";
import {
  bytesOf,
  connectedPair,
  End,
  encoded,
  failure,
  got,
  KIB,
  MIB,
  numbered,
  RawEnd,
  scattered,
  settled,
  slicedPair,
  until,
} from "./link-end.ts";

type ContentRequest = Extract<LinkControlMessage, { kind: "content-request" }>;

const NONE = 0;
const none = (selection: number): unknown => ({ kind: "content", selection, type: NONE, content: Buffer.alloc(0) });

let end: End;
let raw: RawEnd;

/** Ours as the daemon, the other end as upstream's session; few bytes fit on the line at once. */
async function begin(highWaterMark = 64 * KIB): Promise<void> {
  const [left, right] = connectedPair(highWaterMark);
  end = new End(left, "daemon");
  raw = new RawEnd(right);
  raw.send({ kind: "desktop-geometry", geometry: { width: 0, height: 0, displays: [] } });
  await until(() => end.messages.length === 1);
  await settled();
  expect(end.link.dialect).toBe("plain");
  end.messages.length = 0;
  raw.heard.length = 0;
}

beforeEach(() => begin());
afterEach(async () => {
  await end.link[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

function ask(requestId: number, type = 1, selection: 0 | 1 | 2 = 0): void {
  end.link.send({ kind: "content-request", requestId, selection, type });
}

function cancel(requestId: number): void {
  end.link.send({ kind: "content-cancel", requestId });
}

/** What came of our questions, by number: the type of the answer, and how much it said there would be. */
function answers(): readonly unknown[] {
  return end.messages.flatMap((message) =>
    message.kind === "content-answer"
      ? [[message.requestId, message.type, message.bodyId === undefined ? "refused" : message.bytes]]
      : [],
  );
}

/** The other end asks; the numbers under which that arrives. */
async function theyAsk(...types: readonly number[]): Promise<number[]> {
  const before = end.messages.length;
  raw.send(...types.map((type): LinkMessage => ({ kind: "clipboard-request", selection: 0, type })));
  await until(() => end.messages.length === before + types.length);
  return end.messages.slice(before).map((message) => (message as ContentRequest).requestId);
}

async function give(requestId: number, type: number, content: Uint8Array): Promise<void> {
  const body = end.link.openBody();
  end.link.send({ kind: "content-answer", requestId, type, bodyId: body.id });
  await body.write(content);
  body.end(true);
}

function openSpoolFiles(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(".spool");
    } catch {
      return false;
    }
  }).length;
}

describe("what we ask", () => {
  it("goes out without its number, and the answer comes back with it", async () => {
    ask(7, 2, 1);
    expect(await raw.untilHeard("clipboard-request")).toEqual([{ kind: "clipboard-request", selection: 1, type: 2 }]);
    raw.content(1, 2, scattered(1000));
    expect((await bytesOf(await end.body(7))).equals(scattered(1000))).toBe(true);
    expect(answers()).toEqual([[7, 2, 1000]]);
  });

  it.each([0, 1, 15, 16, 17, 65_519, 65_520, 65_521, MIB, 20 * MIB])(
    "is answered with %d bytes, every one of them as it was",
    async (bytes) => {
      ask(1);
      const content = scattered(bytes);
      raw.content(0, 1, content);
      expect((await bytesOf(await end.body(1))).equals(content)).toBe(true);
      expect(answers()).toEqual([[1, 1, bytes]]);
    },
  );

  it("is known to be answered, and read, before the end of the answer is there", async () => {
    ask(1);
    const content = scattered(300 * KIB);
    raw.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: 0, arg2: 1 }, content.length));
    raw.raw(content.subarray(0, 200 * KIB));
    const pieces = (await end.body(1))[Symbol.asyncIterator]();
    const first = (await pieces.next()).value as Uint8Array;
    expect(first.length).toBeGreaterThan(0);
    raw.raw(content.subarray(200 * KIB));
    const rest: Uint8Array[] = [first];
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) rest.push(next.value);
    expect(Buffer.concat(rest).equals(content)).toBe(true);
  });

  it("is refused by content of type NONE", async () => {
    ask(1);
    raw.content(0, NONE, new Uint8Array(0));
    await until(() => answers().length === 1);
    expect(answers()).toEqual([[1, NONE, "refused"]]);
  });

  it("is refused by NONE with data too, which is read over", async () => {
    ask(1);
    raw.content(0, NONE, numbered(100 * KIB));
    raw.send({ kind: "viewer-left" });
    await until(() => end.messages.length === 2);
    expect(answers()).toEqual([[1, NONE, "refused"]]);
  });

  it("is told apart by selection and type, in whatever order the answers come", async () => {
    ask(1, 1);
    ask(2, 2);
    ask(3, 1, 1);
    raw.content(1, 1, numbered(3));
    raw.content(0, 2, numbered(2));
    raw.content(0, 1, numbered(1));
    await until(() => answers().length === 3);
    expect(answers()).toEqual([
      [3, 1, 3],
      [2, 2, 2],
      [1, 1, 1],
    ]);
  });

  it("twice is answered in the order of the questions", async () => {
    for (const requestId of [5, 4, 9]) ask(requestId);
    for (const bytes of [1, 2, 3]) raw.content(0, 1, numbered(bytes));
    await until(() => answers().length === 3);
    expect(answers()).toEqual([
      [5, 1, 1],
      [4, 1, 2],
      [9, 1, 3],
    ]);
  });

  it("first is refused by NONE, which does not say of what type it is; another selection is none of its business", async () => {
    ask(1, 1, 1);
    ask(2, 1);
    ask(3, 2);
    raw.content(0, NONE, new Uint8Array(0));
    raw.content(0, 2, numbered(3));
    raw.content(1, 1, numbered(1));
    await until(() => answers().length === 3);
    expect(answers()).toEqual([
      [2, NONE, "refused"],
      [3, 2, 3],
      [1, 1, 1],
    ]);
  });

  it("is not answered by content of another selection or type, and still open after it", async () => {
    ask(1);
    raw.content(0, 2, numbered(5));
    raw.content(1, 1, numbered(5));
    raw.content(1, NONE, new Uint8Array(0));
    raw.content(0, 1, numbered(9));
    await until(() => answers().length > 0);
    expect(answers()).toEqual([[1, 1, 9]]);
    expect(end.logged.lines).toHaveLength(3);
    expect(end.logged.lines[0]).toBe("warn: message ignored: bad-value: content of type 2 that nobody asked for");
  });

  it("and cancelled is answered all the same: that answer is read over, and not taken for the next", async () => {
    ask(1);
    cancel(1);
    ask(2);
    raw.content(0, 1, numbered(100 * KIB));
    raw.content(0, 1, scattered(5));
    expect(await bytesOf(await end.body(2))).toEqual(Buffer.from(scattered(5)));
    expect(answers()).toEqual([[2, 1, 5]]);
    expect(end.logged.lines).toEqual([]);
    await settled();
    expect(raw.heard.map(({ kind }) => kind)).toEqual(["clipboard-request", "clipboard-request"]);
  });

  it("and cancelled may be refused, which is not told", async () => {
    ask(1);
    cancel(1);
    ask(2);
    raw.content(0, NONE, new Uint8Array(0));
    raw.content(0, NONE, new Uint8Array(0));
    await until(() => answers().length > 0);
    expect(answers()).toEqual([[2, NONE, "refused"]]);
  });

  it("cannot be cancelled after the answer, nor what was never asked", async () => {
    ask(1);
    raw.content(0, 1, numbered(5));
    await end.body(1);
    cancel(1);
    cancel(99);
    ask(1);
    raw.content(0, 1, numbered(6));
    await until(() => answers().length === 2);
    expect(answers()).toEqual([
      [1, 1, 5],
      [1, 1, 6],
    ]);
  });

  it("and is not answered a thousand times over is the end of the link", async () => {
    for (let requestId = 1; requestId <= 1024; requestId++) ask(requestId);
    expect(end.closed).toBe(0);
    ask(1025);
    expect(end.closed).toBe(1);
    expect(end.logged.lines).toEqual(["error: closing: questions are not answered"]);
  });

  it("and answered a thousand times over is none", async () => {
    for (let requestId = 1; requestId <= 3000; requestId++) {
      ask(requestId);
      if (requestId % 2 === 0) cancel(requestId);
      raw.content(0, 1, numbered(1));
      await until(() => answers().length >= Math.ceil(requestId / 2));
    }
    await settled();
    expect([answers().length, end.closed, end.logged.lines]).toEqual([1500, 0, []]);
  });
});

describe("content that comes in", () => {
  it("and is not read holds up nothing behind it", async () => {
    ask(1);
    const content = scattered(5 * MIB);
    raw.content(0, 1, content);
    raw.send({ kind: "viewer-left" });
    await until(() => end.messages.some(({ kind }) => kind === "viewer-left"));
    expect((await bytesOf(await end.body(1))).equals(content)).toBe(true);
  });

  it("that nobody takes is read over, and cannot be had later", async () => {
    end.takesBodies = false;
    ask(1);
    raw.content(0, 1, numbered(100 * KIB));
    raw.send({ kind: "viewer-left" });
    await until(() => end.messages.length === 2);
    const [message] = end.messages;
    const bodyId = message?.kind === "content-answer" ? message.bodyId : undefined;
    expect(bodyId).toBeDefined();
    expect(await failure(bytesOf(end.link.incomingBody(bodyId ?? 0)))).toBe("body.failed");
  });

  it("is no body under any other number, nor twice under its own", async () => {
    ask(1);
    raw.content(0, 1, numbered(5));
    const body = await end.body(1);
    expect(await failure(bytesOf(end.link.incomingBody(body.id + 1)))).toBe("body.failed");
    expect(await failure(bytesOf(end.link.incomingBody(body.id)))).toBe("body.failed");
    expect(await bytesOf(body)).toHaveLength(5);
  });

  it("and is cancelled in the middle is read over to its end", async () => {
    ask(1);
    ask(2);
    const content = scattered(2 * MIB);
    raw.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: 0, arg2: 1 }, content.length));
    raw.raw(content.subarray(0, MIB));
    const body = await end.body(1);
    const reading = failure(bytesOf(body));
    await settled();
    body.cancel();
    expect(await reading).toBe("body.failed");
    raw.raw(content.subarray(MIB));
    raw.content(0, 1, numbered(9));
    expect(await bytesOf(await end.body(2))).toHaveLength(9);
    expect(end.logged.lines).toEqual([]);
  });

  it("and is given up by not iterating further leaves no file behind, nor does what is read whole", async () => {
    ask(1);
    ask(2);
    raw.content(0, 1, scattered(8 * MIB));
    raw.content(0, 1, scattered(8 * MIB));
    await settled();
    await until(() => openSpoolFiles() === 2);
    for await (const _ of await end.body(1)) break;
    for await (const _ of await end.body(2));
    await until(() => openSpoolFiles() === 0);
  });
});

describe("what they ask", () => {
  it("gets a number of its own each time", async () => {
    raw.send({ kind: "clipboard-request", selection: 2, type: 3 });
    await until(() => end.messages.length === 1);
    expect(end.messages).toEqual([{ kind: "content-request", requestId: expect.any(Number), selection: 2, type: 3 }]);
    const ids = await theyAsk(1, 1, 1, 2);
    expect(new Set(ids).size).toBe(4);
  });

  it.each([0, 1, 4095, 4096, 65_520, 65_521, MIB, 20 * MIB])(
    "is answered with %d bytes, every one of them as it was, however little fits on the line",
    async (bytes) => {
      await begin(16);
      const [requestId = 0] = await theyAsk(6);
      const content = scattered(bytes);
      await give(requestId, 6, content);
      const [heard] = await raw.untilHeard("content");
      expect([heard?.selection, heard?.type, heard?.content.length]).toEqual([0, 6, bytes]);
      expect(heard?.content.equals(content)).toBe(true);
    },
  );

  it("is answered with what was written in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(100), fc.nat(200 * KIB)), { maxLength: 8 }).map((sizes) => sizes.map(scattered)),
        async (pieces) => {
          const [requestId = 0] = await theyAsk(1);
          const body = end.link.openBody();
          end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id });
          for (const piece of pieces) await body.write(piece.slice());
          body.end(true);
          const heard = await raw.untilHeard("content");
          raw.heard.length = 0;
          expect(heard.map(({ content }) => content.equals(Buffer.concat(pieces)))).toEqual([true]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("is answered when all of it is there, and not by a byte before", async () => {
    const [requestId = 0] = await theyAsk(1);
    const body = end.link.openBody();
    await body.write(numbered(100));
    end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id });
    await body.write(numbered(100));
    await settled();
    expect([raw.heard, raw.underWay]).toEqual([[], undefined]);
    body.end(true);
    expect((await raw.untilHeard("content"))[0]?.content).toHaveLength(200);
  });

  it("is answered too when the body was there before it was known what it answers", async () => {
    const [requestId = 0] = await theyAsk(1);
    const body = end.link.openBody();
    await body.write(numbered(100));
    body.end(true);
    await settled();
    expect(raw.heard).toEqual([]);
    end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id });
    expect((await raw.untilHeard("content"))[0]?.content).toHaveLength(100);
  });

  it("and is refused is answered NONE, for its selection", async () => {
    raw.send({ kind: "clipboard-request", selection: 1, type: 3 });
    const request = await got(() => end.messages[0] as ContentRequest | undefined);
    end.link.send({ kind: "content-answer", requestId: request.requestId, type: NONE });
    expect(await raw.untilHeard("content")).toEqual([none(1)]);
  });

  it.each<[string, (body: ReturnType<End["link"]["openBody"]>, named: () => void) => Promise<void>]>([
    [
      "in the middle",
      async (body, named) => {
        named();
        await body.write(numbered(100 * KIB));
        body.end(false);
      },
    ],
    [
      "before a byte of it",
      async (body, named) => {
        named();
        body.end(false);
      },
    ],
    [
      "before it was named",
      async (body, named) => {
        body.end(false);
        named();
      },
    ],
    [
      "by being given up",
      async (body, named) => {
        named();
        await body.write(numbered(3 * MIB));
        body.abandon();
      },
    ],
  ])("and whose content fails %s is answered NONE, once", async (_, fail) => {
    const [requestId = 0] = await theyAsk(1);
    const body = end.link.openBody();
    await fail(body, () => end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id }));
    body.end(true);
    body.end(false);
    body.abandon();
    expect(await raw.untilHeard("content")).toEqual([none(0)]);
    await settled();
    expect(raw.heard).toHaveLength(1);
    expect(await failure(body.write(numbered(1)))).toBe("link.closed");
    await until(() => openSpoolFiles() === 0);
  });

  it("and whose content no disk can keep is answered NONE", async () => {
    vi.stubEnv("TMPDIR", "/nonexistent");
    const [requestId = 0] = await theyAsk(1);
    const body = end.link.openBody();
    end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: body.id });
    const writing = (async () => {
      for (let count = 0; count < 20; count++) await body.write(new Uint8Array(MIB));
    })();
    expect(await failure(writing)).toBe("body.failed");
    body.end(false);
    expect(await raw.untilHeard("content")).toEqual([none(0)]);
  });

  it("and nothing else is answered: not twice, not under a number nobody gave", async () => {
    const [requestId = 0] = await theyAsk(1);
    await give(requestId, 1, numbered(5));
    await give(requestId, 1, numbered(6));
    end.link.send({ kind: "content-answer", requestId, type: NONE });
    end.link.send({ kind: "content-answer", requestId: requestId + 77, type: NONE });
    end.link.send({ kind: "viewer-left" });
    await raw.untilHeard("viewer-left");
    expect(raw.heard.map((heard) => (heard.kind === "content" ? heard.content.length : heard.kind))).toEqual([
      5,
      "viewer-left",
    ]);
  });

  it("and is answered by a body that does not exist is answered NONE", async () => {
    const [requestId = 0] = await theyAsk(1);
    end.link.send({ kind: "content-answer", requestId, type: 1, bodyId: 4711 });
    expect(await raw.untilHeard("content")).toEqual([none(0)]);
  });

  it("and is too much at once is answered NONE, and goes on when there is room", async () => {
    const ids = await theyAsk(...new Array<number>(1024).fill(1));
    raw.send({ kind: "clipboard-request", selection: 1, type: 5 });
    expect(await raw.untilHeard("content")).toEqual([none(1)]);
    expect(end.messages).toHaveLength(1024);
    await give(ids[700] ?? 0, 1, numbered(5));
    await raw.untilHeard("content", 2);
    expect(await theyAsk(1)).toHaveLength(1);
  });
});

describe("on a line that takes its time", () => {
  const volume = (level: number): LinkControlMessage => ({
    kind: "audio-volume",
    volume: { isPlayback: true, mute: false, volume: [level] },
  });
  /** What was heard, in order: a volume's level, content as its size. */
  const order = (): readonly unknown[] =>
    raw.heard.map((heard) => {
      if (heard.kind === "audio-volume") return heard.volume.volume[0];
      return heard.kind === "content" ? `${heard.content.length} bytes of ${heard.type}` : heard.kind;
    });

  beforeEach(() => begin(16));

  it("what is said behind content arrives behind it, all of it and in order", async () => {
    const [requestId = 0] = await theyAsk(1);
    raw.duplex.pause();
    const content = scattered(3 * MIB);
    end.link.send(volume(0));
    await give(requestId, 1, content);
    for (let level = 1; level <= 100; level++) {
      end.link.send(volume(level));
      if (level % 10 === 0) await settled();
    }
    raw.duplex.resume();
    await raw.untilHeard("audio-volume", 101);
    const levels = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(order()).toEqual([0, `${3 * MIB} bytes of 1`, ...levels]);
    expect((await raw.untilHeard("content"))[0]?.content.equals(content)).toBe(true);
  });

  it("what is said between two contents arrives between them, and what is said behind both behind both", async () => {
    const [first = 0, second = 0, third = 0] = await theyAsk(1, 2, 3);
    raw.duplex.pause();
    await give(first, 1, scattered(MIB));
    end.link.send(volume(1));
    await give(second, 2, scattered(2 * MIB));
    end.link.send(volume(2));
    end.link.send({ kind: "content-answer", requestId: third, type: NONE });
    raw.duplex.resume();
    await raw.untilHeard("content", 3);
    expect(order()).toEqual([`${MIB} bytes of 1`, 1, `${2 * MIB} bytes of 2`, 2, "0 bytes of 0"]);
  });

  it("contents arrive one after the other in the order in which they were complete", async () => {
    const [first = 0, second = 0, third = 0] = await theyAsk(1, 2, 3);
    const bodies = [first, second, third].map((requestId, index) => {
      const body = end.link.openBody();
      end.link.send({ kind: "content-answer", requestId, type: index + 1, bodyId: body.id });
      return body;
    });
    for (const body of bodies) await body.write(scattered(MIB + body.id));
    bodies[2]?.end(true);
    bodies[0]?.end(true);
    bodies[1]?.end(true);
    const heard = await raw.untilHeard("content", 3);
    expect(heard.map(({ type }) => type)).toEqual([3, 1, 2]);
    for (const { type, content } of heard)
      expect(content.equals(scattered(MIB + (bodies[type - 1]?.id ?? 0)))).toBe(true);
  });

  it("what is heard meanwhile is not held up", async () => {
    const [requestId = 0] = await theyAsk(1);
    raw.duplex.pause();
    await give(requestId, 1, scattered(3 * MIB));
    const before = end.messages.length;
    raw.send({ kind: "clipboard-release", selection: 1 });
    await until(() => end.messages.length > before);
    expect(end.messages.at(-1)).toEqual({ kind: "clipboard-release", selection: 1 });
  });
});

describe("a link that closes in the middle", () => {
  it("fails content that is not all there on its way in; what is all there can still be read", async () => {
    ask(1);
    ask(2, 2);
    raw.content(0, 1, numbered(100 * KIB));
    raw.raw(encodeLinkHeader({ type: LinkType.CLIPBOARD_DATA, arg1: 0, arg2: 2 }, MIB));
    raw.raw(numbered(200 * KIB));
    const [whole, half] = [await end.body(1), await end.body(2)];
    const reading = failure(bytesOf(half));
    await settled();
    raw.duplex.destroy();
    expect(await reading).toBe("body.failed");
    expect(await bytesOf(whole)).toHaveLength(100 * KIB);
    expect(end.closed).toBe(1);
  });

  it("fails every body on its way out, also one that waits for the disk, and leaves no file behind", async () => {
    const [first = 0, second = 0, third = 0] = await theyAsk(1, 1, 1);
    raw.duplex.pause();
    await give(first, 1, scattered(8 * MIB));
    await give(second, 1, scattered(8 * MIB));
    const open = end.link.openBody();
    end.link.send({ kind: "content-answer", requestId: third, type: 1, bodyId: open.id });
    await open.write(scattered(8 * MIB));
    await until(() => openSpoolFiles() === 3);
    raw.duplex.destroy();
    await until(() => end.closed === 1);
    expect(open.signal.aborted).toBe(true);
    expect(await failure(open.write(numbered(1)))).toBe("link.closed");
    await until(() => openSpoolFiles() === 0);
    expect([end.closed, end.logged.lines]).toEqual([1, []]);
  });

  it("says nothing more, neither frames that waited nor content", async () => {
    await begin(16);
    const [first = 0, second = 0] = await theyAsk(1, 1);
    await give(first, 1, scattered(2 * MIB));
    await give(second, 1, scattered(2 * MIB));
    end.link.send({ kind: "viewer-left" });
    await until(() => (raw.underWay ?? 0) > 0);
    await end.link[Symbol.asyncDispose]();
    await settled();
    expect(raw.heard).toEqual([]);
  });
});

describe("what upstream's halves do not know", () => {
  const monitor = { width: 800, height: 600, depth: 32, x: 0, y: 0 };

  it("is left out: millimetres of displays", async () => {
    const monitors = [{ ...monitor, physical: { widthMm: 300, heightMm: 170 } }, monitor];
    end.link.send({ kind: "monitors-config", config: { monitors, usePosition: true } });
    expect(await raw.untilHeard("monitors-config")).toEqual([
      { kind: "monitors-config", config: { monitors: [monitor, monitor], usePosition: true } },
    ]);
  });

  it("is not said: how the features of a session fare", async () => {
    end.link.send({ kind: "session-report", features: [{ feature: "clipboard", driver: "x11", fault: "" }] });
    end.link.send({ kind: "viewer-left" });
    await raw.untilHeard("viewer-left");
    expect(raw.heard).toEqual([{ kind: "viewer-left" }]);
  });

  it("is filled in: which of our offers their grab has seen, taken for the last of its selection", async () => {
    const grab = (offer: number, selection: 0 | 1 = 0): LinkControlMessage => ({
      kind: "clipboard-grab",
      selection,
      types: [1],
      offer,
    });
    raw.send(grab(0));
    await until(() => end.messages.length === 1);
    end.link.send(grab(7));
    end.link.send(grab(8));
    raw.send(grab(0), grab(0, 1));
    await until(() => end.messages.length === 3);
    expect(end.messages).toEqual([grab(0), grab(8), grab(0, 1)]);
    expect(raw.heard).toEqual([grab(0), grab(0)]);
  });

  it.each<LinkControlMessage>([
    { kind: "desktop-geometry", geometry: { width: 5, height: 6, displays: [] } },
    { kind: "clipboard-release", selection: 1 },
    { kind: "viewer-left" },
    { kind: "audio-volume", volume: { isPlayback: true, mute: true, volume: [7, 8, 9] } },
    { kind: "file-transfer-disabled" },
    {
      kind: "graphics-device-info",
      info: { displays: [{ channelId: 1, monitorId: 2, deviceDisplayId: 3, deviceAddress: "pci/0000/02.0" }] },
    },
    { kind: "monitors-config", config: { monitors: [monitor], usePosition: false } },
  ])("apart, $kind is said and heard as it is", async (message) => {
    end.link.send(message);
    raw.send(message);
    await until(() => end.messages.length === 1 && raw.heard.length === 1);
    expect([end.messages[0], raw.heard[0]]).toEqual([message, message]);
  });
});

it("two of ours that have not heard each other's hello pass any content both ways at once, on any line", async () => {
  const session = "session of test";
  const hello = encoded({ kind: "hello", extension: 1, version: session }).length;
  const contents = fc.array(fc.record({ size: fc.oneof(fc.nat(50), fc.nat(150 * KIB)), turn: fc.nat(1000) }), {
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 20, max: 100_000 }), contents, contents, async (line, toLeft, toRight) => {
      const [leftEnd, rightEnd] = slicedPair(line, hello);
      const left = new End(leftEnd, "daemon");
      const right = new End(rightEnd, "session", session);
      await settled();
      right.clock.advance(1000);
      right.link.send({ kind: "desktop-geometry", geometry: { width: 0, height: 0, displays: [] } });
      await until(() => left.isReady && right.isReady);
      expect([left.link.dialect, right.link.dialect]).toEqual(["plain", "plain"]);

      const sides = [
        { asker: left, giver: right, wanted: toLeft },
        { asker: right, giver: left, wanted: toRight },
      ];
      await Promise.all(
        sides.map(async ({ asker, giver, wanted }) => {
          for (const type of wanted.keys())
            asker.link.send({ kind: "content-request", requestId: type + 1, selection: 0, type: type + 1 });
          const asked = (): ContentRequest[] =>
            giver.messages.filter((message): message is ContentRequest => message.kind === "content-request");
          await until(() => asked().length === wanted.length);
          const inTurn = asked().sort((a, b) => (wanted[a.type - 1]?.turn ?? 0) - (wanted[b.type - 1]?.turn ?? 0));
          for (const { requestId, type } of inTurn) {
            const body = giver.link.openBody();
            giver.link.send({ kind: "content-answer", requestId, type, bodyId: body.id });
            await body.write(scattered(wanted[type - 1]?.size ?? 0));
            body.end(true);
            giver.link.send({ kind: "clipboard-release", selection: 2 });
          }
          for (const [index, { size }] of wanted.entries())
            expect((await bytesOf(await asker.body(index + 1))).equals(scattered(size))).toBe(true);
          await until(() => asker.calls.filter((call) => call === "clipboard-release").length === wanted.length);
        }),
      );
      expect([...left.logged.lines, ...right.logged.lines]).toEqual([]);
      await left.link[Symbol.asyncDispose]();
    }),
    { numRuns: 30 },
  );
});
