// The other end of the port: what spice-server, or QEMU's own agent end, says and does to a guest agent.
// Strict where the real ones are: what makes them drop an agent is recorded here as a violation, and drops it too.
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { AgentCap, ChunkPort } from "../../src/wire/agent-constants.ts";
import { encodeChunks } from "../../src/wire/agent-frame.ts";
import { capWords } from "../../src/wire/announce-capabilities.ts";
import { DecodeError } from "../../src/wire/bytes.ts";
import {
  type AgentMessage,
  type AgentMessageName,
  decodeMessage,
  messageName,
  streamedHeadSize,
} from "../../src/wire/catalogue.ts";
import { bareLayout, type Layout } from "../../src/wire/codec.ts";

/** `spice-server` forwards a viewer's messages in chunks of 2048 bytes; `qemu-vdagent` talks by itself, in 1024. */
export type HostKind = "spice-server" | "qemu-vdagent";

/** What spice-gtk 0.42 announces, and what qemu-vdagent does with clipboard=on and mouse=on. */
export const viewerCaps: Readonly<Record<HostKind, readonly number[]>> = {
  "spice-server": [0x00035077],
  "qemu-vdagent": capWords([
    AgentCap.MOUSE_STATE,
    AgentCap.CLIPBOARD_BY_DEMAND,
    AgentCap.CLIPBOARD_SELECTION,
    AgentCap.CLIPBOARD_GRAB_SERIAL,
  ]),
};

const chunkBytes: Readonly<Record<HostKind, number>> = { "spice-server": 2048, "qemu-vdagent": 1024 };
const CHUNK_HEADER = 8;
const MESSAGE_HEADER = 20;

export type GuestMessage<N extends AgentMessageName = AgentMessageName> = AgentMessage<N> & {
  /** Of CLIPBOARD and FILE_XFER_DATA. */
  readonly data: Uint8Array;
};

export interface FakeHostOptions {
  readonly kind?: HostKind;
  /** The layout under which the viewer reads and writes clipboard messages. */
  readonly layout?: Layout;
}

export class FakeHost {
  readonly kind: HostKind;
  layout: Layout;
  /** Everything the guest has said, oldest first. */
  readonly messages: GuestMessage[] = [];
  /** What a real host would have thrown the agent out for. */
  readonly violations: string[] = [];
  /** Resolves when the guest's end is gone. */
  readonly closed: Promise<void>;
  readonly #duplex: Duplex;
  readonly #arrivals = new Set<() => void>();
  #bytes = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  #announces = 0;
  #consumed = 0;

  constructor(duplex: Duplex, options: FakeHostOptions = {}) {
    this.kind = options.kind ?? "spice-server";
    this.layout = options.layout ?? { selection: true, serial: true };
    this.#duplex = duplex;
    this.closed = new Promise<void>((resolve) => duplex.once("close", resolve)).then(() => this.#notify());
    duplex.on("error", () => {});
    duplex.on("end", () => duplex.destroy());
    duplex.on("data", (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      while (this.#takeChunk());
    });
    // QEMU's end speaks first.
    if (this.kind === "qemu-vdagent") this.announce(true);
  }

  announce(request: boolean, words: readonly number[] = viewerCaps[this.kind]): void {
    this.send({ name: "ANNOUNCE_CAPABILITIES", value: { request, words } });
  }

  /** A viewer connects: announces itself and waits for the answer. */
  async connectViewer(words?: readonly number[]): Promise<GuestMessage<"ANNOUNCE_CAPABILITIES">> {
    this.announce(true, words);
    return this.next("ANNOUNCE_CAPABILITIES");
  }

  disconnectViewer(): void {
    this.send({ name: "CLIENT_DISCONNECTED", value: {} }, { port: ChunkPort.SERVER });
  }

  send(
    message: AgentMessage,
    {
      port = ChunkPort.CLIENT,
      data,
      size = chunkBytes[this.kind],
    }: { port?: number; data?: Uint8Array; size?: number } = {},
  ): void {
    const isAnnounce = message.name === "ANNOUNCE_CAPABILITIES";
    for (const chunk of encodeChunks(port, message, isAnnounce ? bareLayout : this.layout, data, size)) this.raw(chunk);
  }

  /** Any bytes, well formed or not. */
  raw(bytes: Uint8Array): void {
    if (!this.#duplex.destroyed) this.#duplex.write(bytes);
  }

  /** Resolves when the guest has taken so much that there is room for more. Throws when the port is closed meanwhile. */
  async drained(): Promise<void> {
    if (this.#duplex.writableNeedDrain) await once(this.#duplex, "drain");
  }

  /** The next message of this name that no earlier call has returned. Throws after `timeoutMs`. */
  async next<N extends AgentMessageName>(name: N, timeoutMs = 20_000): Promise<GuestMessage<N>> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const index = this.messages.findIndex((message, at) => at >= this.#consumed && message.name === name);
      const found = this.messages[index];
      if (found !== undefined) {
        this.#consumed = index + 1;
        return found as GuestMessage<N>;
      }
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || this.#duplex.destroyed) {
        const said = this.messages.slice(this.#consumed).map((message) => message.name);
        throw new Error(
          `no ${name} from the guest; it said ${said.join(", ") || "nothing"}; ${this.violations.join("; ")}`,
        );
      }
      await this.#arrival(leftMs);
    }
  }

  /** Everything said after what `next` has returned. */
  get unread(): readonly GuestMessage[] {
    return this.messages.slice(this.#consumed);
  }

  /** The guest's messages pile up from here on. */
  stopReading(): void {
    this.#duplex.pause();
  }

  readOn(): void {
    this.#duplex.resume();
  }

  /** As when the server forgets the agent: the guest sees its port hang up. */
  close(): void {
    this.#duplex.destroy();
  }

  #arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const arrived = (): void => {
        clearTimeout(timer);
        this.#arrivals.delete(arrived);
        resolve();
      };
      const timer = setTimeout(arrived, timeoutMs);
      this.#arrivals.add(arrived);
    });
  }

  #notify(): void {
    for (const arrived of [...this.#arrivals]) arrived();
  }

  #takeChunk(): boolean {
    if (this.#bytes.length < CHUNK_HEADER) return false;
    const port = this.#bytes.readUInt32LE(0);
    const size = this.#bytes.readUInt32LE(4);
    if (port !== ChunkPort.CLIENT && port !== ChunkPort.SERVER) return this.#violated(`chunk for port ${port}`);
    if (size === 0) return this.#violated("chunk of 0 bytes");
    if (this.#bytes.length < CHUNK_HEADER + size) return false;
    const chunk = this.#bytes.subarray(CHUNK_HEADER, CHUNK_HEADER + size);
    this.#bytes = this.#bytes.subarray(CHUNK_HEADER + size);
    return port === ChunkPort.SERVER || this.#takePiece(chunk);
  }

  #takePiece(chunk: Buffer): boolean {
    if (this.#pieces.length === 0 && chunk.length < MESSAGE_HEADER)
      return this.#violated("a message header cut in two");
    this.#pieces.push(chunk);
    const message = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    if (message.readUInt32LE(0) !== 1) return this.#violated(`protocol ${message.readUInt32LE(0)}`);
    const size = message.readUInt32LE(16);
    if (message.length > MESSAGE_HEADER + size) return this.#violated("bytes after the end of a message");
    if (message.length < MESSAGE_HEADER + size) return true;
    this.#pieces = [];
    this.#received(message.readUInt32LE(4), message.subarray(MESSAGE_HEADER));
    return true;
  }

  #received(type: number, body: Buffer): void {
    const head = streamedHeadSize(type, this.layout) ?? body.length;
    let message: AgentMessage;
    try {
      message = decodeMessage(type, body.subarray(0, head), this.layout);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      // A viewer logs it and goes on.
      this.violations.push(`${messageName(type)}: ${error.message}`);
      return;
    }
    this.messages.push({ ...message, data: body.subarray(head) });
    if (message.name === "ANNOUNCE_CAPABILITIES") this.#announced();
    this.#notify();
  }

  /** Recent QEMU closes the port at every announce after the first, to begin with fresh serials. */
  #announced(): void {
    this.#announces += 1;
    if (this.kind === "qemu-vdagent" && this.#announces > 1) this.#violated("a second announce");
  }

  #violated(what: string): false {
    this.violations.push(what);
    this.#duplex.destroy();
    return false;
  }
}
