import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../../../src/support/errors.ts";
import { SPOOL_MEMORY_BYTES, Spool } from "../../../src/support/spool.ts";
import { memoryInUse } from "../../fakes/memory-in-use.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spool-test-"));
  vi.stubEnv("TMPDIR", folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Bytes in which every place looks different from its neighbourhood, so that nothing can swap places unseen. */
const master = new Uint8Array(new Uint32Array(4 * MIB).map((_, index) => Math.imul(index, 2654435761)).buffer);

/** Writes the next bytes of the master into a spool. */
class Writer {
  readonly #spool: Spool;
  at = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  write(bytes: number): void {
    this.#spool.write(master.subarray(this.at, this.at + bytes));
    this.at += bytes;
  }
}

/** Reads from a spool and compares with the master. */
class Reader {
  readonly #spool: Spool;
  readonly sizes: number[] = [];
  at = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** False at the end. */
  async read(): Promise<boolean> {
    const piece = await this.#spool.read();
    if (piece === undefined) return false;
    const same = Buffer.compare(piece, master.subarray(this.at, this.at + piece.length)) === 0;
    expect(same, `the ${piece.length} bytes from ${this.at} on`).toBe(true);
    this.sizes.push(piece.length);
    this.at += piece.length;
    return true;
  }

  async readAll(): Promise<void> {
    while (await this.read());
  }
}

/** The spool files this process holds: they have no name any more, but a descriptor. */
function spoolFiles(): { readonly link: string; readonly path: string }[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    const link = `/proc/self/fd/${fd}`;
    try {
      const path = readlinkSync(link);
      return path.includes(".spool") ? [{ link, path }] : [];
    } catch {
      return []; // The descriptor of the listing itself.
    }
  });
}

describe("what is written", () => {
  it.each([0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, MIB + 1, 5 * MIB + 7])(
    "is read again whole when it is %d bytes and written before anything is read",
    async (bytes) => {
      await using spool = new Spool();
      new Writer(spool).write(bytes);
      spool.end();
      const reader = new Reader(spool);
      await reader.readAll();
      expect([reader.at, spool.writtenBytes]).toEqual([bytes, bytes]);
    },
  );

  it.each([0, 1, 64 * KIB, 64 * KIB + 1, MIB, MIB + 7, 5 * MIB + 7])(
    "of %d bytes is had without waiting as far as memory holds it, and the rest is read after it",
    async (bytes) => {
      await using spool = new Spool();
      new Writer(spool).write(bytes);
      spool.end();
      const waiting = Buffer.concat(spool.takeWaiting());
      expect(Buffer.compare(waiting, master.subarray(0, waiting.length))).toBe(0);
      expect(waiting.length).toBe(bytes < MIB + 512 * KIB ? bytes : MIB);
      expect(spool.takeWaiting()).toEqual([]);
      const reader = new Reader(spool);
      reader.at = waiting.length;
      await reader.readAll();
      expect(reader.at).toBe(bytes);
    },
  );

  it("is read again whole when it comes a byte at a time", async () => {
    await using spool = new Spool();
    const writer = new Writer(spool);
    for (let index = 0; index < 200 * KIB; index++) writer.write(1);
    spool.end();
    const reader = new Reader(spool);
    await reader.readAll();
    expect(reader.sizes).toEqual([192 * KIB, 8 * KIB]);
  });

  it("comes in pieces of 64 to 512 KiB until the last", async () => {
    await using spool = new Spool();
    const writer = new Writer(spool);
    while (writer.at < 4 * MIB) writer.write(1000);
    await spool.flushed();
    spool.end();
    const reader = new Reader(spool);
    await reader.readAll();
    expect(reader.at).toBe(writer.at);
    const allButLast = reader.sizes.slice(0, -1);
    expect(allButLast.filter((size) => size < 64 * KIB || size > 512 * KIB)).toEqual([]);
  });

  it("reaches a reader who was there first, as soon as there is a block of it", async () => {
    await using spool = new Spool();
    const piece = spool.read();
    spool.write(master.subarray(0, 64 * KIB));
    expect(await piece).toHaveLength(64 * KIB);
  });

  it("reaches a reader who was there first in order, however much is written at once", async () => {
    for (const bytes of [100 * KIB, MIB + 300 * KIB, 3 * MIB]) {
      await using spool = new Spool();
      const reader = new Reader(spool);
      const reading = reader.readAll();
      new Writer(spool).write(bytes);
      spool.end();
      await reading;
      expect(reader.at).toBe(bytes);
    }
  });

  it("is not kept as the writer's memory", async () => {
    await using spool = new Spool();
    const reused = Uint8Array.of(1, 2, 3);
    spool.write(reused);
    reused.fill(9);
    spool.end();
    expect(Uint8Array.from((await spool.read()) ?? [])).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("after the end is not taken", async () => {
    await using spool = new Spool();
    spool.write(Uint8Array.of(1));
    spool.end();
    spool.write(Uint8Array.of(2));
    expect(spool.writtenBytes).toBe(1);
    expect(await spool.read()).toHaveLength(1);
    expect(await spool.read()).toBeUndefined();
    expect(await spool.read()).toBeUndefined();
  });

  it("can be iterated", async () => {
    await using spool = new Spool();
    new Writer(spool).write(2 * MIB);
    spool.end();
    let bytes = 0;
    for await (const piece of spool) bytes += piece.length;
    expect(bytes).toBe(2 * MIB);
  });
});

describe("any interleaving of writes and reads", () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: 100 }),
    fc.integer({ min: 1, max: 200 * KIB }),
    fc.integer({ min: 400 * KIB, max: 2 * MIB }),
  );
  const step = <K extends string>(kind: K) => fc.constant({ kind });
  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), bytes: sizes }) },
      { weight: 3, arbitrary: step("begin-read" as const) },
      { weight: 1, arbitrary: step("read-what-is-there" as const) },
      { weight: 1, arbitrary: step("microtask" as const) },
      { weight: 1, arbitrary: step("turn" as const) },
      { weight: 1, arbitrary: step("flushed" as const) },
    ),
    { maxLength: 40, size: "max" },
  );

  it("keeps every byte and its place", async () => {
    const total = { file: 0, memory: 0 };
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        await using spool = new Spool();
        const writer = new Writer(spool);
        const reader = new Reader(spool);
        let reading: Promise<void> | undefined;
        const beginRead = (): void => {
          reading ??= reader.read().then(() => {
            reading = undefined;
          });
        };
        for (const step of script) {
          if (step.kind === "write" && writer.at + step.bytes <= master.length) writer.write(step.bytes);
          if (step.kind === "begin-read") beginRead();
          // All but the last block, which is not handed on before it is full.
          while (step.kind === "read-what-is-there" && writer.at - reader.at >= 64 * KIB) {
            beginRead();
            await reading;
          }
          if (step.kind === "microtask") await undefined;
          if (step.kind === "turn") await turn();
          if (step.kind === "flushed") await spool.flushed();
        }
        total[spoolFiles().length > 0 ? "file" : "memory"] += 1;
        spool.end();
        await reading;
        await reader.readAll();
        expect(reader.at).toBe(writer.at);
      }),
      { numRuns: 100 },
    );
    // Both ways were tried.
    expect(Math.min(total.file, total.memory)).toBeGreaterThan(0);
  });
});

describe("a reader and a writer of different speed", () => {
  it("a reader who waits for each piece gets all of it through memory", async () => {
    await using spool = new Spool();
    const writer = new Writer(spool);
    const reader = new Reader(spool);
    for (let round = 0; round < 32; round++) {
      const piece = reader.read();
      writer.write(64 * KIB);
      await piece;
    }
    expect([reader.at, spoolFiles()]).toEqual([2 * MIB, []]);
  });

  it("a reader who is slower than the writer gets all of it, through the file", async () => {
    await using spool = new Spool();
    const writer = new Writer(spool);
    const reader = new Reader(spool);
    for (let round = 0; round < 32; round++) {
      writer.write(256 * KIB);
      if (round % 4 === 0) await reader.read();
      await spool.flushed();
    }
    expect(spoolFiles()).toHaveLength(1);
    spool.end();
    await reader.readAll();
    expect(reader.at).toBe(8 * MIB);
  });
});

describe("the memory of a spool", () => {
  it("is a MiB before the file, and what waits for the file goes there half a MiB at a time", async () => {
    await using spool = new Spool();
    const writer = new Writer(spool);
    writer.write(SPOOL_MEMORY_BYTES);
    expect([spool.unflushedBytes, spoolFiles().length]).toEqual([0, 0]);
    let most = 0;
    while (writer.at < 15 * MIB) {
      writer.write(128 * KIB);
      most = Math.max(most, spool.unflushedBytes);
      if (spool.unflushedBytes >= 512 * KIB) await spool.flushed();
    }
    expect(most).toBeLessThanOrEqual(640 * KIB);
    const [file] = spoolFiles();
    expect(statSync(file?.link ?? "").size).toBeGreaterThanOrEqual(13 * MIB);
  });

  it("does not grow with the body", async () => {
    await using spool = new Spool();
    const before = memoryInUse();
    for (let times = 0; times < 128; times++) {
      spool.write(master.subarray(0, 512 * KIB));
      await spool.flushed();
    }
    expect(spool.writtenBytes).toBe(64 * MIB);
    // The MiB that is kept, less than half a MiB that waits for the file, and one block.
    expect(memoryInUse() - before).toBeLessThan(2 * MIB);
  });
});

describe("the file of a spool", () => {
  it("is not there as long as memory is enough", async () => {
    await using spool = new Spool();
    new Writer(spool).write(SPOOL_MEMORY_BYTES + 400 * KIB);
    await spool.flushed();
    expect(spoolFiles()).toEqual([]);
  });

  it("has no name and is its owner's alone", async () => {
    await using spool = new Spool();
    new Writer(spool).write(4 * MIB);
    await spool.flushed();
    const [file, ...others] = spoolFiles();
    expect(others).toEqual([]);
    expect(file?.path).toMatch(/ \(deleted\)$/);
    const status = statSync(file?.link ?? "");
    expect([status.mode & 0o777, status.nlink, status.isFile()]).toEqual([0o600, 0, true]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is closed when the spool is disposed of, read or not", async () => {
    const spool = new Spool();
    new Writer(spool).write(4 * MIB);
    await spool.flushed();
    expect(spoolFiles()).toHaveLength(1);
    await spool[Symbol.asyncDispose]();
    expect(spoolFiles()).toEqual([]);
    await spool[Symbol.asyncDispose]();
  });

  it("is closed too when the spool is disposed of while it is being written", async () => {
    const spool = new Spool();
    new Writer(spool).write(4 * MIB);
    await spool[Symbol.asyncDispose]();
    expect(spoolFiles()).toEqual([]);
  });

  it("is closed too when the spool is disposed of while it is being read", async () => {
    const spool = new Spool();
    const reader = new Reader(spool);
    new Writer(spool).write(4 * MIB);
    await spool.flushed();
    for (let times = 0; times < 2; times++) await reader.read();
    const last = spool.read().catch((error: unknown) => error);
    await spool[Symbol.asyncDispose]();
    await last;
    expect(spoolFiles()).toEqual([]);
  });

  it("that cannot be made fails the body, with the reason", async () => {
    vi.stubEnv("TMPDIR", join(folder, "missing"));
    await using spool = new Spool();
    new Writer(spool).write(4 * MIB);
    const why = { name: "BackendError", code: "body.failed", cause: { code: "ENOENT" } };
    await expect(spool.flushed()).rejects.toMatchObject(why);
    await expect(spool.read()).rejects.toMatchObject(why);
    expect(spool.unflushedBytes).toBe(0);
  });
});

describe("the end", () => {
  it("reaches a reader who waits for it", async () => {
    await using spool = new Spool();
    const piece = spool.read();
    await turn();
    spool.end();
    expect(await piece).toBeUndefined();
  });

  it("hands on what did not fill a block", async () => {
    await using spool = new Spool();
    const piece = spool.read();
    spool.write(Uint8Array.of(1, 2, 3));
    await turn();
    spool.end();
    expect(await piece).toHaveLength(3);
  });
});

describe("a failure", () => {
  const failure = new BackendError("clipboard.lost", "the owner went away");

  it("reaches a reader who waits", async () => {
    await using spool = new Spool();
    const piece = spool.read().catch((error: unknown) => error);
    await turn();
    spool.fail(failure);
    expect(await piece).toBe(failure);
  });

  it("reaches the reader at once, before what is written already", async () => {
    await using spool = new Spool();
    new Writer(spool).write(100 * KIB);
    spool.fail(failure);
    await expect(spool.read()).rejects.toBe(failure);
  });

  it("is the first one", async () => {
    await using spool = new Spool();
    spool.fail(failure);
    spool.fail(new BackendError("body.failed", "another"));
    await expect(spool.read()).rejects.toBe(failure);
  });

  it("ends the writing", async () => {
    await using spool = new Spool();
    spool.fail(failure);
    spool.write(Uint8Array.of(1));
    expect(spool.writtenBytes).toBe(0);
  });

  it("is what disposing is to a reader who waits", async () => {
    const spool = new Spool();
    const piece = spool.read().catch((error: unknown) => error);
    await spool[Symbol.asyncDispose]();
    expect(await piece).toMatchObject({ code: "body.failed" });
  });
});

it("an eager reader gets what was written, however little, and in its order with what went to the file", async () => {
  await using spool = new Spool({ eager: true });
  spool.write(Buffer.from("few"));
  expect(Buffer.from((await spool.read()) ?? []).toString()).toBe("few");
  const large = Buffer.alloc(3 * 1024 * 1024, "x");
  spool.write(large);
  spool.write(Buffer.from("end"));
  let bytes = 0;
  let last = "";
  while (bytes < large.length + 3) {
    const piece = (await spool.read()) ?? Buffer.alloc(0);
    bytes += piece.length;
    last = Buffer.from(piece.subarray(-3)).toString();
  }
  expect(last).toBe("end");
});

it("keeps a copy where the memory stays the writer's, in pieces of any size, beyond the file and back", async () => {
  const spool = new Spool();
  const reader = new Reader(spool);
  const lent = new Uint8Array(100 * KIB);
  const sizes = [1, 100 * KIB, 64 * KIB, 31 * KIB, 32 * KIB, 7];
  let at = 0;
  for (let turns = 0; at + lent.length < master.length; turns += 1) {
    const part = master.subarray(at, at + (sizes[turns % sizes.length] ?? 1));
    lent.set(part);
    spool.writeCopy(lent.subarray(0, part.length));
    lent.fill(0);
    at += part.length;
    // Blocks that were read are filled again while others wait.
    if (turns % 5 === 4) await reader.read();
  }
  spool.end();
  while (await reader.read());
  expect(reader.at).toBe(at);
  await spool[Symbol.asyncDispose]();
});

it("fills again what the reader gives back, and nothing else: pieces it keeps stay as they were", async () => {
  const spool = new Spool();
  const kept: { readonly piece: Uint8Array; readonly at: number }[] = [];
  let [written, taken] = [0, 0];
  while (taken < 12 * MIB) {
    for (; written < taken + 2 * MIB; written += 2000) spool.writeCopy(master.subarray(written, written + 2000));
    const piece = await spool.read();
    if (piece === undefined) throw new Error("it has ended");
    expect(Buffer.compare(piece, master.subarray(taken, taken + piece.length))).toBe(0);
    if (kept.length < 5) kept.push({ piece, at: taken });
    else spool.giveBack(piece);
    taken += piece.length;
  }
  for (const { piece, at } of kept)
    expect(Buffer.compare(piece, master.subarray(at, at + piece.length)), `kept from ${at} on`).toBe(0);
  await spool[Symbol.asyncDispose]();
});
