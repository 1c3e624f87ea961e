// The session's half: what the user's desktop does for the viewer, told over the link by the daemon's half.
import type { VolumeControl } from "../desktop/volume/volume-control.ts";
import { type Desktop, X11Desktop } from "../desktop/x11/x11-desktop.ts";
import type { ClipboardPolicy } from "../features/clipboard-policy.ts";
import { openSessionBus } from "../support/bus/session-bus.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import type { AudioVolumeSync } from "../wire/audio-volume-sync.ts";
import type { DesktopGeometry, FeatureReport } from "../wire/link/messages.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";
import { SessionClipboard } from "./session-clipboard.ts";
import { SessionEffects } from "./session-effects.ts";
import type { FileLinkMessage, FilesSettings, SessionFiles } from "./session-files.ts";
import type { GuestShareSettings, SessionGuestShare } from "./session-guest-share.ts";
import { SessionSharedFolder, type SessionSharedFolderSettings } from "./session-shared-folder.ts";

export interface SessionSettings {
  /** As in $DISPLAY; undefined: no desktop. */
  readonly display: string | undefined;
  readonly clipboard: ClipboardPolicy;
  readonly markReceived: boolean;
  readonly resize: boolean;
  readonly dpi: boolean;
  readonly effects: boolean;
  readonly volume: boolean;
  readonly files: FilesSettings;
  readonly guestShare: GuestShareSettings;
  readonly sharedFolder: SessionSharedFolderSettings;
}

export class SessionHalf implements AsyncDisposable {
  readonly #settings: SessionSettings;
  readonly #desktopSeen: (isThere: boolean) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #x11: X11Desktop | undefined;
  readonly #sharedFolder: SessionSharedFolder;
  #link: LinkConnection | undefined;
  #desktop: Desktop | undefined;
  #geometry: DesktopGeometry | undefined;
  readonly #features = new Map<string, FeatureReport>();
  readonly #clipboard: SessionClipboard;
  #lastConfig: MonitorsConfig | undefined;
  #volume: Promise<VolumeControl> | undefined;
  #files: Promise<SessionFiles> | undefined;
  #loadedFiles: SessionFiles | undefined;
  /** Undefined: it is off, or does not work. */
  #guestShare: Promise<SessionGuestShare | undefined> = Promise.resolve(undefined);
  readonly #effects: SessionEffects;

  /** `desktopSeen` is told whenever the desktop comes or goes. */
  constructor(settings: SessionSettings, clock: Clock, log: Log, desktopSeen: (isThere: boolean) => void = () => {}) {
    this.#desktopSeen = desktopSeen;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#sharedFolder = new SessionSharedFolder(settings.sharedFolder, clock, log, (path) =>
      this.#clipboard.folderMoved(path),
    );
    const { display, clipboard, markReceived, resize, dpi, effects, files } = settings;
    this.#effects = new SessionEffects({
      isEnabled: effects,
      windowManager: async () => this.#desktop?.windowManager(),
      clock,
      log: log.of("effects"),
    });
    this.#clipboard = new SessionClipboard({ policy: clipboard, markReceived, clock, log: log.of("clipboard") });
    this.#report("files", files.saveDir, files.enabled ? "" : "switched off");
    if (settings.guestShare.folders.length > 0) this.#guestShare = this.#startGuestShare();
    if (display === undefined) {
      log.warn("display: no display given: no clipboard, no resizing");
      this.#geometryKnown({ width: 0, height: 0, displays: [] });
      this.#report("display", "", "no display given");
      return;
    }
    this.#x11 = new X11Desktop(
      { display, selections: clipboard.selections, resize, dpi, clock, log },
      {
        clipboard: this.#clipboard,
        geometry: (geometry) => this.#geometryKnown(geometry),
        connected: (desktop) => this.#connected(desktop),
        fault: (error) => this.#displayFault(error),
        lost: () => this.#lost(),
      },
    );
  }

  /** A daemon's half is on the other end, from now until `detach`; its messages go to `daemonSaid`. */
  attach(link: LinkConnection): void {
    this.#link = link;
    this.#sharedFolder.attach(link);
    // It knows nothing of what was told before.
    this.#sendReport();
    this.#clipboard.attach(link);
    if (this.#geometry !== undefined) link.send({ kind: "desktop-geometry", geometry: this.#geometry });
    this.#loadedFiles?.attach(link);
  }

  /** The daemon's half is gone, and the viewer with it. */
  detach(): void {
    this.#link = undefined;
    this.#sharedFolder.detach();
    this.#clipboard.detach();
    this.#lastConfig = undefined;
    this.#loadedFiles?.detach();
    void this.#effects.restore();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each on its own: a folder that is slow to go does not keep the desktop from being left as its user had it.
    await Promise.all([
      this.#leaveDesktop(),
      this.#sharedFolder[Symbol.asyncDispose](),
      this.#guestShare.then((share) => share?.[Symbol.asyncDispose]()),
      this.#volume?.then((volume) => volume[Symbol.asyncDispose]()),
      this.#files?.then((files) => files[Symbol.asyncDispose]()),
    ]);
  }

  async #leaveDesktop(): Promise<void> {
    // While there still is a desktop to be asked what it is.
    await this.#effects[Symbol.asyncDispose]();
    await this.#x11?.[Symbol.asyncDispose]();
  }

  daemonSaid(message: LinkControlMessage): void {
    switch (message.kind) {
      case "monitors-config":
        this.#lastConfig = message.config;
        this.#desktop?.display?.request(message.config);
        return;
      case "clipboard-grab":
      case "clipboard-release":
      case "content-request":
      case "content-cancel":
      case "content-answer":
        return this.#clipboard.daemonSaid(message);
      case "viewer-left":
        this.#lastConfig = undefined;
        this.#loadedFiles?.viewerLeft();
        void this.#effects.restore();
        return;
      case "file-start":
      case "file-body":
      case "file-cancelled":
      case "file-queue":
      case "file-result":
      case "file-transfer-disabled":
        return this.#fileSaid(message);
      case "share-request":
        return void this.#serveHost(message);
      case "audio-volume":
        if (this.#settings.volume) void this.#setVolume(message.volume);
        return;
      case "effects-request":
        void this.#effects.request(message, this.#link);
        return;
      case "graphics-device-info":
        return this.#x11?.wire(message.info);
      case "shared-folder":
      case "mount-shared-folder":
        return this.#sharedFolder.daemonSaid(message);
      case "desktop-geometry":
      case "shared-folder-mounted":
      case "effects-answer":
      case "session-report":
      case "clipboard-secret":
      case "clipboard-kept":
      case "clipboard-refused":
      case "files-cancel":
      case "share-answer":
        return this.#log.debug(`session link: ${message.kind}: ours to tell, not to be told`);
      default:
        message satisfies never;
    }
  }

  #geometryKnown(geometry: DesktopGeometry): void {
    this.#geometry = geometry;
    this.#link?.send({ kind: "desktop-geometry", geometry });
  }

  #report(feature: string, driver: string, fault: string): void {
    this.#features.set(feature, { feature, driver, fault });
    this.#sendReport();
  }

  #sendReport(): void {
    this.#link?.send({ kind: "session-report", features: [...this.#features.values()] });
  }

  #connected(desktop: Desktop): void {
    this.#desktop = desktop;
    this.#desktopSeen(true);
    const { resize, clipboard } = this.#settings;
    this.#report("display", desktop.display === undefined ? "" : "randr", resize ? "" : "switched off");
    this.#report(
      "clipboard",
      desktop.clipboard === undefined ? "" : "x11",
      clipboard.selections.length > 0 ? "" : "switched off",
    );
    this.#clipboard.desktopConnected(desktop.clipboard);
    void this.#effects.desktopConnected();
    if (this.#lastConfig !== undefined) desktop.display?.request(this.#lastConfig);
  }

  #displayFault(error: BackendError | undefined): void {
    const driver = this.#desktop?.display === undefined ? "" : "randr";
    this.#report("display", driver, error === undefined ? "" : describeError(error));
  }

  #lost(): void {
    this.#desktop = undefined;
    this.#desktopSeen(false);
    this.#report("clipboard", "", "");
    this.#clipboard.desktopLost();
  }

  /** The mixers' code is loaded when a viewer first turns its volume. */
  async #setVolume(volume: AudioVolumeSync): Promise<void> {
    this.#volume ??= import("../desktop/volume/volume-control.ts").then(
      ({ VolumeControl, systemMixers }) =>
        new VolumeControl(systemMixers(this.#clock), this.#clock, this.#log.of("volume"), ({ driver, fault }) =>
          this.#report("volume", driver ?? "", fault ?? ""),
        ),
    );
    (await this.#volume).request(volume);
  }

  /** Of files, as of the mixers, the code is loaded when the first comes. */
  #fileSaid(message: FileLinkMessage): void {
    // In this turn if it can be: a body must be taken when it is named.
    if (this.#loadedFiles !== undefined) return this.#loadedFiles.daemonSaid(message);
    this.#files ??= import("./session-files.ts").then(({ SessionFiles }) => {
      const log = this.#log.of("files");
      const files = new SessionFiles({
        settings: this.#settings.files,
        clock: this.#clock,
        log,
        openBus: () => openSessionBus(this.#clock, log),
        folderKnown: (folder) => this.#report("files", folder, ""),
      });
      this.#loadedFiles = files;
      if (this.#link !== undefined) files.attach(this.#link);
      return files;
    });
    void this.#files.then((files) => files.daemonSaid(message));
  }

  /** The server's code is loaded where something is shared. */
  async #startGuestShare(): Promise<SessionGuestShare | undefined> {
    const feature = "guest share";
    const { SessionGuestShare } = await import("./session-guest-share.ts");
    try {
      return await SessionGuestShare.start({
        settings: this.#settings.guestShare,
        clock: this.#clock,
        log: this.#log.of(feature),
        report: (driver, fault) => this.#report(feature, driver, fault),
      });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(`${feature}: nothing is shared: ${describeError(error)}`);
      this.#report(feature, "", describeError(error));
      return undefined;
    }
  }

  async #serveHost(message: Extract<LinkControlMessage, { kind: "share-request" }>): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    // In this turn: a body must be taken when it is named.
    const incoming = link.incomingBody(message.bodyId);
    const share = await this.#guestShare;
    if (share === undefined) {
      incoming.cancel();
      link.send({ kind: "share-answer", requestId: message.requestId, bodyId: undefined });
    } else share.daemonSaid(message.requestId, incoming, link);
  }
}
