// What daemon and session say to each other: upstream's udscs messages, and ours above them for content in pieces.
import { ClipboardSelection } from "../agent-constants.ts";
import { ByteReader, ByteWriter, DecodeError } from "../bytes.ts";
import { bareLayout, restOfU32 } from "../codec.ts";
import { i32, struct, u32, u64 } from "../fields.ts";
import { type MonitorsConfig, monitorsConfig } from "../monitors-config.ts";
import type { LinkFrame } from "./frame.ts";

/** Frame types. Below 0x1000 as in upstream's vdagentd-proto.h; the others are ours. */
const LinkType = {
  GUEST_XORG_RESOLUTION: 0,
  MONITORS_CONFIG: 1,
  CLIPBOARD_GRAB: 2,
  CLIPBOARD_RELEASE: 5,
  CLIENT_DISCONNECTED: 12,
  CONTENT_REQUEST: 0x1000,
  CONTENT_ANSWER: 0x1001,
  CONTENT_CANCEL: 0x1002,
  BODY_PIECE: 0x1010,
  BODY_END: 0x1011,
  BODY_CREDIT: 0x1012,
  BODY_CANCEL: 0x1013,
} as const;

/** Where one display lies on the desktop, pixels. */
export interface DisplayGeometry {
  readonly displayId: number;
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
}

/** The whole desktop as the session sees it, pixels. */
export interface DesktopGeometry {
  readonly width: number;
  readonly height: number;
  readonly displays: readonly DisplayGeometry[];
}

export type LinkMessage =
  | { readonly kind: "desktop-geometry"; readonly geometry: DesktopGeometry }
  | { readonly kind: "monitors-config"; readonly config: MonitorsConfig }
  /**
   * `offer` counts what the daemon has offered on this selection: the daemon's own says which it is, the session's which
   * it had seen. A session's grab that crossed an offer on the way is over before it arrives.
   */
  | {
      readonly kind: "clipboard-grab";
      readonly selection: ClipboardSelection;
      readonly types: readonly number[];
      readonly offer: number;
    }
  | { readonly kind: "clipboard-release"; readonly selection: ClipboardSelection }
  | { readonly kind: "viewer-left" }
  /** The asker chooses `requestId`; ids of the two directions have nothing to do with each other. */
  | {
      readonly kind: "content-request";
      readonly requestId: number;
      readonly selection: ClipboardSelection;
      readonly type: number;
    }
  /** `bodyId` undefined: the request cannot be served. `bytes` undefined: the size is not known yet. */
  | {
      readonly kind: "content-answer";
      readonly requestId: number;
      readonly type: number;
      readonly bodyId?: number | undefined;
      readonly bytes?: number | undefined;
    }
  | { readonly kind: "content-cancel"; readonly requestId: number }
  | { readonly kind: "body-piece"; readonly bodyId: number; readonly piece: Uint8Array }
  | { readonly kind: "body-end"; readonly bodyId: number; readonly complete: boolean }
  | { readonly kind: "body-credit"; readonly bodyId: number; readonly bytes: number }
  | { readonly kind: "body-cancel"; readonly bodyId: number };

const displayFields = struct({ width: i32, height: i32, x: i32, y: i32, displayId: u32 });
const answerFields = struct({ bodyId: u32, bytes: u64 });
const selectionField = struct({ selection: u32 });
/** No body, and no size, in CONTENT_ANSWER. */
const NO_BODY = 0;
const UNKNOWN_SIZE = 0xffff_ffff_ffff_ffffn;
const MAX_DISPLAYS = 256;
const MAX_TYPES = 256;
const nothing = new Uint8Array(0);

export function encodeLinkMessage(message: LinkMessage): LinkFrame {
  switch (message.kind) {
    case "desktop-geometry": {
      const { width, height, displays } = message.geometry;
      const writer = new ByteWriter(displays.length * displayFields.size);
      for (const display of displays) displayFields.write(writer, display);
      return frame(LinkType.GUEST_XORG_RESOLUTION, width, height, writer.finish());
    }
    case "monitors-config":
      return frame(LinkType.MONITORS_CONFIG, 0, 0, monitorsConfig.encode(message.config, bareLayout));
    case "clipboard-grab": {
      const writer = new ByteWriter(4 * message.types.length);
      for (const type of message.types) writer.u32(type);
      return frame(LinkType.CLIPBOARD_GRAB, message.selection, message.offer, writer.finish());
    }
    case "clipboard-release":
      return frame(LinkType.CLIPBOARD_RELEASE, message.selection, 0);
    case "viewer-left":
      return frame(LinkType.CLIENT_DISCONNECTED, 0, 0);
    case "content-request": {
      const writer = new ByteWriter(selectionField.size);
      selectionField.write(writer, message);
      return frame(LinkType.CONTENT_REQUEST, message.requestId, message.type, writer.finish());
    }
    case "content-answer": {
      const writer = new ByteWriter(answerFields.size);
      const bytes = message.bytes === undefined ? UNKNOWN_SIZE : BigInt(message.bytes);
      answerFields.write(writer, { bodyId: message.bodyId ?? NO_BODY, bytes });
      return frame(LinkType.CONTENT_ANSWER, message.requestId, message.type, writer.finish());
    }
    case "content-cancel":
      return frame(LinkType.CONTENT_CANCEL, message.requestId, 0);
    case "body-piece":
      return frame(LinkType.BODY_PIECE, message.bodyId, 0, message.piece);
    case "body-end":
      return frame(LinkType.BODY_END, message.bodyId, message.complete ? 1 : 0);
    case "body-credit":
      return frame(LinkType.BODY_CREDIT, message.bodyId, message.bytes);
    case "body-cancel":
      return frame(LinkType.BODY_CANCEL, message.bodyId, 0);
    default:
      return message satisfies never;
  }
}

/** Throws a DecodeError: `unknown-type` for a frame to be ignored, another code for one that is nonsense. */
export function decodeLinkMessage({ type, arg1, arg2, data }: LinkFrame): LinkMessage {
  const reader = new ByteReader(data);
  switch (type) {
    case LinkType.GUEST_XORG_RESOLUTION: {
      const count = data.length / displayFields.size;
      if (!Number.isInteger(count) || count > MAX_DISPLAYS)
        throw new DecodeError("bad-value", `geometry of ${data.length} bytes`);
      const displays = Array.from({ length: count }, () => displayFields.read(reader));
      return { kind: "desktop-geometry", geometry: { width: arg1, height: arg2, displays } };
    }
    case LinkType.MONITORS_CONFIG:
      return { kind: "monitors-config", config: monitorsConfig.decode(data, bareLayout) };
    case LinkType.CLIPBOARD_GRAB: {
      const types = restOfU32(reader, "clipboard types", MAX_TYPES);
      return { kind: "clipboard-grab", selection: selectionOf(arg1), types, offer: arg2 };
    }
    case LinkType.CLIPBOARD_RELEASE:
      return { kind: "clipboard-release", selection: selectionOf(arg1) };
    case LinkType.CLIENT_DISCONNECTED:
      return { kind: "viewer-left" };
    case LinkType.CONTENT_REQUEST: {
      const { selection } = selectionField.read(reader);
      return { kind: "content-request", requestId: arg1, selection: selectionOf(selection), type: arg2 };
    }
    case LinkType.CONTENT_ANSWER: {
      const { bodyId, bytes } = answerFields.read(reader);
      return {
        kind: "content-answer",
        requestId: arg1,
        type: arg2,
        bodyId: bodyId === NO_BODY ? undefined : bodyId,
        bytes: bytes === UNKNOWN_SIZE ? undefined : Number(bytes),
      };
    }
    case LinkType.CONTENT_CANCEL:
      return { kind: "content-cancel", requestId: arg1 };
    case LinkType.BODY_PIECE:
      return { kind: "body-piece", bodyId: arg1, piece: data };
    case LinkType.BODY_END:
      return { kind: "body-end", bodyId: arg1, complete: arg2 === 1 };
    case LinkType.BODY_CREDIT:
      return { kind: "body-credit", bodyId: arg1, bytes: arg2 };
    case LinkType.BODY_CANCEL:
      return { kind: "body-cancel", bodyId: arg1 };
    default:
      throw new DecodeError("unknown-type", `link frame type ${type}`);
  }
}

function frame(type: number, arg1: number, arg2: number, data: Uint8Array = nothing): LinkFrame {
  return { type, arg1, arg2, data };
}

function selectionOf(value: number): ClipboardSelection {
  if (value > ClipboardSelection.SECONDARY) throw new DecodeError("bad-value", `selection ${value}`);
  return value as ClipboardSelection;
}
