// What daemon and session say to each other: upstream's udscs messages, and ours above them for content in pieces.
import { ClipboardSelection, FileXferStatus } from "../agent-constants.ts";
import { type AudioVolumeSync, audioVolumeSync } from "../audio-volume-sync.ts";
import { ByteReader, ByteWriter, DecodeError, decodeUtf8 } from "../bytes.ts";
import { bareLayout, restOfU32 } from "../codec.ts";
import { i32, struct, u32, u64 } from "../fields.ts";
import { fileXferStart } from "../file-xfer-start.ts";
import { type GraphicsDeviceInfo, graphicsDeviceInfo } from "../graphics-device-info.ts";
import { type MonitorsConfig, monitorsConfig } from "../monitors-config.ts";
import type { LinkFrame } from "./frame.ts";

/** Frame types. Below 0x1000 as in upstream's vdagentd-proto.h; the others are ours. */
export const LinkType = {
  GUEST_XORG_RESOLUTION: 0,
  MONITORS_CONFIG: 1,
  CLIPBOARD_GRAB: 2,
  CLIPBOARD_REQUEST: 3,
  CLIPBOARD_DATA: 4,
  CLIPBOARD_RELEASE: 5,
  VERSION: 6,
  AUDIO_VOLUME_SYNC: 7,
  FILE_XFER_START: 8,
  FILE_XFER_STATUS: 9,
  FILE_XFER_DATA: 10,
  FILE_XFER_DISABLE: 11,
  CLIENT_DISCONNECTED: 12,
  GRAPHICS_DEVICE_INFO: 13,
  CONTENT_REQUEST: 0x1000,
  CONTENT_ANSWER: 0x1001,
  CONTENT_CANCEL: 0x1002,
  BODY_PIECE: 0x1010,
  BODY_END: 0x1011,
  BODY_CREDIT: 0x1012,
  BODY_CANCEL: 0x1013,
  HELLO: 0x1020,
  SESSION_REPORT: 0x1021,
  FILE_BODY: 0x1030,
  FILE_QUEUE: 0x1031,
  FILES_CANCEL: 0x1032,
  SHARE_REQUEST: 0x1050,
  SHARE_ANSWER: 0x1051,
  CLIPBOARD_SECRET: 0x1060,
  CLIPBOARD_KEPT: 0x1061,
  CLIPBOARD_REFUSED: 0x1062,
  SHARED_FOLDER: 0x1040,
  MOUNT_SHARED_FOLDER: 0x1041,
  SHARED_FOLDER_MOUNTED: 0x1042,
  EFFECTS_REQUEST: 0x1070,
  EFFECTS_ANSWER: 0x1071,
  TURNED_GEOMETRY: 0x1072,
} as const;

/** Where one display lies on the desktop, pixels. */
export interface DisplayGeometry {
  readonly displayId: number;
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  /** How its user has turned or scaled it; absent: not at all. */
  readonly turned?: TurnedPicture;
}

/** What the viewer sees of a display: pixels, RandR's rotation, and its transform from there to the desktop, row by row. */
export interface TurnedPicture {
  readonly width: number;
  readonly height: number;
  readonly rotation: number;
  readonly transform: readonly number[];
}

/** The whole desktop as the session sees it, pixels. */
export interface DesktopGeometry {
  readonly width: number;
  readonly height: number;
  readonly displays: readonly DisplayGeometry[];
}

/** How one feature fares in the session; an empty text stands for none. */
export interface FeatureReport {
  readonly feature: string;
  /** What does the work: `x11`, `wpctl`. */
  readonly driver: string;
  /** Code and detail of what keeps it from working. */
  readonly fault: string;
}

/** In the order of their numbers on the link: what is new goes to the end. */
const linkDirections = ["host-to-guest", "guest-to-host"] as const;
const linkRefusals = ["direction", "selection", "type", "size"] as const;
type LinkDirection = (typeof linkDirections)[number];
type LinkRefusal = (typeof linkRefusals)[number];

/** Carries clipboard content and nothing else; where both sides know the extension, CONTENT and BODY messages do. */
export type PlainContentMessage =
  | { readonly kind: "clipboard-request"; readonly selection: ClipboardSelection; readonly type: number }
  /** The head; the frame's data is the content. */
  | { readonly kind: "clipboard-data"; readonly selection: ClipboardSelection; readonly type: number };

/** The first words on a link. */
export type GreetingMessage =
  /** Of the daemon, to whoever connects. Upstream's session leaves when it is not its own. */
  | { readonly kind: "version"; readonly version: string }
  /** Of a session that knows the extension, and the daemon's answer if it does too. */
  | { readonly kind: "hello"; readonly extension: number; readonly version: string };

export type LinkMessage =
  | GreetingMessage
  | PlainContentMessage
  | { readonly kind: "audio-volume"; readonly volume: AudioVolumeSync }
  | { readonly kind: "file-transfer-disabled" }
  /** Of the daemon, which has numbered it. `name` is the viewer's, unchecked; `size` in bytes. */
  | { readonly kind: "file-start"; readonly fileId: number; readonly name: string; readonly size: bigint }
  /** Of the daemon: the rest will not come, and no result is wanted. */
  | { readonly kind: "file-cancelled"; readonly fileId: number }
  /** Of the session: CAN_SEND_DATA, or how it has ended. Upstream's halves do not say `gioError`. */
  | {
      readonly kind: "file-result";
      readonly fileId: number;
      readonly result: number;
      readonly gioError?: number | undefined;
      readonly freeBytes?: bigint | undefined;
    }
  /** The file's bytes are this body. */
  | { readonly kind: "file-body"; readonly fileId: number; readonly bodyId: number }
  /** Of the daemon: what waits behind the files that have been started. */
  | { readonly kind: "file-queue"; readonly files: number; readonly bytes: bigint }
  /** Of the session: its user wants none of those that wait either. */
  | { readonly kind: "files-cancel" }
  /** The host has opened a connection to the guest's folder: `bodyId` is what it says. */
  | { readonly kind: "share-request"; readonly requestId: number; readonly bodyId: number }
  /** `bodyId` is what is said to it; undefined: nothing is shared. */
  | { readonly kind: "share-answer"; readonly requestId: number; readonly bodyId: number | undefined }
  | { readonly kind: "graphics-device-info"; readonly info: GraphicsDeviceInfo }
  | { readonly kind: "session-report"; readonly features: readonly FeatureReport[] }
  /** Where the viewer's folder is in the session; an empty path: nowhere. */
  | { readonly kind: "shared-folder"; readonly path: string; readonly readOnly: boolean }
  /** The session is to mount it itself; an empty address: to take that away. Answered by `shared-folder-mounted`. */
  | {
      readonly kind: "mount-shared-folder";
      readonly requestId: number;
      readonly url: string;
      readonly readOnly: boolean;
    }
  /** `fault`: why it is not mounted, or is there still; empty: it is as it was to be. */
  | {
      readonly kind: "shared-folder-mounted";
      readonly requestId: number;
      readonly path: string;
      readonly fault: string;
    }
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
  /** An application has taken the selection and marked what it offers as a password's: there is nothing for the viewer. */
  | { readonly kind: "clipboard-secret"; readonly selection: ClipboardSelection }
  /**
   * An application has taken over what the viewer offers, or offered last, and offers the same: no news for the viewer.
   * `offer` as in a grab.
   */
  | {
      readonly kind: "clipboard-kept";
      readonly selection: ClipboardSelection;
      readonly types: readonly number[];
      readonly offer: number;
    }
  /** Of the session: its user's own configuration has kept something back. */
  | { readonly kind: "clipboard-refused"; readonly direction: LinkDirection; readonly reason: LinkRefusal }
  /** Of the daemon: the viewer can do without these effects of the desktop (DisplayConfigFlag), and wants all others. */
  | { readonly kind: "effects-request"; readonly requestId: number; readonly flags: number }
  | { readonly kind: "effects-answer"; readonly requestId: number; readonly isDone: boolean }
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
/** Rotation 0: it is not turned. */
const turnedFields = struct({ rotation: u32, width: u32, height: u32 });
const TRANSFORM_CELLS = 9;
/** Cells are fixed-point numbers, 16 bits after the point, as on RandR's own wire. */
const FIXED = 65_536;
const TURNED_SIZE = displayFields.size + turnedFields.size + 4 * TRANSFORM_CELLS;
const answerFields = struct({ bodyId: u32, bytes: u64 });
const selectionField = struct({ selection: u32 });
const bytesField = struct({ bytes: u64 });
const gioErrorField = struct({ gioError: u32 });
const fileStatusFields = struct({ fileId: u32, result: u32 });
/** No body, and no size, in CONTENT_ANSWER. */
const NO_BODY = 0;
const UNKNOWN_SIZE = 0xffff_ffff_ffff_ffffn;
const MAX_DISPLAYS = 256;
const MAX_TYPES = 256;
const MAX_FEATURES = 64;
const MAX_VERSION_BYTES = 256;
const MAX_TEXTS_BYTES = 16 * 1024;
const nothing = new Uint8Array(0);
const utf8 = new TextEncoder();

export function encodeLinkMessage(message: LinkMessage): LinkFrame {
  switch (message.kind) {
    case "desktop-geometry": {
      const { width, height, displays } = message.geometry;
      if (displays.some(({ turned }) => turned !== undefined)) {
        return frame(LinkType.TURNED_GEOMETRY, width, height, encodeTurned(displays));
      }
      const writer = new ByteWriter(displays.length * displayFields.size);
      for (const display of displays) displayFields.write(writer, display);
      return frame(LinkType.GUEST_XORG_RESOLUTION, width, height, writer.finish());
    }
    case "monitors-config":
      return frame(LinkType.MONITORS_CONFIG, 0, 0, monitorsConfig.encode(message.config, bareLayout));
    case "clipboard-grab":
    case "clipboard-kept": {
      const writer = new ByteWriter(4 * message.types.length);
      for (const type of message.types) writer.u32(type);
      const type = message.kind === "clipboard-grab" ? LinkType.CLIPBOARD_GRAB : LinkType.CLIPBOARD_KEPT;
      return frame(type, message.selection, message.offer, writer.finish());
    }
    case "clipboard-refused":
      return frame(
        LinkType.CLIPBOARD_REFUSED,
        linkDirections.indexOf(message.direction),
        linkRefusals.indexOf(message.reason),
      );
    case "clipboard-release":
      return frame(LinkType.CLIPBOARD_RELEASE, message.selection, 0);
    case "clipboard-request":
      return frame(LinkType.CLIPBOARD_REQUEST, message.selection, message.type);
    case "clipboard-data":
      return frame(LinkType.CLIPBOARD_DATA, message.selection, message.type);
    case "version":
      return frame(LinkType.VERSION, 0, 0, utf8.encode(`${message.version}\0`));
    case "hello":
      return frame(LinkType.HELLO, message.extension, 0, utf8.encode(`${message.version}\0`));
    case "audio-volume":
      return frame(LinkType.AUDIO_VOLUME_SYNC, 0, 0, audioVolumeSync.encode(message.volume, bareLayout));
    case "file-transfer-disabled":
      return frame(LinkType.FILE_XFER_DISABLE, 0, 0);
    case "file-start": {
      const { fileId, name, size } = message;
      return frame(LinkType.FILE_XFER_START, 0, 0, fileXferStart.encode({ id: fileId, name, size }, bareLayout));
    }
    case "file-cancelled": {
      const writer = new ByteWriter(fileStatusFields.size);
      fileStatusFields.write(writer, { fileId: message.fileId, result: FileXferStatus.CANCELLED });
      return frame(LinkType.FILE_XFER_STATUS, 0, 0, writer.finish());
    }
    case "file-result": {
      const { fileId, result, gioError, freeBytes } = message;
      return frame(LinkType.FILE_XFER_STATUS, fileId, result, resultDetail(gioError, freeBytes));
    }
    case "file-body":
      return frame(LinkType.FILE_BODY, message.fileId, message.bodyId);
    case "file-queue": {
      const writer = new ByteWriter(bytesField.size);
      bytesField.write(writer, { bytes: message.bytes });
      return frame(LinkType.FILE_QUEUE, message.files, 0, writer.finish());
    }
    case "files-cancel":
      return frame(LinkType.FILES_CANCEL, 0, 0);
    case "share-request":
      return frame(LinkType.SHARE_REQUEST, message.requestId, message.bodyId);
    case "share-answer":
      return frame(LinkType.SHARE_ANSWER, message.requestId, message.bodyId ?? NO_BODY);
    case "graphics-device-info":
      return frame(LinkType.GRAPHICS_DEVICE_INFO, 0, 0, graphicsDeviceInfo.encode(message.info, bareLayout));
    case "session-report": {
      const texts = message.features.flatMap(({ feature, driver, fault }) => [feature, driver, fault]);
      return frame(LinkType.SESSION_REPORT, 0, 0, utf8.encode(texts.map((text) => `${text}\0`).join("")));
    }
    case "clipboard-secret":
      return frame(LinkType.CLIPBOARD_SECRET, message.selection, 0);
    case "shared-folder":
      return frame(LinkType.SHARED_FOLDER, message.readOnly ? 1 : 0, 0, utf8.encode(`${message.path}\0`));
    case "mount-shared-folder":
      return frame(
        LinkType.MOUNT_SHARED_FOLDER,
        message.requestId,
        message.readOnly ? 1 : 0,
        utf8.encode(`${message.url}\0`),
      );
    case "shared-folder-mounted":
      return frame(
        LinkType.SHARED_FOLDER_MOUNTED,
        message.requestId,
        0,
        utf8.encode(`${message.path}\0${message.fault}\0`),
      );
    case "effects-request":
      return frame(LinkType.EFFECTS_REQUEST, message.requestId, message.flags);
    case "effects-answer":
      return frame(LinkType.EFFECTS_ANSWER, message.requestId, message.isDone ? 1 : 0);
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
    case LinkType.TURNED_GEOMETRY:
      return { kind: "desktop-geometry", geometry: { width: arg1, height: arg2, displays: decodeTurned(data) } };
    case LinkType.MONITORS_CONFIG:
      return { kind: "monitors-config", config: monitorsConfig.decode(data, bareLayout) };
    case LinkType.CLIPBOARD_GRAB:
    case LinkType.CLIPBOARD_KEPT: {
      const types = restOfU32(reader, "clipboard types", MAX_TYPES);
      const kind = type === LinkType.CLIPBOARD_GRAB ? "clipboard-grab" : "clipboard-kept";
      return { kind, selection: selectionOf(arg1), types, offer: arg2 };
    }
    case LinkType.CLIPBOARD_REFUSED: {
      const direction = linkDirections[arg1];
      const reason = linkRefusals[arg2];
      if (direction === undefined || reason === undefined)
        throw new DecodeError("bad-value", `refusal ${arg2} of direction ${arg1}`);
      return { kind: "clipboard-refused", direction, reason };
    }
    case LinkType.CLIPBOARD_REQUEST:
      return { kind: "clipboard-request", selection: selectionOf(arg1), type: arg2 };
    case LinkType.CLIPBOARD_DATA:
      return { kind: "clipboard-data", selection: selectionOf(arg1), type: arg2 };
    case LinkType.CLIPBOARD_RELEASE:
      return { kind: "clipboard-release", selection: selectionOf(arg1) };
    case LinkType.CLIPBOARD_SECRET:
      return { kind: "clipboard-secret", selection: selectionOf(arg1) };
    case LinkType.VERSION:
      return { kind: "version", version: versionOf(data) };
    case LinkType.HELLO:
      return { kind: "hello", extension: arg1, version: versionOf(data) };
    case LinkType.AUDIO_VOLUME_SYNC:
      return { kind: "audio-volume", volume: audioVolumeSync.decode(data, bareLayout) };
    case LinkType.FILE_XFER_DISABLE:
      return { kind: "file-transfer-disabled" };
    case LinkType.FILE_XFER_START: {
      const { id, name, size } = fileXferStart.decode(data, bareLayout);
      return { kind: "file-start", fileId: id, name, size };
    }
    case LinkType.FILE_XFER_STATUS:
      // One number for both directions: only the daemon's has the id among the data.
      if (arg1 === 0 && arg2 === 0 && data.length >= fileStatusFields.size)
        return { kind: "file-cancelled", fileId: fileStatusFields.read(reader).fileId };
      return { kind: "file-result", fileId: arg1, result: arg2, ...detailOf(arg2, reader) };
    case LinkType.FILE_BODY:
      return { kind: "file-body", fileId: arg1, bodyId: arg2 };
    case LinkType.FILE_QUEUE:
      return { kind: "file-queue", files: arg1, bytes: bytesField.read(reader).bytes };
    case LinkType.FILES_CANCEL:
      return { kind: "files-cancel" };
    case LinkType.SHARE_REQUEST:
      return { kind: "share-request", requestId: arg1, bodyId: arg2 };
    case LinkType.SHARE_ANSWER:
      return { kind: "share-answer", requestId: arg1, bodyId: arg2 === NO_BODY ? undefined : arg2 };
    case LinkType.GRAPHICS_DEVICE_INFO:
      return { kind: "graphics-device-info", info: graphicsDeviceInfo.decode(data, bareLayout) };
    case LinkType.SESSION_REPORT: {
      const texts = decodeUtf8(data).split("\0").slice(0, -1);
      if (texts.length % 3 !== 0 || texts.length > 3 * MAX_FEATURES)
        throw new DecodeError("bad-value", `report of ${texts.length} texts`);
      const features: FeatureReport[] = [];
      for (let at = 0; at < texts.length; at += 3) {
        const [feature = "", driver = "", fault = ""] = texts.slice(at, at + 3);
        features.push({ feature, driver, fault });
      }
      return { kind: "session-report", features };
    }
    case LinkType.SHARED_FOLDER: {
      const [path = ""] = textsOf(data, 1, "shared folder");
      return { kind: "shared-folder", path, readOnly: arg1 === 1 };
    }
    case LinkType.MOUNT_SHARED_FOLDER: {
      const [url = ""] = textsOf(data, 1, "mount of the shared folder");
      return { kind: "mount-shared-folder", requestId: arg1, url, readOnly: arg2 === 1 };
    }
    case LinkType.SHARED_FOLDER_MOUNTED: {
      const [path = "", fault = ""] = textsOf(data, 2, "mounted shared folder");
      return { kind: "shared-folder-mounted", requestId: arg1, path, fault };
    }
    case LinkType.EFFECTS_REQUEST:
      return { kind: "effects-request", requestId: arg1, flags: arg2 };
    case LinkType.EFFECTS_ANSWER:
      return { kind: "effects-answer", requestId: arg1, isDone: arg2 === 1 };
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

function resultDetail(gioError: number | undefined, freeBytes: bigint | undefined): Uint8Array {
  if (freeBytes !== undefined) {
    const writer = new ByteWriter(bytesField.size);
    bytesField.write(writer, { bytes: freeBytes });
    return writer.finish();
  }
  if (gioError === undefined) return nothing;
  const writer = new ByteWriter(gioErrorField.size);
  gioErrorField.write(writer, { gioError });
  return writer.finish();
}

function detailOf(result: number, reader: ByteReader): { gioError?: number; freeBytes?: bigint } {
  if (result === FileXferStatus.NOT_ENOUGH_SPACE && reader.left >= bytesField.size)
    return { freeBytes: bytesField.read(reader).bytes };
  if (result === FileXferStatus.ERROR && reader.left >= gioErrorField.size) return gioErrorField.read(reader);
  return {};
}

function encodeTurned(displays: readonly DisplayGeometry[]): Uint8Array {
  const writer = new ByteWriter(displays.length * TURNED_SIZE);
  for (const display of displays) {
    const { rotation = 0, width = 0, height = 0, transform = [] } = display.turned ?? {};
    displayFields.write(writer, display);
    turnedFields.write(writer, { rotation, width, height });
    for (let cell = 0; cell < TRANSFORM_CELLS; cell += 1) writer.i32(Math.round((transform[cell] ?? 0) * FIXED));
  }
  return writer.finish();
}

function decodeTurned(data: Uint8Array): DisplayGeometry[] {
  const count = data.length / TURNED_SIZE;
  if (!Number.isInteger(count) || count > MAX_DISPLAYS)
    throw new DecodeError("bad-value", `turned geometry of ${data.length} bytes`);
  const reader = new ByteReader(data);
  return Array.from({ length: count }, () => {
    const display = displayFields.read(reader);
    const { rotation, width, height } = turnedFields.read(reader);
    const transform = Array.from({ length: TRANSFORM_CELLS }, () => reader.i32() / FIXED);
    return rotation === 0 ? display : { ...display, turned: { rotation, width, height, transform } };
  });
}

function frame(type: number, arg1: number, arg2: number, data: Uint8Array = nothing): LinkFrame {
  return { type, arg1, arg2, data };
}

/** So many texts, each with a NUL at its end. */
function textsOf(data: Uint8Array, count: number, what: string): readonly string[] {
  if (data.length > MAX_TEXTS_BYTES) throw new DecodeError("too-large", `${what} of ${data.length} bytes`);
  const texts = decodeUtf8(data).split("\0");
  if (texts.length !== count + 1 || texts.at(-1) !== "")
    throw new DecodeError("bad-value", `${what} of ${texts.length - 1} texts`);
  return texts.slice(0, count);
}

function versionOf(data: Uint8Array): string {
  if (data.length > MAX_VERSION_BYTES) throw new DecodeError("too-large", `version of ${data.length} bytes`);
  return decodeUtf8(data).replace(/\0.*$/s, "");
}

function selectionOf(value: number): ClipboardSelection {
  if (value > ClipboardSelection.SECONDARY) throw new DecodeError("bad-value", `selection ${value}`);
  return value as ClipboardSelection;
}
