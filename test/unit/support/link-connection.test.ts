import { type Duplex, duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type IncomingBody, LinkConnection, type LinkControlMessage } from "../../../src/support/link-connection.ts";
import { encodeLinkFrame, type LinkFrame, LinkFrameStream } from "../../../src/wire/link/frame.ts";
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from "../../../src/wire/link/messages.ts";
import { type RecordingLog, recordingLog } from "../../fakes/recording-log.ts";

const KIB = 1024;
const WINDOW = 512 * KIB;

/** One end of the link, with what it was told. */
class End {
  readonly messages: LinkControlMessage[] = [];
  readonly bodies = new Map<number, IncomingBody>();
  readonly logged: RecordingLog = recordingLog();
  readonly link: LinkConnection;
  closed = 0;
  onMessage: (message: LinkControlMessage) => void = () => {};

  constructor(duplex: Duplex) {
    this.link = new LinkConnection(
      duplex,
      {
        message: (message) => {
          this.messages.push(message);
          if (message.kind === "content-answer" && message.bodyId !== undefined)
            this.bodies.set(message.requestId, this.link.incomingBody(message.bodyId));
          this.onMessage(message);
        },
        closed: () => {
          this.closed += 1;
        },
      },
      this.logged.log,
    );
  }

  /** The body that came as the answer to this request. */
  async body(requestId: number): Promise<IncomingBody> {
    return await got(() => this.bodies.get(requestId));
  }
}

async function until(met: () => boolean): Promise<void> {
  for (let turns = 0; !met(); turns++) {
    if (turns > 10_000) throw new Error("it does not come to pass");
    await turn();
  }
}

async function got<T>(look: () => T | undefined): Promise<T> {
  await until(() => look() !== undefined);
  return look() as T;
}

/** Two ends that go together, as those of a socket do. */
function connectedPair(): [Duplex, Duplex] {
  const [left, right] = duplexPair();
  left.on("close", () => right.destroy());
  right.on("close", () => left.destroy());
  return [left, right];
}

/** Long enough for everything that is under way in memory to arrive. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await turn();
}

async function bytesOf(body: IncomingBody): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no failure",
    (error: unknown) => (error as { readonly code?: unknown }).code,
  );
}

function answer(requestId: number, bodyId: number | undefined): LinkMessage {
  return { kind: "content-answer", requestId, type: 1, bodyId, bytes: undefined };
}

function encoded(message: LinkMessage): Uint8Array {
  return encodeLinkFrame(encodeLinkMessage(message));
}

const numbered = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, index) => index % 251);

describe("two ends of a link", () => {
  let near: End;
  let far: End;

  beforeEach(() => {
    const [left, right] = connectedPair();
    near = new End(left);
    far = new End(right);
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

  describe("messages", () => {
    it("arrive in the order in which they were sent, both ways", async () => {
      const sent = Array.from({ length: 200 }, (_, requestId) => ({ kind: "content-cancel", requestId }) as const);
      for (const message of sent) {
        near.link.send(message);
        far.link.send(message);
      }
      await until(() => near.messages.length === 200 && far.messages.length === 200);
      expect(far.messages).toEqual(sent);
      expect(near.messages).toEqual(sent);
    });

    it("are not sent on a link that is closed", async () => {
      await near.link[Symbol.asyncDispose]();
      near.link.send({ kind: "viewer-left" });
      await until(() => far.closed === 1);
      expect(far.messages).toEqual([]);
    });

    it("are not delivered any more once the receiver has closed the link, even if they came with the one before", async () => {
      far.onMessage = () => {
        void far.link[Symbol.asyncDispose]();
      };
      near.link.send({ kind: "content-cancel", requestId: 1 });
      near.link.send({ kind: "content-cancel", requestId: 2 });
      await until(() => near.closed === 1);
      expect([far.messages.length, far.closed]).toEqual([1, 1]);
    });
  });

  describe("a body", () => {
    it("arrives whole and in order, also far beyond its window", async () => {
      const { out, incoming } = await bodyUnderWay();
      const whole = numbered(3 * WINDOW + 17);
      const writing = out.write(whole).then(() => out.end(true));
      expect((await bytesOf(incoming)).equals(whole)).toBe(true);
      await writing;
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

    it("has no bodies any more, in either direction", async () => {
      await near.link[Symbol.asyncDispose]();
      const out = near.link.openBody();
      expect(out.signal.aborted).toBe(true);
      expect(await failure(out.write(numbered(1)))).toBe("link.closed");
      expect(await failure(bytesOf(near.link.incomingBody(7)))).toBe("body.failed");
    });
  });
});

describe("a link whose other end is broken", () => {
  let end: End;
  let raw: Duplex;
  let sent: LinkMessage[];

  beforeEach(() => {
    const [left, right] = connectedPair();
    end = new End(left);
    raw = right;
    sent = [];
    const frames = new LinkFrameStream((frame: LinkFrame) => sent.push(decodeLinkMessage(frame)));
    right.on("data", (bytes: Uint8Array) => frames.push(bytes));
    right.on("error", () => {});
  });

  afterEach(async () => {
    await end.link[Symbol.asyncDispose]();
  });

  const send = (...messages: readonly LinkMessage[]): void => {
    for (const message of messages) raw.write(encoded(message));
  };
  const piece = (bodyId: number, bytes: number): LinkMessage => ({
    kind: "body-piece",
    bodyId,
    piece: numbered(bytes),
  });

  it("cuts off a sender who goes beyond its credit, and goes on with everybody else", async () => {
    send(answer(1, 7), answer(2, 8));
    for (let at = 0; at < WINDOW; at += 32 * KIB) send(piece(7, 32 * KIB));
    await settled();
    expect(sent).toEqual([]);
    send(piece(7, 1));
    await settled();
    expect(sent).toEqual([{ kind: "body-cancel", bodyId: 7 }]);
    expect(await failure(bytesOf(await end.body(1)))).toBe("body.failed");
    send(piece(7, 1), piece(8, 5), { kind: "body-end", bodyId: 8, complete: true });
    expect(await bytesOf(await end.body(2))).toHaveLength(5);
    expect(end.closed).toBe(0);
  });

  it("gives credit for what is taken, not for what arrives", async () => {
    send(answer(1, 7), piece(7, 1000), piece(7, 500));
    const body = await end.body(1);
    await settled();
    expect(sent).toEqual([]);
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    await settled();
    expect(sent).toEqual([{ kind: "body-credit", bodyId: 7, bytes: 1000 }]);
    await pieces.return(undefined);
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
    const writing = failure(out.write(numbered(WINDOW + 1)));
    await settled();
    const bytes = sent.reduce((sum, message) => sum + (message.kind === "body-piece" ? message.piece.length : 0), 0);
    expect(bytes).toBe(WINDOW);
    out.abandon();
    await writing;
  });

  it("ignores a message that is nonsense, says so, and goes on", async () => {
    raw.write(encodeLinkFrame({ type: 99, arg1: 0, arg2: 0, data: numbered(5) }));
    raw.write(encodeLinkFrame({ type: 2, arg1: 77, arg2: 0, data: new Uint8Array(0) }));
    send({ kind: "viewer-left" });
    await until(() => end.messages.length > 0);
    expect(end.messages).toEqual([{ kind: "viewer-left" }]);
    expect(end.logged.lines.map((line) => line.replace(/:[^:]*$/, ""))).toEqual([
      "warn: message ignored: unknown-type",
      "warn: message ignored: bad-value",
    ]);
    expect(end.closed).toBe(0);
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
    expect([end.messages, sent, end.logged.lines]).toEqual([[{ kind: "viewer-left" }], [], []]);
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

  it("is closed when a frame is larger than any, and its bodies fail", async () => {
    send(answer(1, 7), piece(7, 10));
    const body = await end.body(1);
    const reading = failure(bytesOf(body));
    const header = encoded({ kind: "viewer-left" });
    new DataView(header.buffer).setUint32(12, 64 * KIB, true);
    raw.write(header);
    await until(() => end.closed > 0);
    expect(await reading).toBe("body.failed");
    expect(end.logged.lines.join()).toContain("error: closing: too-large");
    await settled();
    expect(end.closed).toBe(1);
  });

  it("is closed when the other end is gone, in the midst of a frame too", async () => {
    raw.write(encoded({ kind: "viewer-left" }).subarray(0, 9));
    raw.end();
    await until(() => end.closed > 0);
    expect(end.messages).toEqual([]);
  });

  it("is closed once when the other end breaks with an error", async () => {
    const [left] = duplexPair();
    const broken = new End(left);
    left.destroy(new Error("reset by peer"));
    await until(() => broken.closed > 0);
    await settled();
    expect([broken.closed, broken.logged.lines]).toEqual([1, ["warn: lost: reset by peer"]]);
  });
});
