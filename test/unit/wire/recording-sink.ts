// A receiver of an AgentStream that writes down what it was told.
import type { AgentStream, AgentStreamSink } from "../../../src/wire/agent-stream.ts";
import type { DecodeErrorCode } from "../../../src/wire/bytes.ts";

export type StreamEvent =
  | { readonly kind: "message"; readonly port: number; readonly type: number; readonly body: Uint8Array }
  | {
      readonly kind: "begin";
      readonly port: number;
      readonly type: number;
      readonly head: Uint8Array;
      readonly bytes: number;
    }
  | { readonly kind: "piece"; readonly port: number; readonly piece: Uint8Array }
  | { readonly kind: "end"; readonly port: number }
  | { readonly kind: "abort"; readonly port: number }
  | { readonly kind: "dropped"; readonly port: number; readonly code: DecodeErrorCode };

export class RecordingSink implements AgentStreamSink {
  readonly events: StreamEvent[] = [];

  message(port: number, type: number, body: Uint8Array): void {
    this.events.push({ kind: "message", port, type, body });
  }

  dataBegin(port: number, type: number, head: Uint8Array, bytes: number): void {
    this.events.push({ kind: "begin", port, type, head, bytes });
  }

  dataPiece(port: number, piece: Uint8Array): void {
    this.events.push({ kind: "piece", port, piece });
  }

  dataEnd(port: number): void {
    this.events.push({ kind: "end", port });
  }

  dataAbort(port: number): void {
    this.events.push({ kind: "abort", port });
  }

  dropped(port: number, error: { readonly code: DecodeErrorCode }): void {
    this.events.push({ kind: "dropped", port, code: error.code });
  }

  /** The events without the sizes in which data happened to come: all of it stands at its end. */
  gathered(): readonly unknown[] {
    const data = new Map<number, Uint8Array[]>();
    const gathered: unknown[] = [];
    for (const event of this.events) {
      if (event.kind === "begin") data.set(event.port, []);
      if (event.kind === "piece") data.get(event.port)?.push(event.piece);
      else if (event.kind === "end" || event.kind === "abort")
        gathered.push({ ...event, data: Buffer.concat(data.get(event.port) ?? []).toString("hex") });
      else gathered.push(event);
    }
    return gathered;
  }

  /** What was dropped, and why. */
  get droppedCodes(): DecodeErrorCode[] {
    return this.events.flatMap((event) => (event.kind === "dropped" ? [event.code] : []));
  }
}

/** Pushes the bytes in pieces of these sizes, over and over; the sizes are at least 1. */
export function pushInPieces(stream: Pick<AgentStream, "push">, bytes: Uint8Array, sizes: readonly number[]): void {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    stream.push(bytes.subarray(at, at + size));
    at += size;
  }
}
