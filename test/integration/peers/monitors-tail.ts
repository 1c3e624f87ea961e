/**
 * The viewer's side of a SPICE main channel, with the millimetres taken out of its MONITORS_CONFIGs. Debian's agent
 * (0.22.1) drops every configuration that has them, and every current viewer sends them: without this it could not be
 * measured against at all. Layouts as in spice/protocol.h and spice/vd_agent.h.
 */

const MAIN_CHANNEL = 1;
const LINK_HEADER_BYTES = 16;
const TICKET_BYTES = 128;
const AUTH_SPICE = 1;
/** Bits of the first word of the common capabilities. */
const CAP_AUTH_SELECTION = 1 << 0;
const CAP_MINI_HEADER = 1 << 3;

/** SPICE_MSGC_MAIN_AGENT_START and _DATA. */
const AGENT_START = 106;
const AGENT_DATA = 107;
const AGENT_HEADER_BYTES = 20;
const VD_AGENT_MONITORS_CONFIG = 2;
const FLAG_PHYSICAL_SIZE = 2;
const MONITOR_BYTES = 20;
const MAX_LINK_BYTES = 4096;

/** One viewer-to-server stream. `push` takes what arrived and returns what goes on: the same but for the tails. */
export class MonitorsTailStripper {
  /** Configurations changed so far. */
  stripped = 0;
  #state: "link" | "auth" | "messages" | "other" = "link";
  #buffer: Buffer = Buffer.alloc(0);
  #clientCaps = 0;
  #serverCaps = 0;
  /** Bytes that still go through unseen. */
  #skip = 0;
  /** Bytes of the current agent message that come in further AGENT_DATA messages. */
  #agentLeft = 0;

  /** The server's common capabilities, known before the viewer says anything that depends on them. */
  setServerCapabilities(word: number): void {
    this.#serverCaps = word;
  }

  push(chunk: Buffer): Buffer[] {
    const out: Buffer[] = [];
    let input = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, chunk]) : chunk;
    while (input.length > 0) {
      if (this.#skip === 0) {
        const held = this.#decide(input, out);
        if (held === "more") break;
        input = input.subarray(held);
      }
      const skipped = Math.min(this.#skip, input.length);
      if (skipped > 0) out.push(input.subarray(0, skipped));
      this.#skip -= skipped;
      input = input.subarray(skipped);
    }
    this.#buffer = input;
    return out;
  }

  /**
   * Looks at what starts at the beginning of `input`: either sets how much of it goes through unseen (returning 0), or
   * has put out a changed copy of it (returning the length of the original), or needs more of it.
   */
  #decide(input: Buffer, out: Buffer[]): number | "more" {
    switch (this.#state) {
      case "link":
        return this.#link(input);
      case "auth":
        return this.#auth(input);
      case "messages":
        return this.#message(input, out);
      case "other":
        this.#skip = Number.POSITIVE_INFINITY;
        return 0;
    }
  }

  #link(input: Buffer): number | "more" {
    const link = readLink(input);
    if (link === undefined) return "more";
    this.#clientCaps = commonCapabilities(link, 6);
    this.#state = link[4] === MAIN_CHANNEL ? "auth" : "other";
    this.#skip = LINK_HEADER_BYTES + link.length;
    return 0;
  }

  #auth(input: Buffer): number | "more" {
    const selected = (this.#clientCaps & this.#serverCaps & CAP_AUTH_SELECTION) !== 0;
    if (selected && input.length < 4) return "more";
    if (selected && input.readUInt32LE(0) !== AUTH_SPICE)
      throw new Error("only SPICE tickets can be passed on, not SASL");
    this.#state = "messages";
    this.#skip = TICKET_BYTES + (selected ? 4 : 0);
    return 0;
  }

  #message(input: Buffer, out: Buffer[]): number | "more" {
    const mini = (this.#clientCaps & this.#serverCaps & CAP_MINI_HEADER) !== 0;
    // Mini: u16 type, u32 size. Full: u64 serial, u16 type, u32 size, u32 sub_list.
    const at = mini ? 0 : 8;
    const header = mini ? 6 : 18;
    if (input.length < header) return "more";
    const type = input.readUInt16LE(at);
    const size = input.readUInt32LE(at + 2);
    if (type === AGENT_START) this.#agentLeft = 0;
    if (type === AGENT_DATA && this.#agentLeft > 0) {
      this.#agentLeft = Math.max(0, this.#agentLeft - size);
    } else if (type === AGENT_DATA && size >= AGENT_HEADER_BYTES) {
      if (input.length < header + AGENT_HEADER_BYTES) return "more";
      const agentSize = input.readUInt32LE(header + 16);
      this.#agentLeft = Math.max(0, AGENT_HEADER_BYTES + agentSize - size);
      // 16 heads make 412 bytes; only a whole message is touched.
      if (input.readUInt32LE(header + 4) === VD_AGENT_MONITORS_CONFIG && this.#agentLeft === 0) {
        if (input.length < header + size) return "more";
        out.push(this.#strip(input.subarray(0, header + size), at + 2, header));
        return header + size;
      }
    }
    this.#skip = header + size;
    return 0;
  }

  #strip(message: Buffer, sizeAt: number, agentAt: number): Buffer {
    const body = agentAt + AGENT_HEADER_BYTES;
    if (message.length < body + 8) return message;
    const flags = message.readUInt32LE(body + 4);
    const bodyBytes = 8 + message.readUInt32LE(body) * MONITOR_BYTES;
    if ((flags & FLAG_PHYSICAL_SIZE) === 0 || body + bodyBytes > message.length) return message;
    const short = Buffer.from(message.subarray(0, body + bodyBytes));
    short.writeUInt32LE(AGENT_HEADER_BYTES + bodyBytes, sizeAt);
    short.writeUInt32LE(bodyBytes, agentAt + 16);
    short.writeUInt32LE((flags & ~FLAG_PHYSICAL_SIZE) >>> 0, body + 4);
    this.stripped++;
    return short;
  }
}

/** The first word of the common capabilities in the server's answer, or undefined until it is complete. */
export function serverCapabilities(start: Buffer): number | undefined {
  const link = readLink(start);
  // After the error code and the key of 162 bytes.
  return link === undefined ? undefined : commonCapabilities(link, 166);
}

/** The body of a link message: after "REDQ", major, minor and its size. */
function readLink(input: Buffer): Buffer | undefined {
  if (input.length < LINK_HEADER_BYTES) return undefined;
  const size = input.readUInt32LE(12);
  if (input.toString("latin1", 0, 4) !== "REDQ" || size > MAX_LINK_BYTES) throw new Error("not a SPICE connection");
  return input.length < LINK_HEADER_BYTES + size
    ? undefined
    : input.subarray(LINK_HEADER_BYTES, LINK_HEADER_BYTES + size);
}

/** `at`: where the number of common capability words is; the number of the channel's and their offset follow. */
function commonCapabilities(link: Buffer, at: number): number {
  return link.readUInt32LE(at) === 0 ? 0 : link.readUInt32LE(link.readUInt32LE(at + 8));
}
