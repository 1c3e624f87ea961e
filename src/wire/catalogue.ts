// Every message of the agent protocol, once: its number, its name, its codec, and how its body travels.
import { AgentMessageType } from "./agent-constants.ts";
import { announceCapabilities } from "./announce-capabilities.ts";
import { audioVolumeSync } from "./audio-volume-sync.ts";
import { DecodeError } from "./bytes.ts";
import { clientDisconnected } from "./client-disconnected.ts";
import { clipboardDataHead, clipboardDataHeadSize } from "./clipboard-data.ts";
import { clipboardGrab } from "./clipboard-grab.ts";
import { clipboardRelease } from "./clipboard-release.ts";
import { clipboardRequest } from "./clipboard-request.ts";
import type { Codec, Layout } from "./codec.ts";
import { displayConfig } from "./display-config.ts";
import { FILE_XFER_DATA_HEAD_SIZE, fileXferDataHead } from "./file-xfer-data.ts";
import { fileXferStart } from "./file-xfer-start.ts";
import { fileXferStatus } from "./file-xfer-status.ts";
import { graphicsDeviceInfo } from "./graphics-device-info.ts";
import { maxClipboard } from "./max-clipboard.ts";
import { monitorsConfig } from "./monitors-config.ts";
import { mouseState } from "./mouse-state.ts";
import { reply } from "./reply.ts";

interface Entry<T> {
  readonly type: AgentMessageType;
  readonly codec: Codec<T>;
  /** Bytes before the data of a streamed message; absent when the body is handed on whole. */
  readonly headSize?: (layout: Layout) => number;
}

function entry<T>(type: AgentMessageType, codec: Codec<T>, headSize?: (layout: Layout) => number): Entry<T> {
  return headSize === undefined ? { type, codec } : { type, codec, headSize };
}

/** By name, in the order of vd_agent.h. */
export const catalogue = {
  MOUSE_STATE: entry(AgentMessageType.MOUSE_STATE, mouseState),
  MONITORS_CONFIG: entry(AgentMessageType.MONITORS_CONFIG, monitorsConfig),
  REPLY: entry(AgentMessageType.REPLY, reply),
  CLIPBOARD: entry(AgentMessageType.CLIPBOARD, clipboardDataHead, clipboardDataHeadSize),
  DISPLAY_CONFIG: entry(AgentMessageType.DISPLAY_CONFIG, displayConfig),
  ANNOUNCE_CAPABILITIES: entry(AgentMessageType.ANNOUNCE_CAPABILITIES, announceCapabilities),
  CLIPBOARD_GRAB: entry(AgentMessageType.CLIPBOARD_GRAB, clipboardGrab),
  CLIPBOARD_REQUEST: entry(AgentMessageType.CLIPBOARD_REQUEST, clipboardRequest),
  CLIPBOARD_RELEASE: entry(AgentMessageType.CLIPBOARD_RELEASE, clipboardRelease),
  FILE_XFER_START: entry(AgentMessageType.FILE_XFER_START, fileXferStart),
  FILE_XFER_STATUS: entry(AgentMessageType.FILE_XFER_STATUS, fileXferStatus),
  FILE_XFER_DATA: entry(AgentMessageType.FILE_XFER_DATA, fileXferDataHead, () => FILE_XFER_DATA_HEAD_SIZE),
  CLIENT_DISCONNECTED: entry(AgentMessageType.CLIENT_DISCONNECTED, clientDisconnected),
  MAX_CLIPBOARD: entry(AgentMessageType.MAX_CLIPBOARD, maxClipboard),
  AUDIO_VOLUME_SYNC: entry(AgentMessageType.AUDIO_VOLUME_SYNC, audioVolumeSync),
  GRAPHICS_DEVICE_INFO: entry(AgentMessageType.GRAPHICS_DEVICE_INFO, graphicsDeviceInfo),
} as const;

export type AgentMessageName = keyof typeof catalogue;

type ValueOf<N extends AgentMessageName> = (typeof catalogue)[N] extends Entry<infer T> ? T : never;

/** One decoded message. Of a streamed one, CLIPBOARD and FILE_XFER_DATA, this is the head: its data comes in pieces. */
export type AgentMessage<N extends AgentMessageName = AgentMessageName> = {
  [K in N]: { readonly name: K; readonly value: ValueOf<K> };
}[N];

const byType = new Map<number, readonly [AgentMessageName, Entry<unknown>]>(
  (Object.entries(catalogue) as [AgentMessageName, Entry<unknown>][]).map(([name, found]) => [
    found.type,
    [name, found],
  ]),
);

/** What to call a message type in a log, known or not. */
export function messageName(type: number): string {
  return byType.get(type)?.[0] ?? `type ${type}`;
}

export function isKnownType(type: number): boolean {
  return byType.has(type);
}

/** Bytes of the head of a streamed message; undefined for one that is handed on whole. */
export function streamedHeadSize(type: number, layout: Layout): number | undefined {
  return byType.get(type)?.[1].headSize?.(layout);
}

/** Throws a DecodeError for an unknown type or a body that is no such message. */
export function decodeMessage(type: number, body: Uint8Array, layout: Layout): AgentMessage {
  const found = byType.get(type);
  if (found === undefined) throw new DecodeError("unknown-type", `message type ${type}`);
  const [name, { codec }] = found;
  // The map was built from the catalogue, so name and codec belong together; the compiler cannot see that through a Map.
  return { name, value: codec.decode(body, layout) } as AgentMessage;
}

/** The body, or the head of a streamed message, without chunk and message headers. */
export function encodeMessage(message: AgentMessage, layout: Layout): Uint8Array {
  const { codec } = catalogue[message.name] as Entry<unknown>;
  return codec.encode(message.value, layout);
}
