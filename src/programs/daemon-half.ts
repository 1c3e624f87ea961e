// The daemon's half: the port, who is on it, and what goes between it and the session. Rules decide (features), this acts.
import type { Duplex } from "node:stream";
import {
  type CapabilitiesInput,
  type CapabilitiesState,
  capabilitiesStep,
  type GuestAbilities,
  guestCaps,
  layoutOf,
  noViewer,
} from "../features/capabilities.ts";
import {
  type ClipboardEffect,
  type ClipboardInput,
  type ClipboardPolicy,
  type ClipboardState,
  clipboardStep,
  emptyClipboard,
} from "../features/clipboard.ts";
import {
  type InputEvent,
  knowsDisplay,
  type PointerInput,
  type PointerState,
  pointerMissed,
  pointerStep,
  restingPointer,
} from "../features/pointer.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import {
  type IncomingBody,
  LinkConnection,
  type LinkControlMessage,
  type OutgoingBody,
} from "../support/link-connection.ts";
import type { Log } from "../support/log.ts";
import { Spool } from "../support/spool.ts";
import { AgentChannel, type BodySink, type StreamedMessage } from "../system/agent-channel.ts";
import type { PortOpener } from "../system/ports/port.ts";
import {
  AgentMessageType,
  type ClipboardSelection,
  ClipboardType,
  FileXferStatus,
  ReplyError,
} from "../wire/agent-constants.ts";
import type { AgentMessage } from "../wire/catalogue.ts";

/** A body whose taker takes nothing, or whose giver gives nothing, for this long is given up. */
const BODY_IDLE_MS = 5000;
/** Waiting for the disk: from here on the host is slowed down, and from there on the body is given up. */
const SLOW_DISK_BYTES = 4 * 1024 * 1024;
const DEAD_DISK_BYTES = 64 * 1024 * 1024;

export interface PointerDevice {
  /** False: the device could not take them, and they are gone. */
  emit(events: readonly InputEvent[]): boolean;
}

export interface DaemonParts {
  readonly openPort: PortOpener;
  readonly link: Duplex;
  readonly pointer: PointerDevice | undefined;
  readonly abilities: GuestAbilities;
  readonly clipboardPolicy: ClipboardPolicy;
  readonly clock: Clock;
  readonly log: Log;
}

export class DaemonHalf implements AsyncDisposable {
  readonly #parts: DaemonParts;
  readonly #log: Log;
  readonly #channel: AgentChannel;
  readonly #link: LinkConnection;
  readonly #timers = new Set<Disposable>();
  readonly #pumps = new Set<Promise<void>>();
  #capabilities: CapabilitiesState = noViewer;
  #clipboard: ClipboardState = emptyClipboard;
  #pointer: PointerState = restingPointer;
  /** How often something was offered to the session on each selection. */
  readonly #offers = new Map<ClipboardSelection, number>();
  /** Bodies that a rule has been told of and no pump has taken over yet, or that a pump may be told to stop. */
  readonly #bodies = new Map<number, Body>();
  #nextBodyId = 1;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#log = parts.log;
    this.#channel = new AgentChannel(
      parts.openPort,
      {
        closed: () => this.#capabilitiesInput({ kind: "port-closed" }),
        message: (message) => this.#hostSaid(message),
        body: (head, bytes) => this.#hostBody(head, bytes),
        undecodable: (type) => {
          if (type === AgentMessageType.MONITORS_CONFIG) this.#reply(type, ReplyError.ERROR);
        },
        layout: () => layoutOf(this.#capabilities),
      },
      parts.clock,
      parts.log.of("port"),
    );
    this.#link = new LinkConnection(
      parts.link,
      {
        message: (message) => this.#sessionSaid(message),
        closed: () => this.#clipboardInput({ kind: "session-left" }),
      },
      parts.log.of("session link"),
    );
  }

  start(): void {
    this.#channel.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel[Symbol.asyncDispose]();
    await this.#link[Symbol.asyncDispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
    await Promise.all(this.#pumps);
  }

  #hostSaid(message: AgentMessage): void {
    switch (message.name) {
      case "ANNOUNCE_CAPABILITIES":
        this.#channel.confirm();
        this.#capabilitiesInput({ kind: "host-announced", ...message.value });
        return;
      case "CLIENT_DISCONNECTED":
        this.#channel.forgetViewerMessage();
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
        if (this.#parts.abilities.display) this.#link.send({ kind: "monitors-config", config: message.value });
        return;
      case "CLIPBOARD_GRAB":
        this.#clipboardInput({ kind: "host-grabbed", ...message.value });
        return;
      case "CLIPBOARD_REQUEST":
        this.#clipboardInput({ kind: "host-requested", ...message.value });
        return;
      case "CLIPBOARD_RELEASE":
        this.#clipboardInput({ kind: "host-released", ...message.value });
        return;
      case "MAX_CLIPBOARD":
        this.#clipboardInput({ kind: "viewer-limited", maxBytes: message.value.max });
        return;
      case "FILE_XFER_START":
        this.#refuseFile(message.value.id);
        return;
      case "DISPLAY_CONFIG":
        this.#reply(AgentMessageType.DISPLAY_CONFIG, ReplyError.ERROR);
        return;
      default:
        this.#log.debug(`${message.name}: not for us`);
    }
  }

  #capabilitiesInput(input: CapabilitiesInput): void {
    const [state, effects] = capabilitiesStep(this.#capabilities, input, guestCaps(this.#parts.abilities));
    for (const effect of effects) {
      switch (effect.kind) {
        case "send-announce":
          this.#channel.send({ name: "ANNOUNCE_CAPABILITIES", value: { request: false, words: effect.words } });
          break;
        case "begin-viewer":
        case "update-viewer": {
          this.#capabilities = state;
          const viewer = { clipboard: effect.caps.clipboard && this.#parts.abilities.clipboard, ...effect.caps.layout };
          const arrived = effect.kind === "begin-viewer";
          if (arrived) this.#log.info(`viewer: connected (number ${state.epoch})`);
          this.#clipboardInput({ kind: arrived ? "viewer-arrived" : "viewer-changed", viewer });
          break;
        }
        case "end-viewer":
          this.#log.info("viewer: gone");
          this.#channel.forgetQueued();
          this.#pointerInput({ kind: "viewer-left" });
          this.#clipboardInput({ kind: "viewer-left" });
          this.#link.send({ kind: "viewer-left" });
          break;
        default:
          effect satisfies never;
      }
    }
    this.#capabilities = state;
  }

  #pointerInput(input: PointerInput): void {
    const before = this.#pointer;
    const [state, events] = pointerStep(before, input);
    const isTaken = events.length === 0 || this.#parts.pointer?.emit(events) === true;
    this.#pointer = isTaken ? state : pointerMissed(before);
  }

  #clipboardInput(input: ClipboardInput): void {
    const [state, effects] = clipboardStep(this.#clipboard, input, this.#parts.clipboardPolicy);
    this.#clipboard = state;
    for (const effect of effects) this.#clipboardEffect(effect);
  }

  #clipboardEffect(effect: ClipboardEffect): void {
    switch (effect.kind) {
      case "send-grab": {
        const { selection, serial, types } = effect;
        return this.#channel.send({ name: "CLIPBOARD_GRAB", value: { selection, serial, types } });
      }
      case "send-release":
        return this.#channel.send({ name: "CLIPBOARD_RELEASE", value: { selection: effect.selection } });
      case "send-request": {
        const { selection, type } = effect;
        return this.#channel.send({ name: "CLIPBOARD_REQUEST", value: { selection, type } });
      }
      case "send-empty": {
        const { selection, type } = effect;
        return this.#channel.send({ name: "CLIPBOARD", value: { selection, type } });
      }
      case "send-body": {
        const { selection, type, bodyId } = effect;
        const spool = this.#bodies.get(bodyId)?.spool;
        this.#bodies.delete(bodyId);
        if (spool !== undefined) this.#channel.sendWithBody({ name: "CLIPBOARD", value: { selection, type } }, spool);
        return;
      }
      case "offer-in-guest": {
        const { selection, types } = effect;
        const offer = ((this.#offers.get(selection) ?? 0) + 1) >>> 0;
        this.#offers.set(selection, offer);
        return this.#link.send({ kind: "clipboard-grab", selection, types, offer });
      }
      case "withdraw-in-guest":
        return this.#link.send({ kind: "clipboard-release", selection: effect.selection });
      case "ask-guest": {
        const { askId, selection, type } = effect;
        return this.#link.send({ kind: "content-request", requestId: askId, selection, type });
      }
      case "cancel-ask":
        return this.#link.send({ kind: "content-cancel", requestId: effect.askId });
      case "refuse-guest": {
        const { requestId } = effect;
        return this.#link.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
      }
      case "open-body":
        return this.#begin(this.#passOn(effect));
      case "collect-body":
        return this.#begin(this.#collect(effect.bodyId, effect.maxBytes));
      case "refuse-body":
      case "abort-body":
        this.#bodies.get(effect.bodyId)?.stop();
        this.#bodies.delete(effect.bodyId);
        return;
      case "await-host": {
        const { requestId, timeoutMs } = effect;
        return this.#after(timeoutMs, () => this.#clipboardInput({ kind: "host-silent", requestId }));
      }
      case "await-guest": {
        const { askId, timeoutMs } = effect;
        return this.#after(timeoutMs, () => this.#clipboardInput({ kind: "guest-silent", askId }));
      }
      case "note":
        return this.#log.info(`clipboard: ${effect.text}`);
      default:
        return effect satisfies never;
    }
  }

  #hostBody(head: StreamedMessage, bytes: number): BodySink | undefined {
    if (head.name !== "CLIPBOARD") return undefined;
    const body = new Body();
    const bodyId = this.#keep(body);
    this.#clipboardInput({ kind: "host-answered", ...head.value, bodyId, bytes });
    // The rules have refused it: the channel reads over the rest.
    if (!this.#bodies.has(bodyId)) return undefined;
    return {
      piece: (piece) => {
        body.spool.write(piece);
        const waiting = body.spool.unflushedBytes;
        if (waiting > DEAD_DISK_BYTES) body.spool.fail(new BackendError("body.failed", "the disk does not keep up"));
        return waiting <= SLOW_DISK_BYTES;
      },
      end: () => body.spool.end(),
      abort: () => body.spool.fail(new BackendError("body.failed", "the viewer stopped in the middle")),
    };
  }

  #sessionSaid(message: LinkControlMessage): void {
    switch (message.kind) {
      case "desktop-geometry":
        this.#pointerInput({ kind: "geometry-reported", displays: message.geometry.displays });
        return;
      case "clipboard-grab": {
        const { selection, types, offer } = message;
        // It crossed an offer of ours on the way: the session takes the selection for that one when it arrives.
        if (offer !== (this.#offers.get(selection) ?? 0)) return;
        this.#clipboardInput({ kind: "guest-grabbed", selection, types });
        return;
      }
      case "clipboard-release":
        this.#clipboardInput({ kind: "guest-released", selection: message.selection });
        return;
      case "content-request": {
        const { requestId, selection, type } = message;
        this.#clipboardInput({ kind: "guest-requested", requestId, selection, type });
        return;
      }
      case "content-cancel":
        this.#clipboardInput({ kind: "guest-cancelled", requestId: message.requestId });
        return;
      case "content-answer": {
        const { requestId: askId, bodyId } = message;
        if (bodyId === undefined) this.#clipboardInput({ kind: "guest-refused", askId });
        else {
          const body = new Body(this.#link.incomingBody(bodyId));
          this.#clipboardInput({ kind: "guest-answered", askId, bodyId: this.#keep(body) });
        }
        return;
      }
      case "monitors-config":
      case "viewer-left":
        this.#log.debug(`session link: ${message.kind}: ours to say`);
        return;
      default:
        message satisfies never;
    }
  }

  /** Host to guest: pieces go on as they come. */
  async #passOn({ bodyId, requestId, type, bytes }: Extract<ClipboardEffect, { kind: "open-body" }>): Promise<void> {
    const body = this.#bodies.get(bodyId);
    if (body === undefined) return;
    const out = this.#link.openBody();
    body.outgoing = out;
    out.signal.addEventListener("abort", () => body.stop());
    this.#link.send({ kind: "content-answer", requestId, type, bodyId: out.id, bytes });
    try {
      for await (const piece of this.#watched(body.spool, body)) await out.write(piece);
      out.end(true);
      this.#finished(bodyId, body);
    } catch (error) {
      out.end(false);
      this.#failed(bodyId, error, false);
    } finally {
      await body.spool[Symbol.asyncDispose]();
    }
  }

  /** Guest to host: nothing can be sent before all of it is here, for the header carries the size. */
  async #collect(bodyId: number, maxBytes: number): Promise<void> {
    const body = this.#bodies.get(bodyId);
    if (body?.incoming === undefined) return;
    try {
      for await (const piece of this.#watched(body.incoming, body)) {
        body.spool.write(piece);
        if (body.spool.writtenBytes > maxBytes) {
          throw new BackendError("clipboard.too-large", `more than the ${maxBytes} bytes the viewer takes`);
        }
        while (body.spool.unflushedBytes > SLOW_DISK_BYTES) await body.spool.flushed();
      }
      await body.spool.flushed();
      body.spool.end();
      this.#finished(bodyId, body);
    } catch (error) {
      body.stop();
      await body.spool[Symbol.asyncDispose]();
      this.#failed(bodyId, error, error instanceof BackendError && error.code === "clipboard.too-large");
    }
  }

  /** The same pieces; the body is stopped when nothing of it has moved for BODY_IDLE_MS, on whichever side. */
  async *#watched(pieces: AsyncIterable<Uint8Array>, body: Body): AsyncGenerator<Uint8Array> {
    let taken = 0;
    const movedBytes = (): number => body.spool.writtenBytes + taken;
    const watch = (before: number): Disposable =>
      this.#parts.clock.after(BODY_IDLE_MS, () => {
        if (movedBytes() === before) body.stop();
        else timer = watch(movedBytes());
      });
    let timer = watch(0);
    try {
      for await (const piece of pieces) {
        yield piece;
        taken += piece.length;
      }
    } finally {
      timer[Symbol.dispose]();
    }
  }

  #finished(bodyId: number, body: Body): void {
    if (!this.#bodies.has(bodyId)) return void body.spool[Symbol.asyncDispose]();
    this.#clipboardInput({ kind: "body-finished", bodyId, bytes: body.spool.writtenBytes });
    this.#bodies.delete(bodyId);
  }

  #failed(bodyId: number, error: unknown, tooLarge: boolean): void {
    if (!(error instanceof BackendError)) throw error;
    if (!this.#bodies.delete(bodyId)) return;
    this.#log.warn(`clipboard: transfer failed: ${describeError(error)}`);
    this.#clipboardInput({ kind: "body-failed", bodyId, tooLarge });
  }

  #keep(body: Body): number {
    const bodyId = this.#nextBodyId;
    this.#nextBodyId += 1;
    this.#bodies.set(bodyId, body);
    return bodyId;
  }

  #begin(pump: Promise<void>): void {
    this.#pumps.add(pump);
    // A pump that fails has a fault of ours: it must not pass unseen.
    void pump.finally(() => this.#pumps.delete(pump));
  }

  #after(timeoutMs: number, call: () => void): void {
    const timer = this.#parts.clock.after(timeoutMs, () => {
      this.#timers.delete(timer);
      call();
    });
    this.#timers.add(timer);
  }

  #reply(type: number, error: number): void {
    this.#channel.send({ name: "REPLY", value: { type, error } });
  }

  #refuseFile(id: number): void {
    const detailed = this.#capabilities.viewer?.detailedFileErrors === true;
    const result = detailed ? FileXferStatus.DISABLED : FileXferStatus.ERROR;
    this.#channel.send({ name: "FILE_XFER_STATUS", value: { id, result } });
  }
}

/** One body on its way through the daemon. */
class Body {
  readonly spool = new Spool();
  readonly incoming: IncomingBody | undefined;
  outgoing: OutgoingBody | undefined;

  constructor(incoming?: IncomingBody) {
    this.incoming = incoming;
  }

  /** Ends all of its sides; the pump that serves it finds out by an error. */
  stop(): void {
    this.incoming?.cancel();
    this.outgoing?.abandon();
    this.spool.fail(new BackendError("body.failed", "stopped"));
  }
}
