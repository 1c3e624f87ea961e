// The session's half: what the user's desktop does for the viewer, told over the link by the daemon's half.
import type { VolumeControl } from "../desktop/volume/volume-control.ts";
import { type Desktop, X11Desktop } from "../desktop/x11/x11-desktop.ts";
import { targetsOfTypes, typeOfTarget, typesOfTargets } from "../features/clipboard-targets.ts";
import type { Paste, PasteAnswer } from "../features/desktop-clipboard.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import type { AudioVolumeSync } from "../wire/audio-volume-sync.ts";
import type { DesktopGeometry, FeatureReport } from "../wire/link/messages.ts";
import type { MonitorsConfig } from "../wire/monitors-config.ts";

export interface SessionSettings {
  /** As in $DISPLAY; undefined: no desktop. */
  readonly display: string | undefined;
  readonly selections: readonly ClipboardSelection[];
  readonly resize: boolean;
  readonly volume: boolean;
}

type ContentRequest = Extract<LinkControlMessage, { kind: "content-request" }>;

export class SessionHalf implements AsyncDisposable {
  readonly #settings: SessionSettings;
  readonly #desktopSeen: (isThere: boolean) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #x11: X11Desktop | undefined;
  #link: LinkConnection | undefined;
  #desktop: Desktop | undefined;
  #geometry: DesktopGeometry | undefined;
  readonly #features = new Map<string, FeatureReport>();
  /** What the viewer offers, for a desktop that comes later. */
  readonly #viewerOffers = new Map<ClipboardSelection, readonly number[]>();
  /** The daemon's number of the last of them. */
  readonly #seenOffers = new Map<ClipboardSelection, number>();
  /** What applications offer: the target behind each type. */
  readonly #copied = new Map<ClipboardSelection, ReadonlyMap<number, string>>();
  #lastConfig: MonitorsConfig | undefined;
  readonly #pastes = new Map<number, (answer: PasteAnswer | undefined) => void>();
  #nextRequestId = 1;
  /** The daemon's requests under way. */
  readonly #asked = new Map<number, AbortController>();
  #volume: Promise<VolumeControl> | undefined;

  /** `desktopSeen` is told whenever the desktop comes or goes. */
  constructor(settings: SessionSettings, clock: Clock, log: Log, desktopSeen: (isThere: boolean) => void = () => {}) {
    this.#desktopSeen = desktopSeen;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    const { display, selections, resize } = settings;
    if (display === undefined) {
      log.warn("display: no display given: no clipboard, no resizing");
      this.#geometryKnown({ width: 0, height: 0, displays: [] });
      this.#report("display", "", "no display given");
      return;
    }
    this.#x11 = new X11Desktop(
      { display, selections, resize, clock, log },
      {
        clipboard: {
          copied: (selection, targets) => this.#applicationCopied(selection, targets),
          cleared: (selection) => this.#nothingCopied(selection),
          paste: (paste) => this.#paste(paste),
        },
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
    // It knows nothing of what was told before.
    this.#sendReport();
    for (const selection of this.#copied.keys()) this.#grab(selection);
    if (this.#geometry !== undefined) link.send({ kind: "desktop-geometry", geometry: this.#geometry });
  }

  /** The daemon's half is gone, and the viewer with it. */
  detach(): void {
    this.#link = undefined;
    for (const settle of this.#pastes.values()) settle(undefined);
    this.#pastes.clear();
    for (const abort of this.#asked.values()) abort.abort();
    for (const selection of this.#viewerOffers.keys()) this.#desktop?.clipboard?.withdraw(selection);
    this.#viewerOffers.clear();
    this.#seenOffers.clear();
    this.#lastConfig = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#x11?.[Symbol.asyncDispose]();
    await (await this.#volume)?.[Symbol.asyncDispose]();
  }

  daemonSaid(message: LinkControlMessage): void {
    switch (message.kind) {
      case "monitors-config":
        this.#lastConfig = message.config;
        this.#desktop?.display?.request(message.config);
        return;
      case "clipboard-grab":
        this.#viewerOffers.set(message.selection, message.types);
        this.#seenOffers.set(message.selection, message.offer);
        this.#copied.delete(message.selection);
        this.#desktop?.clipboard?.offer(message.selection, targetsOfTypes(message.types));
        return;
      case "clipboard-release":
        this.#viewerOffers.delete(message.selection);
        this.#desktop?.clipboard?.withdraw(message.selection);
        return;
      case "content-request":
        void this.#answer(message);
        return;
      case "content-cancel":
        this.#asked.get(message.requestId)?.abort();
        return;
      case "content-answer": {
        const { requestId, bodyId, bytes } = message;
        const content = bodyId === undefined ? undefined : this.#link?.incomingBody(bodyId);
        const settle = this.#pastes.get(requestId);
        this.#pastes.delete(requestId);
        if (settle === undefined) content?.cancel();
        else settle(content === undefined ? undefined : { content, bytes });
        return;
      }
      case "viewer-left":
        this.#lastConfig = undefined;
        return;
      case "audio-volume":
        if (this.#settings.volume) void this.#setVolume(message.volume);
        return;
      case "file-transfer-disabled":
      case "graphics-device-info":
        return this.#log.debug(`session link: ${message.kind}: nothing to do for it`);
      case "desktop-geometry":
      case "session-report":
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
    const { resize, selections } = this.#settings;
    this.#report("display", desktop.display === undefined ? "" : "randr", resize ? "" : "switched off");
    this.#report(
      "clipboard",
      desktop.clipboard === undefined ? "" : "x11",
      selections.length > 0 ? "" : "switched off",
    );
    for (const [selection, types] of this.#viewerOffers) desktop.clipboard?.offer(selection, targetsOfTypes(types));
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
    for (const abort of this.#asked.values()) abort.abort();
    for (const selection of [...this.#copied.keys()]) this.#nothingCopied(selection);
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

  #applicationCopied(selection: ClipboardSelection, targets: readonly string[]): void {
    // An application that copies ends what the viewer offered, also when a new desktop comes.
    this.#viewerOffers.delete(selection);
    const types = typesOfTargets(targets);
    if (types.size === 0) return this.#nothingCopied(selection);
    this.#copied.set(selection, types);
    this.#grab(selection);
  }

  #grab(selection: ClipboardSelection): void {
    const types = [...(this.#copied.get(selection)?.keys() ?? [])];
    const offer = this.#seenOffers.get(selection) ?? 0;
    this.#link?.send({ kind: "clipboard-grab", selection, types, offer });
  }

  #nothingCopied(selection: ClipboardSelection): void {
    this.#copied.delete(selection);
    this.#link?.send({ kind: "clipboard-release", selection });
  }

  /** An application wants what the viewer has. */
  async #paste({ selection, target, signal }: Paste): Promise<PasteAnswer | undefined> {
    const type = typeOfTarget(target);
    if (type === undefined || signal.aborted || this.#link === undefined) return undefined;
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffffffff) + 1;
    const answered = new Promise<PasteAnswer | undefined>((resolve) => this.#pastes.set(requestId, resolve));
    const giveUp = (): void => {
      this.#link?.send({ kind: "content-cancel", requestId });
      this.#pastes.get(requestId)?.(undefined);
      this.#pastes.delete(requestId);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#link?.send({ kind: "content-request", requestId, selection, type });
    const answer = await answered;
    signal.removeEventListener("abort", giveUp);
    return answer;
  }

  /** The viewer wants what an application has. */
  async #answer({ requestId, selection, type }: ContentRequest): Promise<void> {
    const link = this.#link;
    const target = this.#copied.get(selection)?.get(type);
    const clipboard = this.#desktop?.clipboard;
    if (link === undefined) return;
    const refuse = (): void => link.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
    if (target === undefined || clipboard === undefined) return refuse();
    const abort = new AbortController();
    this.#asked.set(requestId, abort);
    let isAnswered = false;
    try {
      const body = link.openBody();
      body.signal.addEventListener("abort", () => abort.abort());
      const answer = (): void => link.send({ kind: "content-answer", requestId, type, bodyId: body.id });
      try {
        for await (const piece of clipboard.read(selection, target, abort.signal)) {
          // Not before the first piece: until then it can still be refused.
          if (!isAnswered) answer();
          isAnswered = true;
          await body.write(piece);
        }
        if (!isAnswered) answer();
        isAnswered = true;
        body.end(true);
      } finally {
        body.end(false);
      }
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!abort.signal.aborted)
        this.#log.warn(`clipboard: an application could not give its content: ${describeError(error)}`);
      if (!isAnswered) refuse();
    } finally {
      this.#asked.delete(requestId);
    }
  }
}
