// How two of our halves speak: bodies in pieces under credit, each on its own, and what an end does that keeps no rule of it.
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LinkMessage } from "../../../../src/wire/link/messages.ts";
import {
  answer,
  bytesOf,
  connectedPair,
  End,
  encoded,
  failure,
  KIB,
  numbered,
  RawEnd,
  settled,
  until,
} from "./link-end.ts";

const WINDOW = 512 * KIB;

describe("two ends that speak the extension", () => {
  let near: End;
  let far: End;

  beforeEach(async () => {
    const [left, right] = connectedPair();
    near = new End(left, "daemon");
    far = new End(right, "session");
    await until(() => near.isReady && far.isReady);
  });

  afterEach(async () => {
    await near.link[Symbol.asyncDispose]();
    await far.link[Symbol.asyncDispose]();
  });

  /** A body under way from near to far. */
  async function bodyUnderWay(requestId = 1) {
    const out = near.link.openBody();
    near.link.send(answer(requestId, out.id));
    return { out, incoming: await far.body(requestId) };
  }

  describe("a body", () => {
    it("arrives whole and in order, also far beyond its window", async () => {
      const { out, incoming } = await bodyUnderWay();
      const whole = numbered(3 * WINDOW + 17);
      const writing = out.write(whole).then(() => out.end(true));
      expect((await bytesOf(incoming)).equals(whole)).toBe(true);
      await writing;
    });

    it("waits with all the others for a half that does not read, however many there are, and none is lost", async () => {
      // A line on which nothing passes until it is told to.
      const [left, line] = connectedPair();
      const [right, farLine] = connectedPair();
      const sender = new End(left, "daemon");
      const receiver = new End(right, "session");
      line.on("data", (bytes: Uint8Array) => void farLine.write(bytes));
      farLine.on("data", (bytes: Uint8Array) => void line.write(bytes));
      await until(() => sender.isReady && receiver.isReady);
      line.pause();
      const whole = numbered(WINDOW);
      const writing = Array.from({ length: 64 }, async (_, n) => {
        const out = sender.link.openBody();
        sender.link.send(answer(n, out.id));
        for (let at = 0; at < whole.length; at += 32 * KIB) await out.write(whole.subarray(at, at + 32 * KIB));
        out.end(true);
      });
      await settled();
      expect(sender.closed).toBe(0);
      expect(left.writableLength).toBeLessThan(2 * 1024 * KIB);
      line.resume();
      for (let n = 0; n < 64; n++) expect((await bytesOf(await receiver.body(n))).equals(whole)).toBe(true);
      await Promise.all(writing);
      await sender.link[Symbol.asyncDispose]();
      await receiver.link[Symbol.asyncDispose]();
    });

    it("arrives whole in whatever pieces it is written", async () => {
      let requestId = 100;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(fc.nat(100), fc.nat(200 * KIB)), { maxLength: 8 }).map((sizes) => sizes.map(numbered)),
          async (pieces) => {
            const { out, incoming } = await bodyUnderWay(++requestId);
            const writing = (async () => {
              for (const piece of pieces) await out.write(piece);
              out.end(true);
            })();
            expect((await bytesOf(incoming)).equals(Buffer.concat(pieces))).toBe(true);
            await writing;
          },
        ),
        { numRuns: 25 },
      );
    });

    it("that is empty ends", async () => {
      const { out, incoming } = await bodyUnderWay();
      out.end(true);
      expect(await bytesOf(incoming)).toHaveLength(0);
    });

    it("is complete too when its end arrives before it is read", async () => {
      const { out, incoming } = await bodyUnderWay();
      await out.write(numbered(1000));
      out.end(true);
      await settled();
      expect(await bytesOf(incoming)).toHaveLength(1000);
    });

    it("fails when its sender says that the rest cannot be had", async () => {
      const { out, incoming } = await bodyUnderWay();
      await out.write(numbered(1000));
      out.end(false);
      expect(await failure(bytesOf(incoming))).toBe("body.failed");
    });

    it("ends once: what is said of it afterwards is not sent", async () => {
      const { out, incoming } = await bodyUnderWay();
      out.end(true);
      out.end(false);
      out.abandon();
      expect(await bytesOf(incoming)).toHaveLength(0);
      expect(out.signal.aborted).toBe(false);
    });

    it("travels beside others, each whole", async () => {
      const pairs = await Promise.all([1, 2, 3].map((requestId) => bodyUnderWay(requestId)));
      const writing = pairs.map(async ({ out }, index) => {
        await out.write(numbered(WINDOW + index));
        out.end(true);
      });
      const sizes = await Promise.all(pairs.map(async ({ incoming }) => (await bytesOf(incoming)).length));
      expect(sizes).toEqual([WINDOW, WINDOW + 1, WINDOW + 2]);
      await Promise.all(writing);
    });
  });

  describe("a receiver who takes nothing", () => {
    it("stops the writer after 512 KiB, while messages and other bodies still pass", async () => {
      const { out, incoming } = await bodyUnderWay();
      let written = 0;
      const writing = (async () => {
        for (;;) {
          await out.write(numbered(64 * KIB));
          written += 64 * KIB;
        }
      })().catch(() => {});
      await settled();
      expect(written).toBe(WINDOW);

      near.link.send({ kind: "viewer-left" });
      await until(() => far.messages.some(({ kind }) => kind === "viewer-left"));
      const other = await bodyUnderWay(2);
      await other.out.write(numbered(100 * KIB));
      other.out.end(true);
      expect(await bytesOf(other.incoming)).toHaveLength(100 * KIB);
      expect(written).toBe(WINDOW);

      incoming.cancel();
      await writing;
    });

    it("lets the writer go on by as much as it takes then", async () => {
      const { out, incoming } = await bodyUnderWay();
      const writing = out.write(numbered(2 * WINDOW)).then(() => out.end(true));
      await settled();
      let taken = 0;
      for await (const piece of incoming) taken += piece.length;
      await writing;
      expect(taken).toBe(2 * WINDOW);
    });
  });

  describe("a receiver who does not want the rest", () => {
    it("aborts the writer's signal when it cancels, also a write that waits", async () => {
      const { out, incoming } = await bodyUnderWay();
      const writing = failure(out.write(numbered(2 * WINDOW)));
      await settled();
      incoming.cancel();
      expect(await writing).toBe("link.closed");
      expect(out.signal.aborted).toBe(true);
      expect(await failure(out.write(numbered(1)))).toBe("link.closed");
    });

    it("sees a failure itself after it has cancelled", async () => {
      const { incoming } = await bodyUnderWay();
      const reading = failure(bytesOf(incoming));
      await settled();
      incoming.cancel();
      expect(await reading).toBe("body.failed");
    });

    it("cancels by not iterating further", async () => {
      const { out, incoming } = await bodyUnderWay();
      await out.write(numbered(1000));
      for await (const piece of incoming) {
        expect(piece).toHaveLength(1000);
        break;
      }
      await until(() => out.signal.aborted);
    });

    it("cancels by throwing while it iterates", async () => {
      const { out, incoming } = await bodyUnderWay();
      await out.write(numbered(1000));
      const reading = (async () => {
        for await (const _ of incoming) throw new Error("disk full");
      })();
      await expect(reading).rejects.toThrow("disk full");
      await until(() => out.signal.aborted);
    });

    it("does not cancel a body that has ended", async () => {
      const { out, incoming } = await bodyUnderWay();
      await out.write(numbered(1000));
      out.end(true);
      await settled();
      for await (const _ of incoming) break;
      incoming.cancel();
      await settled();
      expect(out.signal.aborted).toBe(false);
    });

    it("has no more use for what still arrives", async () => {
      const { out, incoming } = await bodyUnderWay();
      incoming.cancel();
      await out.write(numbered(1000)).catch(() => {});
      await settled();
      expect(await failure(bytesOf(incoming))).toBe("body.failed");
      expect(far.logged.lines).toEqual([]);
    });
  });

  describe("a sender who gives up", () => {
    it("fails the body at the receiver and its own write that waits", async () => {
      const { out, incoming } = await bodyUnderWay();
      const writing = failure(out.write(numbered(2 * WINDOW)));
      await settled();
      out.abandon();
      expect(await writing).toBe("link.closed");
      await settled();
      expect(await failure(bytesOf(incoming))).toBe("body.failed");
    });

    it("can give up more than once", async () => {
      const { out } = await bodyUnderWay();
      out.abandon();
      out.abandon();
      out.end(true);
      expect(out.signal.aborted).toBe(true);
    });
  });

  describe("a link that closes", () => {
    it("fails every body at both ends and says so once", async () => {
      const { out, incoming } = await bodyUnderWay();
      const reading = failure(bytesOf(incoming));
      const writing = failure(
        (async () => {
          for (;;) {
            await out.write(numbered(64 * KIB));
            await turn();
          }
        })(),
      );
      await settled();
      await near.link[Symbol.asyncDispose]();
      await near.link[Symbol.asyncDispose]();
      expect(await writing).toBe("link.closed");
      expect(await reading).toBe("body.failed");
      await settled();
      expect([near.closed, far.closed]).toEqual([1, 1]);
    });
  });
});

describe("an end that speaks the extension, whose other end is broken", () => {
  let end: End;
  let raw: RawEnd;

  beforeEach(async () => {
    const [left, right] = connectedPair();
    end = new End(left, "daemon");
    raw = new RawEnd(right);
    raw.send({ kind: "hello", extension: 1, version: "broken" });
    await raw.untilHeard("hello");
    raw.heard.length = 0;
  });

  afterEach(async () => {
    await end.link[Symbol.asyncDispose]();
  });

  const send = (...messages: readonly LinkMessage[]): void => raw.send(...messages);
  const piece = (bodyId: number, bytes: number): LinkMessage => ({
    kind: "body-piece",
    bodyId,
    piece: numbered(bytes),
  });

  it("cuts off a sender who goes beyond its credit, and goes on with everybody else", async () => {
    send(answer(1, 7), answer(2, 8));
    for (let at = 0; at < WINDOW; at += 32 * KIB) send(piece(7, 32 * KIB));
    await settled();
    expect(raw.heard).toEqual([]);
    send(piece(7, 1));
    await settled();
    expect(raw.heard).toEqual([{ kind: "body-cancel", bodyId: 7 }]);
    expect(await failure(bytesOf(await end.body(1)))).toBe("body.failed");
    send(piece(7, 1), piece(8, 5), { kind: "body-end", bodyId: 8, complete: true });
    expect(await bytesOf(await end.body(2))).toHaveLength(5);
    expect(end.closed).toBe(0);
  });

  it("gives credit for what is taken, not for what arrives, and for a quarter of the window at once", async () => {
    send(answer(1, 7), piece(7, 60 * KIB), piece(7, 60 * KIB), piece(7, 60 * KIB), piece(7, 500));
    const body = await end.body(1);
    await settled();
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    await pieces.next();
    await settled();
    expect(raw.heard).toEqual([]);
    await pieces.next();
    await settled();
    expect(raw.heard).toEqual([{ kind: "body-credit", bodyId: 7, bytes: 180 * KIB }]);
    await pieces.return?.();
  });

  it("gives no credit for what is poured out while its taker is not ready for more", async () => {
    send(answer(1, 7), piece(7, 60 * KIB));
    const body = await end.body(1);
    await settled();
    let ready = (): void => {};
    let taken = 0;
    const pouring = body.pour((each) => {
      taken += each.length;
      return taken === 60 * KIB ? new Promise((resolve) => (ready = resolve)) : undefined;
    });
    send(piece(7, 60 * KIB), piece(7, 60 * KIB));
    await settled();
    expect([taken, raw.heard]).toEqual([180 * KIB, []]);
    ready();
    await settled();
    expect(raw.heard).toEqual([{ kind: "body-credit", bodyId: 7, bytes: 180 * KIB }]);
    send({ kind: "body-end", bodyId: 7, complete: true });
    await pouring;
  });

  it("pours out what came before, also the half of a piece, and what comes then, in order", async () => {
    const whole = numbered(50 * KIB);
    const bytes = encoded({ kind: "body-piece", bodyId: 7, piece: whole });
    send(answer(1, 7), piece(7, 5));
    raw.raw(bytes.subarray(0, 20 * KIB));
    const body = await end.body(1);
    await settled();
    const pieces: Buffer[] = [];
    const pouring = body.pour((each) => void pieces.push(Buffer.from(each)));
    raw.raw(bytes.subarray(20 * KIB));
    send({ kind: "body-end", bodyId: 7, complete: true });
    await pouring;
    expect(Buffer.concat(pieces).equals(Buffer.concat([numbered(5), whole]))).toBe(true);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("disk full");
      },
    ],
    ["is not ready any more", () => Promise.reject(new Error("disk full"))],
  ])("cancels what is poured out when its taker %s", async (_, take) => {
    send(answer(1, 7), piece(7, 10));
    await expect((await end.body(1)).pour(take)).rejects.toThrow("disk full");
    await settled();
    expect(raw.heard).toEqual([{ kind: "body-cancel", bodyId: 7 }]);
  });

  it("fails what is poured out when its sender cannot finish it, or it is no longer wanted", async () => {
    send(answer(1, 7), answer(2, 8), piece(7, 10), { kind: "body-end", bodyId: 7, complete: false });
    expect(await failure((await end.body(1)).pour(() => undefined))).toBe("body.failed");
    const other = await end.body(2);
    const pouring = failure(other.pour(() => undefined));
    other.cancel();
    expect(await pouring).toBe("body.failed");
  });

  it("keeps nothing of pieces without content, which cost no credit", async () => {
    send(answer(1, 7));
    const body = await end.body(1);
    for (let times = 0; times < 1000; times++) send(piece(7, 0));
    send(piece(7, 3), { kind: "body-end", bodyId: 7, complete: true });
    await settled();
    const sizes: number[] = [];
    for await (const each of body) sizes.push(each.length);
    expect(sizes).toEqual([3]);
  });

  it("does not give a writer more than the window, whatever credit it is sent", async () => {
    const out = end.link.openBody();
    send({ kind: "body-credit", bodyId: out.id, bytes: 0xffffffff });
    await settled();
    const writing = failure(
      (async () => {
        for (;;) await out.write(numbered(32 * KIB));
      })(),
    );
    await settled();
    const bytes = raw.heard.reduce(
      (sum, message) => sum + (message.kind === "body-piece" ? message.piece.length : 0),
      0,
    );
    expect(bytes).toBe(WINDOW);
    out.abandon();
    await writing;
  });

  it("ignores what is said of bodies that do not exist", async () => {
    send(
      piece(7, 10),
      { kind: "body-end", bodyId: 7, complete: true },
      { kind: "body-credit", bodyId: 7, bytes: 10 },
      { kind: "body-cancel", bodyId: 7 },
      { kind: "viewer-left" },
    );
    await until(() => end.messages.length > 0);
    expect([end.messages, raw.heard, end.logged.lines]).toEqual([[{ kind: "viewer-left" }], [], []]);
  });

  it("fails a second body of the same name and leaves the first alone", async () => {
    send(answer(1, 7), answer(2, 7), piece(7, 4), { kind: "body-end", bodyId: 7, complete: true });
    expect(await failure(bytesOf(await end.body(2)))).toBe("body.failed");
    expect(await bytesOf(await end.body(1))).toHaveLength(4);
  });

  it("fails a body beyond the 1024 that may be open at once", async () => {
    for (let bodyId = 1; bodyId <= 1025; bodyId++) send(answer(bodyId, bodyId));
    expect(await failure(bytesOf(await end.body(1025)))).toBe("body.failed");
    send({ kind: "body-end", bodyId: 1024, complete: true });
    expect(await bytesOf(await end.body(1024))).toHaveLength(0);
  });

  it("fails its bodies when a frame larger than any closes it", async () => {
    send(answer(1, 7), piece(7, 10));
    const body = await end.body(1);
    const reading = failure(bytesOf(body));
    const header = encoded({ kind: "viewer-left" });
    new DataView(header.buffer).setUint32(12, 64 * KIB, true);
    raw.raw(header);
    await until(() => end.closed > 0);
    expect(await reading).toBe("body.failed");
    expect(end.logged.lines.join()).toContain("error: closing: too-large");
    await settled();
    expect(end.closed).toBe(1);
  });
});
