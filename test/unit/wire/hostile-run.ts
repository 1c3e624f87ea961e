// What the wire has to stand: hostile bytes without end, and after any number of them one good message that is understood.
import { setImmediate as turn } from "node:timers/promises";
import { encodeFrame } from "../../../src/wire/agent-frame.ts";
import { AgentStream, type AgentStreamSink } from "../../../src/wire/agent-stream.ts";
import { DecodeError } from "../../../src/wire/bytes.ts";
import { type AgentMessage, decodeMessage, streamedHeadSize } from "../../../src/wire/catalogue.ts";
import type { Layout } from "../../../src/wire/codec.ts";
import { HostileHost } from "../../fakes/hostile-bytes.ts";
import { memoryInUse } from "../../fakes/memory-in-use.ts";
import { allLayouts } from "../../fixtures/layouts.ts";

const BURST = 1000;

export interface HostileRun {
  readonly decoded: number;
  readonly refused: number;
  readonly dropped: number;
  /** How often the framing was lost. */
  readonly lost: number;
  /** Good messages understood by a stream that had been through hostile bytes, and by a new one. */
  readonly resynchronised: number;
  readonly anew: number;
  /** Bytes of memory in use at the end, above what was in use after a tenth of the run. */
  readonly growth: number;
}

const announce: AgentMessage = { name: "ANNOUNCE_CAPABILITIES", value: { request: true, words: [0xcafe_f00d] } };

/** Throws, and names the seed, when anything but a DecodeError comes out or the good message is not understood. */
export async function hostileRun(seed: number, messages: number): Promise<HostileRun> {
  const host = new HostileHost(seed);
  const receiver = new Receiver();
  let lost = 0;
  let resynchronised = 0;
  let anew = 0;
  let plateau = 0;
  let stream = receiver.newStream();
  /** No chunk was broken since the stream began: it stands where a chunk begins. */
  let inStep = true;

  for (let done = 0; done < messages; ) {
    const way = (): string => `seed ${seed}, message ${done}, ${host.way}`;
    try {
      for (let burst = 0; burst < BURST && done < messages; burst++, done++) {
        receiver.layout = host.random.pick(allLayouts);
        // Now and then the viewer or the host goes: else half-sent messages would swallow most of those after them.
        if (host.random.below(2) === 0) {
          if (!inStep) stream = receiver.newStream();
          inStep = true;
          stream.reset(1);
          stream.reset(2);
        }
        const bytes = host.next();
        inStep &&= host.keptFraming;
        if (pushed(stream, bytes, host)) continue;
        lost += 1;
        stream = receiver.newStream();
        inStep = true;
      }
      if (inStep) resynchronised += 1;
      else {
        anew += 1;
        stream = receiver.newStream();
        inStep = true;
      }
      const port = 1 + host.random.below(2);
      stream.reset(1);
      stream.reset(2);
      receiver.last = undefined;
      stream.push(encodeFrame(port, announce, receiver.layout));
      if (!isAnnounce(receiver.last)) throw new Error("the good message after a burst was not understood");
    } catch (error) {
      throw new Error(`hostile bytes: ${way()}`, { cause: error });
    }
    // The test runner wants to hear from a run of minutes.
    await turn();
    if (plateau === 0 && done >= messages / 10) plateau = memoryInUse();
  }
  const { decoded, refused, dropped } = receiver;
  return { decoded, refused, dropped, lost, resynchronised, anew, growth: memoryInUse() - plateau };
}

/** False when the framing was lost. */
function pushed(stream: AgentStream, bytes: Uint8Array, host: HostileHost): boolean {
  const cut = host.random.below(bytes.length + 1);
  try {
    stream.push(bytes.subarray(0, cut));
    stream.push(bytes.subarray(cut));
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

function isAnnounce(message: AgentMessage | undefined): boolean {
  return (
    message?.name === "ANNOUNCE_CAPABILITIES" &&
    message.value.request &&
    message.value.words.length === 1 &&
    message.value.words[0] === 0xcafe_f00d
  );
}

/** Decodes what it is handed, as the agent does, and sees that streams keep their promises. */
class Receiver {
  layout: Layout = { selection: false, serial: false };
  last: AgentMessage | undefined;
  decoded = 0;
  refused = 0;
  dropped = 0;

  newStream(): AgentStream {
    /** Bytes of data still to come on each port; absent when none is under way. */
    const open = new Map<number, number>();
    const close = (port: number): void => {
      if (!open.delete(port)) throw new Error("a body ended that had not begun");
    };
    const sink: AgentStreamSink = {
      message: (_, type, body) => this.#decode(type, body),
      dataBegin: (port, type, head, dataBytes) => {
        if (open.has(port)) throw new Error("a body began within another");
        open.set(port, dataBytes);
        this.#decode(type, head);
      },
      dataPiece: (port, piece) => {
        const left = (open.get(port) ?? 0) - piece.length;
        if (left < 0 || piece.length === 0) throw new Error("a piece that was not announced");
        open.set(port, left);
      },
      dataEnd: (port) => {
        if (open.get(port) !== 0) throw new Error("a body ended too early");
        close(port);
      },
      dataAbort: close,
      dropped: () => {
        this.dropped += 1;
      },
    };
    return new AgentStream(sink, { headSize: (type) => streamedHeadSize(type, this.layout) });
  }

  #decode(type: number, body: Uint8Array): void {
    try {
      this.last = decodeMessage(type, body, this.layout);
      this.decoded += 1;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw new Error("decoding threw something else", { cause: error });
      this.refused += 1;
    }
  }
}
