// A host that means ill or has lost its way: noise, and messages that are wrong in every way a message can be.
import { AgentMessageType } from "../../src/wire/agent-constants.ts";
import { encodeChunk, messageHeader } from "../../src/wire/agent-frame.ts";
import { ByteWriter, joined } from "../../src/wire/bytes.ts";
import { allBadBodies, allBodies } from "../fixtures/all-bodies.ts";
import { bytesOf } from "../fixtures/fixture.ts";

/** Numbers that look like chance and are the same for the same seed (sfc32). */
export class SeededRandom {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, seed);
    for (let round = 0; round < 16; round++) this.u32();
  }

  u32(): number {
    const [a = 0, b = 0, c = 0, counter = 0] = this.#state;
    const result = (a + b + counter) >>> 0;
    this.#state[3] = counter + 1;
    this.#state[0] = b ^ (b >>> 9);
    this.#state[1] = c + (c << 3);
    this.#state[2] = ((c << 21) | (c >>> 11)) + result;
    return result;
  }

  /** 0 up to but not including `bound`. */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  pick<T>(from: readonly T[]): T {
    const index = this.below(from.length);
    const found = from[index];
    if (found === undefined) throw new RangeError("nothing to pick from");
    return found;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.u32());
  }
}

interface PlainMessage {
  readonly protocol: number;
  readonly type: number;
  readonly size: number;
  readonly body: Uint8Array;
}

/** Good and bad bodies of every message, to begin from. */
const seeds: readonly { readonly type: number; readonly body: Uint8Array }[] = [
  ...allBodies.map((fixture) => ({ type: AgentMessageType[fixture.value.name], body: bytesOf(fixture) })),
  ...allBadBodies.map((fixture) => ({ type: AgentMessageType[fixture.name], body: bytesOf(fixture) })),
];

const hugeCounts = [257, 4096, 65537, 0x0100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const sizes = [
  0,
  1,
  3,
  4,
  7,
  8,
  11,
  12,
  13,
  65535,
  65536,
  65537,
  1024 * 1024,
  1024 * 1024 + 1,
  0x4000_0001,
  0xffff_ffff,
];
const badPorts = [0, 3, 4, 0x0100_0000, 0xffff_ffff];

/** The ways, each in turn by chance. Names are for the report of a failure. */
const hostileWays = [
  "untouched",
  "flipped body",
  "flipped message",
  "flipped chunk",
  "wrong message size",
  "wrong chunk size",
  "wrong port",
  "truncated body",
  "unfinished message",
  "short chunk",
  "cut chunk",
  "huge count",
  "unknown type",
  "wrong protocol",
  "empty chunk",
  "overrun",
  "data in pieces",
  "noise in a chunk",
  "noise",
] as const;
type HostileWay = (typeof hostileWays)[number];

/** Those after which the reader may stand amid a chunk that never was one. */
const framingBreakers: ReadonlySet<HostileWay> = new Set([
  "flipped chunk",
  "wrong chunk size",
  "wrong port",
  "cut chunk",
  "noise",
]);

export class HostileHost {
  readonly seed: number;
  readonly random: SeededRandom;
  #way: HostileWay = "untouched";

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
  }

  /** What is wrong with the bytes that `next` has returned last. */
  get way(): HostileWay {
    return this.#way;
  }

  /** The bytes that `next` has returned last were whole chunks for ports that exist, whatever is in them. */
  get keptFraming(): boolean {
    return !framingBreakers.has(this.#way);
  }

  /** One hostile message in its chunks. */
  next(): Uint8Array {
    this.#way = this.random.pick(hostileWays);
    return this.#make(this.#way);
  }

  #make(way: HostileWay): Uint8Array {
    const { random } = this;
    const port = 1 + random.below(2);
    const { type, body } = random.pick(seeds);
    const whole: PlainMessage = { protocol: 1, type, size: body.length, body };
    const inChunks = (message: PlainMessage): Uint8Array => this.#chunks(port, laid(message));
    switch (way) {
      case "untouched":
        return inChunks(whole);
      case "flipped body":
        return inChunks({ ...whole, body: this.#flipped(body) });
      case "flipped message":
        return this.#chunks(port, this.#flipped(laid(whole)));
      case "flipped chunk":
        return this.#flipped(inChunks(whole));
      case "wrong message size":
        return inChunks({
          ...whole,
          size: random.below(2) === 0 ? random.pick(sizes) : random.below(body.length + 64),
        });
      case "wrong chunk size": {
        const chunks = inChunks(whole);
        new DataView(chunks.buffer).setUint32(4, random.below(2) === 0 ? random.pick(sizes) : random.below(100), true);
        return chunks;
      }
      case "wrong port":
        return this.#chunks(random.pick(badPorts), laid(whole));
      case "truncated body": {
        const shorter = body.subarray(0, random.below(body.length + 1));
        return inChunks({ ...whole, body: shorter, size: shorter.length });
      }
      case "unfinished message":
        return inChunks({ ...whole, body: body.subarray(0, random.below(body.length + 1)) });
      case "short chunk":
        return encodeChunk(port, laid(whole).subarray(0, 1 + random.below(messageHeader.size - 1)));
      case "cut chunk": {
        const chunks = inChunks(whole);
        return chunks.subarray(0, 1 + random.below(chunks.length));
      }
      case "huge count": {
        const hostile = body.slice();
        const places = Math.floor(hostile.length / 4);
        const count = random.pick(hugeCounts);
        if (places > 0) new DataView(hostile.buffer).setUint32(4 * random.below(Math.min(places, 6)), count, true);
        return inChunks({ ...whole, body: hostile });
      }
      case "unknown type":
        return inChunks({ ...whole, type: random.below(2) === 0 ? 17 + random.below(100) : random.u32() });
      case "wrong protocol":
        return inChunks({ ...whole, protocol: random.below(2) === 0 ? 2 : random.u32() });
      case "empty chunk":
        return encodeChunk(port, new Uint8Array(0));
      case "overrun":
        return encodeChunk(port, joined([laid(whole), random.bytes(1 + random.below(64))]));
      case "data in pieces": {
        const streamed = random.pick([AgentMessageType.CLIPBOARD, AgentMessageType.FILE_XFER_DATA]);
        const data = random.bytes(random.below(600));
        return inChunks({ protocol: 1, type: streamed, size: data.length, body: data });
      }
      case "noise in a chunk":
        return encodeChunk(port, random.bytes(1 + random.below(200)));
      case "noise":
        return random.bytes(1 + random.below(300));
      default:
        return way satisfies never;
    }
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const flipped = bytes.slice();
    for (let times = 1 + this.random.below(4); times > 0 && flipped.length > 0; times--) {
      const at = this.random.below(flipped.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << this.random.below(8));
    }
    return flipped;
  }

  /** In one chunk, or in several of a size the host would never choose. */
  #chunks(port: number, message: Uint8Array): Uint8Array {
    if (this.random.below(4) > 0) return encodeChunk(port, message);
    const chunkBytes = messageHeader.size + this.random.below(60);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < message.length; at += chunkBytes)
      chunks.push(encodeChunk(port, message.subarray(at, at + chunkBytes)));
    return joined(chunks);
  }
}

function laid({ protocol, type, size, body }: PlainMessage): Uint8Array {
  const writer = new ByteWriter(messageHeader.size + body.length);
  messageHeader.write(writer, { protocol, type, opaque: 0n, size });
  writer.put(body);
  return writer.finish();
}
