// Bytes around a message on the port: chunk header (VDIChunkHeader) and message header (VDAgentMessage).
import { PROTOCOL } from "./agent-constants.ts";
import { ByteWriter } from "./bytes.ts";
import { type AgentMessage, catalogue, encodeMessage } from "./catalogue.ts";
import type { Layout } from "./codec.ts";
import { struct, u32, u64 } from "./fields.ts";

export const chunkHeader = struct({ port: u32, size: u32 });
export const messageHeader = struct({ protocol: u32, type: u32, opaque: u64, size: u32 });

/** Most a host puts in one chunk: VD_AGENT_MAX_DATA_SIZE. */
export const HOST_CHUNK_BYTES = 2048;

/**
 * A message as one chunk. `dataBytes` is the size of a streamed body that follows these bytes on the link.
 * One chunk whatever the size is what spice-server reads fastest, and it can never be cut at a place the server forbids.
 */
export function encodeFrame(port: number, message: AgentMessage, layout: Layout, dataBytes = 0): Uint8Array {
  const body = encodeMessage(message, layout);
  const size = body.length + dataBytes;
  const writer = new ByteWriter(chunkHeader.size + messageHeader.size + body.length);
  chunkHeader.write(writer, { port, size: messageHeader.size + size });
  messageHeader.write(writer, { protocol: PROTOCOL, type: catalogue[message.name].type, opaque: 0n, size });
  writer.put(body);
  return writer.finish();
}

/** A message with its data, cut into chunks of at most `chunkBytes` as a host does: the first holds the whole header. */
export function encodeChunks(
  port: number,
  message: AgentMessage,
  layout: Layout,
  data: Uint8Array = new Uint8Array(0),
  chunkBytes: number = HOST_CHUNK_BYTES,
): Uint8Array[] {
  const frame = encodeFrame(port, message, layout, data.length);
  const whole = new Uint8Array(frame.length - chunkHeader.size + data.length);
  whole.set(frame.subarray(chunkHeader.size));
  whole.set(data, frame.length - chunkHeader.size);
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < whole.length; start += chunkBytes) {
    chunks.push(encodeChunk(port, whole.subarray(start, start + chunkBytes)));
  }
  return chunks;
}

/** Any bytes as one chunk. */
export function encodeChunk(port: number, bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter(chunkHeader.size + bytes.length);
  chunkHeader.write(writer, { port, size: bytes.length });
  writer.put(bytes);
  return writer.finish();
}
