// The daemon's half: the port, who is on it, and what goes between it and the session. Rules decide (features), this acts.
import {
  type CapabilitiesInput,
  type CapabilitiesState,
  capabilitiesStep,
  type GuestAbilities,
  guestCaps,
  layoutOf,
  noViewer,
  SILENT_HOST_MS,
} from "../features/capabilities.ts";
import type { ClipboardPolicy } from "../features/clipboard-policy.ts";
import {
  desktopSize,
  knowsDisplay,
  type PointerInput,
  type PointerState,
  pointerMissed,
  pointerStep,
  restingPointer,
} from "../features/pointer.ts";
import type { Clock } from "../support/clock.ts";
import type { PortError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { AgentChannel } from "../system/agent-channel.ts";
import type { PointerDevice } from "../system/pointer/pointer-device.ts";
import type { PortOpener } from "../system/ports/port.ts";
import { AgentMessageType, FileXferStatus, ReplyError } from "../wire/agent-constants.ts";
import type { AudioVolumeSync } from "../wire/audio-volume-sync.ts";
import type { AgentMessage } from "../wire/catalogue.ts";
import { FILE_XFER_ID_SIZE, fileXferStartId } from "../wire/file-xfer-start.ts";
import type { GraphicsDeviceInfo } from "../wire/graphics-device-info.ts";
import type { DesktopGeometry } from "../wire/link/messages.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";
import type { ClipboardReport } from "./clipboard-counts.ts";
import { DaemonClipboard, type SessionSelections } from "./daemon-clipboard.ts";
import { DaemonEffects } from "./daemon-effects.ts";
import { DaemonFiles, type FilesStatus } from "./daemon-files.ts";
import type { DaemonGuestShare } from "./daemon-guest-share.ts";
import type { DaemonSharedFolder } from "./daemon-shared-folder.ts";

export interface DaemonParts {
  readonly openPort: PortOpener;
  readonly pointer: PointerDevice | undefined;
  readonly abilities: GuestAbilities;
  readonly clipboardPolicy: ClipboardPolicy;
  /** Undefined: switched off. */
  readonly sharedFolder?: DaemonSharedFolder | undefined;
  /** Undefined: switched off. */
  readonly guestShare?: DaemonGuestShare | undefined;
  /** A viewer has come or gone. */
  readonly viewerChanged?: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The session on the screen, with what it has told while it was not. */
export interface ArrivingSession {
  readonly link: LinkConnection;
  /** Whose it is. */
  readonly uid: number;
  /** Its user may not be there: nothing is exchanged with it but the display. */
  readonly isShut: boolean;
  /** Of a person, not of a login screen. */
  readonly isOfUser: boolean;
  /** Undefined until its desktop is known; the port stays closed until then. */
  readonly geometry: DesktopGeometry | undefined;
  readonly selections: SessionSelections;
}

export interface DaemonStatus {
  readonly port: { readonly isWanted: boolean; readonly isOpen: boolean; readonly fault: PortError | undefined };
  /** Which viewer it is, counted from 1; undefined: none is there. */
  readonly viewer: number | undefined;
  readonly clipboard: ClipboardReport;
  readonly files: FilesStatus;
}

interface AttachedSession {
  readonly link: LinkConnection;
  isShut: boolean;
  isOfUser: boolean;
}

export class DaemonHalf implements AsyncDisposable {
  readonly #parts: DaemonParts;
  readonly #log: Log;
  readonly #channel: AgentChannel;
  readonly #clipboard: DaemonClipboard;
  readonly #files: DaemonFiles;
  #session: AttachedSession | undefined;
  readonly #effects: DaemonEffects;
  #isPortWanted = false;
  #silence: Disposable | undefined;
  #capabilities: CapabilitiesState = noViewer;
  #pointer: PointerState = restingPointer;
  /** What the viewer wants the screen to be, for a session that comes later. */
  #monitors: MonitorsConfig | undefined;
  #graphics: GraphicsDeviceInfo | undefined;
  /** Loudspeaker and microphone: a viewer tells each once. */
  readonly #volumes = new Map<boolean, AudioVolumeSync>();

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#log = parts.log;
    this.#channel = new AgentChannel(
      parts.openPort,
      {
        opened: () => {
          this.#silence = parts.clock.after(SILENT_HOST_MS, () => this.#capabilitiesInput({ kind: "host-silent" }));
        },
        closed: () => {
          this.#silence?.[Symbol.dispose]();
          this.#capabilitiesInput({ kind: "port-closed" });
        },
        message: (message) => this.#hostSaid(message),
        body: (head, bytes) =>
          head.name === "CLIPBOARD" ? this.#clipboard.hostBody(head, bytes) : this.#files.hostBody(head, bytes),
        undecodable: (type, body) => {
          if (type === AgentMessageType.MONITORS_CONFIG) this.#reply(type, ReplyError.ERROR);
          if (type === AgentMessageType.FILE_XFER_START && body.length >= FILE_XFER_ID_SIZE)
            this.#files.input({ kind: "host-garbled", id: fileXferStartId(body) });
        },
        layout: () => layoutOf(this.#capabilities),
      },
      parts.clock,
      parts.log.of("port"),
    );
    this.#effects = new DaemonEffects(parts.clock, (isDone) =>
      this.#reply(AgentMessageType.DISPLAY_CONFIG, isDone ? ReplyError.SUCCESS : ReplyError.ERROR),
    );
    this.#clipboard = new DaemonClipboard(this.#channel, parts.clipboardPolicy, parts.clock, parts.log.of("clipboard"));
    const filePolicy = { enabled: parts.abilities.files };
    this.#files = new DaemonFiles(this.#channel, filePolicy, parts.clock, parts.log.of("files"));
  }

  get status(): DaemonStatus {
    const { isOpen, fault } = this.#channel;
    const viewer = this.#capabilities.viewer === undefined ? undefined : this.#capabilities.epoch;
    return {
      port: { isWanted: this.#isPortWanted, isOpen, fault },
      viewer,
      clipboard: this.#clipboard.counts.report,
      files: this.#files.status,
    };
  }

  /** The session that is on the screen from now on; the one before must be detached. Its messages go to `sessionSaid`. */
  attach({ link, uid, isShut, isOfUser, geometry, selections }: ArrivingSession): void {
    this.#session = { link, isShut, isOfUser };
    if (this.#graphics !== undefined) link.send({ kind: "graphics-device-info", info: this.#graphics });
    if (this.#monitors !== undefined) link.send({ kind: "monitors-config", config: this.#monitors });
    if (!isShut) this.#tellVolumes();
    this.#clipboard.attach(link, isShut, selections);
    this.#parts.sharedFolder?.attach(uid, link);
    this.#parts.guestShare?.attach(link, isShut);
    this.#files.attach(link, takerOf(this.#session));
    if (geometry !== undefined) this.#geometryKnown(geometry);
  }

  /** Its user has gone from the screen, or is back. */
  shut({ isShut, isOfUser }: Pick<ArrivingSession, "isShut" | "isOfUser">): void {
    if (this.#session === undefined) return;
    this.#session.isShut = isShut;
    this.#session.isOfUser = isOfUser;
    if (!isShut) this.#tellVolumes();
    this.#parts.guestShare?.shut(isShut);
    this.#clipboard.input({ kind: isShut ? "session-shut" : "session-opened" });
    this.#files.input({ kind: "taker-changed", taker: takerOf(this.#session) });
  }

  /** Without a session on the screen the port is closed: the host sends the pointer nowhere else while it is open. */
  detach(): void {
    if (this.#session === undefined) return;
    this.#clipboard.detach();
    this.#effects.detach();
    this.#parts.sharedFolder?.detach();
    this.#parts.guestShare?.detach();
    this.#files.detach();
    // In this turn: the next session may be attached in it, and the port, with what it knows of the viewer, closes only after.
    this.#capabilitiesInput({ kind: "port-closed" });
    this.#session = undefined;
    this.#isPortWanted = false;
    this.#channel.stop();
  }

  sessionSaid(message: LinkControlMessage): void {
    switch (message.kind) {
      case "desktop-geometry":
        return this.#geometryKnown(message.geometry);
      case "effects-answer":
        return this.#effects.answered(message);
      case "clipboard-grab":
      case "clipboard-release":
      case "clipboard-secret":
      case "clipboard-kept":
      case "clipboard-refused":
      case "content-request":
      case "content-cancel":
      case "content-answer":
        return this.#clipboard.sessionSaid(message);
      case "share-answer":
        return this.#parts.guestShare?.sessionSaid(message);
      case "file-result":
        return this.#files.sessionAnswered(message.fileId, message);
      case "files-cancel":
        return this.#files.input({ kind: "guest-cancelled-all" });
      case "shared-folder-mounted":
        return this.#parts.sharedFolder?.sessionSaid(message);
      default:
        this.#log.debug(`session link: ${message.kind}: ours to say`);
    }
  }

  /** What the host knows of us may be of another time: after a sleep, or in a snapshot that was loaded. */
  beginAnew(why: string): void {
    if (this.#channel.isOpen) this.#channel.reopen(why);
    this.#parts.sharedFolder?.beginAnew();
    this.#parts.guestShare?.beginAnew();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel[Symbol.asyncDispose]();
    await this.#clipboard[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
  }

  #geometryKnown({ displays }: DesktopGeometry): void {
    this.#pointerInput({ kind: "geometry-reported", displays });
    const { width, height } = desktopSize(this.#pointer);
    this.#parts.pointer?.setRange(width, height);
    if (this.#isPortWanted) return;
    this.#isPortWanted = true;
    this.#channel.start();
  }

  #tellVolumes(): void {
    for (const volume of this.#volumes.values()) this.#session?.link.send({ kind: "audio-volume", volume });
  }

  #hostSaid(message: AgentMessage): void {
    switch (message.name) {
      case "ANNOUNCE_CAPABILITIES":
        this.#channel.confirm();
        this.#silence?.[Symbol.dispose]();
        this.#capabilitiesInput({ kind: "host-announced", ...message.value });
        return;
      case "CLIENT_DISCONNECTED":
        this.#channel.forgetViewerMessage();
        this.#monitors = undefined;
        this.#capabilitiesInput({ kind: "viewer-disconnected" });
        return;
      case "MOUSE_STATE":
        if (!knowsDisplay(this.#pointer, message.value.displayId)) {
          this.#log.debug(`pointer: state for unknown display ${message.value.displayId} dropped`);
        }
        this.#pointerInput({ kind: "host-moved", mouse: message.value });
        return;
      case "MONITORS_CONFIG":
        this.#reply(AgentMessageType.MONITORS_CONFIG, ReplyError.SUCCESS);
        if (!this.#parts.abilities.display) return;
        this.#monitors = message.value;
        this.#session?.link.send({ kind: "monitors-config", config: message.value });
        return;
      case "CLIPBOARD_GRAB":
        return this.#clipboard.input({ kind: "host-grabbed", ...message.value });
      case "CLIPBOARD_REQUEST":
        return this.#clipboard.input({ kind: "host-requested", ...message.value });
      case "CLIPBOARD_RELEASE":
        return this.#clipboard.input({ kind: "host-released", ...message.value });
      case "MAX_CLIPBOARD":
        return this.#clipboard.input({ kind: "viewer-limited", maxBytes: message.value.max });
      case "AUDIO_VOLUME_SYNC":
        if (!this.#parts.abilities.volume) return;
        this.#volumes.set(message.value.isPlayback, message.value);
        if (this.#session?.isShut === false) this.#session.link.send({ kind: "audio-volume", volume: message.value });
        return;
      case "GRAPHICS_DEVICE_INFO":
        this.#graphics = message.value;
        this.#session?.link.send({ kind: "graphics-device-info", info: message.value });
        return;
      case "FILE_XFER_START":
        return this.#files.input({ kind: "host-started", ...message.value });
      case "FILE_XFER_STATUS":
        if (message.value.result === FileXferStatus.CAN_SEND_DATA) return;
        return this.#files.input({ kind: "host-gave-up", id: message.value.id });
      case "DISPLAY_CONFIG":
        return this.#effects.request(message.value.flags, this.#sessionForEffects());
      default:
        this.#log.debug(`${message.name}: not for us`);
    }
  }

  #capabilitiesInput(input: CapabilitiesInput): void {
    const before = this.#capabilities.viewer;
    const [state, effects] = capabilitiesStep(this.#capabilities, input, guestCaps(this.#parts.abilities));
    for (const effect of effects) {
      switch (effect.kind) {
        case "send-announce":
          this.#channel.send({
            name: "ANNOUNCE_CAPABILITIES",
            value: { request: effect.request, words: effect.words },
          });
          break;
        case "begin-viewer":
        case "update-viewer": {
          this.#capabilities = state;
          const viewer = { clipboard: effect.caps.clipboard && this.#parts.abilities.clipboard, ...effect.caps.layout };
          const arrived = effect.kind === "begin-viewer";
          if (arrived) this.#log.info(`viewer: connected (number ${state.epoch})`);
          this.#clipboard.input({ kind: arrived ? "viewer-arrived" : "viewer-changed", viewer });
          const isDetailed = effect.caps.detailedFileErrors;
          this.#files.input({ kind: arrived ? "viewer-arrived" : "viewer-changed", isDetailed });
          break;
        }
        case "end-viewer":
          this.#log.info("viewer: gone");
          this.#channel.forgetQueued();
          this.#volumes.clear();
          this.#effects.forget();
          this.#pointerInput({ kind: "viewer-left" });
          this.#clipboard.input({ kind: "viewer-left" });
          this.#files.input({ kind: "viewer-left" });
          this.#session?.link.send({ kind: "viewer-left" });
          break;
        default:
          effect satisfies never;
      }
    }
    this.#capabilities = state;
    if ((before === undefined) !== (state.viewer === undefined)) this.#parts.viewerChanged?.();
  }

  #pointerInput(input: PointerInput): void {
    const before = this.#pointer;
    const [state, events] = pointerStep(before, input);
    const isTaken = events.length === 0 || this.#parts.pointer?.emit(events) === true;
    this.#pointer = isTaken ? state : pointerMissed(before);
  }

  /** Whose settings a viewer may change: its user is there, and nobody has switched it off. */
  #sessionForEffects(): LinkConnection | undefined {
    return this.#parts.abilities.effects && this.#session?.isShut === false ? this.#session.link : undefined;
  }

  #reply(type: number, error: number): void {
    this.#channel.send({ name: "REPLY", value: { type, error } });
  }
}

function takerOf({ isShut, isOfUser }: AttachedSession): "locked" | "not-a-user" | "user" {
  if (!isOfUser) return "not-a-user";
  return isShut ? "locked" : "user";
}
