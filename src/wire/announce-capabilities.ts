// ANNOUNCE_CAPABILITIES, both ways: VDAgentAnnounceCapabilities in vd_agent.h.
import type { AgentCap } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { type Codec, restOfU32 } from "./codec.ts";

/** Far above the one word that 18 capabilities need; a longer list is nonsense. */
const MAX_WORDS = 64;

export interface AnnounceCapabilities {
  /** The peer wants ours in return. */
  readonly request: boolean;
  /** Bit b of word w is capability 32w+b. */
  readonly words: readonly number[];
}

export const announceCapabilities: Codec<AnnounceCapabilities> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    return { request: reader.u32() !== 0, words: restOfU32(reader, "capabilities", MAX_WORDS) };
  },
  encode: ({ request, words }) => {
    const writer = new ByteWriter(4 + 4 * words.length);
    writer.u32(request ? 1 : 0);
    for (const word of words) writer.u32(word);
    return writer.finish();
  },
};

export function hasCap(words: readonly number[], cap: AgentCap): boolean {
  return (((words[cap >>> 5] ?? 0) >>> (cap & 31)) & 1) === 1;
}

/** The words in which exactly these capabilities are set. */
export function capWords(caps: Iterable<AgentCap>): number[] {
  let word = 0;
  for (const cap of caps) word |= 1 << cap;
  return [word >>> 0];
}
