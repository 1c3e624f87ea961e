// The daemon's clipboard: the rules' effects on port and session, and the pumps that carry content between them.
import {
  type ClipboardEffect,
  type ClipboardInput,
  type ClipboardState,
  clipboardStep,
  emptyClipboard,
} from "../features/clipboard.ts";
import type { ClipboardPolicy } from "../features/clipboard-policy.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { IncomingBody, LinkControlMessage, OutgoingBody } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { DEAD_DISK_BYTES, SLOW_DISK_BYTES, SPOOL_MEMORY_BYTES, Spool } from "../support/spool.ts";
import type { AgentChannel, BodySink, StreamedMessage } from "../system/agent-channel.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import { ClipboardCounts } from "./clipboard-counts.ts";

/** A body whose taker takes nothing, or whose giver gives nothing, for this long is given up. */
const BODY_IDLE_MS = 5000;

/** What the daemon knows of one session's selections, whether it is on the screen or not: they live as long as its link. */
export class SessionSelections {
  readonly #copied = new Map<ClipboardSelection, readonly number[]>();
  readonly #offers = new Map<ClipboardSelection, number>();

  /** What its applications have copied, and nothing of the viewer's has replaced. */
  get copied(): ReadonlyMap<ClipboardSelection, readonly number[]> {
    return this.#copied;
  }

  /** Something of the viewer's is offered to it; the offer's number. */
  offer(selection: ClipboardSelection): number {
    const offer = (this.#lastOffer(selection) + 1) >>> 0;
    this.#offers.set(selection, offer);
    this.#copied.delete(selection);
    return offer;
  }

  /** An application has copied, or taken over. False: it crossed an offer on the way, and is over when that arrives. */
  grab(selection: ClipboardSelection, types: readonly number[], seenOffer: number): boolean {
    if (seenOffer !== this.#lastOffer(selection)) return false;
    this.#copied.set(selection, types);
    return true;
  }

  release(selection: ClipboardSelection): void {
    this.#copied.delete(selection);
  }

  #lastOffer(selection: ClipboardSelection): number {
    return this.#offers.get(selection) ?? 0;
  }
}

/** Of a session's grabs those that `SessionSelections` has let pass. */
export type ClipboardLinkMessage = Extract<
  LinkControlMessage,
  { readonly kind: `clipboard-${string}` | `content-${string}` }
>;

export class DaemonClipboard implements AsyncDisposable {
  readonly #channel: AgentChannel;
  readonly #policy: ClipboardPolicy;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By who is waited for, and for what. */
  readonly #timers = new Map<string, Disposable>();
  readonly #pumps = new Set<Promise<void>>();
  readonly counts = new ClipboardCounts();
  #state: ClipboardState = emptyClipboard;
  #session: LinkConnection | undefined;
  #selections = new SessionSelections();
  /** Bodies that a rule has been told of and no pump has taken over yet, or that a pump may be told to stop. */
  readonly #bodies = new Map<number, Body>();
  #nextBodyId = 1;

  constructor(channel: AgentChannel, policy: ClipboardPolicy, clock: Clock, log: Log) {
    this.#channel = channel;
    this.#policy = policy;
    this.#clock = clock;
    this.#log = log;
  }

  input(input: ClipboardInput): void {
    const [state, effects] = clipboardStep(this.#state, input, this.#policy);
    this.#state = state;
    this.#awaitNoMore();
    for (const effect of effects) this.#act(effect);
  }

  attach(session: LinkConnection, isShut: boolean, selections: SessionSelections): void {
    this.#session = session;
    this.#selections = selections;
    // A copy: what is offered to it takes away from what it has copied.
    const copied = new Map(selections.copied);
    this.input({ kind: "session-arrived", guest: isShut ? "shut" : "open", copied });
  }

  detach(): void {
    this.input({ kind: "session-left" });
    this.#session = undefined;
    // Their numbers are the session's, and the next one begins to count anew.
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    await Promise.all(this.#pumps);
  }

  /** Content from the host; undefined: nobody wants it. */
  hostBody(head: StreamedMessage & { readonly name: "CLIPBOARD" }, bytes: number): BodySink | undefined {
    const body = new Body();
    const bodyId = this.#keep(body);
    this.input({ kind: "host-answered", ...head.value, bodyId, bytes });
    // The rules have refused it: the channel reads over the rest.
    if (!this.#bodies.has(bodyId)) return undefined;
    return {
      piece: (piece) => {
        body.spool.writeCopy(piece);
        const waiting = body.spool.unflushedBytes;
        if (waiting > DEAD_DISK_BYTES) body.spool.fail(new BackendError("body.failed", "the disk does not keep up"));
        return waiting <= SLOW_DISK_BYTES;
      },
      end: () => body.spool.end(),
      abort: () => body.spool.fail(new BackendError("body.failed", "the viewer stopped in the middle")),
    };
  }

  sessionSaid(message: ClipboardLinkMessage): void {
    switch (message.kind) {
      case "clipboard-grab": {
        const { selection, types } = message;
        return this.input({ kind: "guest-grabbed", selection, types });
      }
      case "clipboard-release":
        return this.input({ kind: "guest-released", selection: message.selection });
      case "clipboard-kept": {
        const { selection, types } = message;
        return this.input({ kind: "guest-kept", selection, types });
      }
      case "clipboard-refused":
        // The session, whose configuration it was, has logged it.
        return this.counts.refused(message);
      case "clipboard-secret":
        return this.input({ kind: "guest-copied-secret", selection: message.selection });
      case "content-request": {
        const { requestId, selection, type } = message;
        return this.input({ kind: "guest-requested", requestId, selection, type });
      }
      case "content-cancel":
        return this.input({ kind: "guest-cancelled", requestId: message.requestId });
      case "content-answer": {
        const { requestId: askId, bodyId } = message;
        if (bodyId === undefined) return this.input({ kind: "guest-refused", askId });
        const body = new Body(this.#session?.incomingBody(bodyId));
        return this.input({ kind: "guest-answered", askId, bodyId: this.#keep(body) });
      }
      default:
        message satisfies never;
    }
  }

  #act(effect: ClipboardEffect): void {
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
        const offer = this.#selections.offer(selection);
        return this.#session?.send({ kind: "clipboard-grab", selection, types, offer });
      }
      case "withdraw-in-guest":
        return this.#session?.send({ kind: "clipboard-release", selection: effect.selection });
      case "ask-guest": {
        const { askId, selection, type } = effect;
        return this.#session?.send({ kind: "content-request", requestId: askId, selection, type });
      }
      case "cancel-ask":
        return this.#session?.send({ kind: "content-cancel", requestId: effect.askId });
      case "refuse-guest": {
        const { requestId } = effect;
        return this.#session?.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
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
        return this.#await(hostWait(requestId), timeoutMs, { kind: "host-silent", requestId });
      }
      case "await-guest": {
        const { askId, timeoutMs } = effect;
        return this.#await(guestWait(askId), timeoutMs, { kind: "guest-silent", askId });
      }
      case "count-refusal": {
        const { direction, reason } = effect;
        this.counts.refused(effect);
        return this.#log.info(`${direction.replaceAll("-", " ")}: refused: ${reason}`);
      }
      case "count-transfer": {
        const { direction, type, bytes } = effect;
        this.counts.transferred(effect);
        return this.#log.info(`${direction.replaceAll("-", " ")}: type ${type}: ${bytes} bytes`);
      }
      case "note":
        return this.#log.info(effect.text);
      default:
        return effect satisfies never;
    }
  }

  /** Host to guest: pieces go on as they come. */
  async #passOn({ bodyId, requestId, type, bytes }: Extract<ClipboardEffect, { kind: "open-body" }>): Promise<void> {
    const body = this.#bodies.get(bodyId);
    const session = this.#session;
    if (body === undefined || session === undefined) return;
    const { spool } = body;
    let out: OutgoingBody | undefined;
    let passedOn = 0;
    using _watch = this.#watch(body, () => spool.writtenBytes + passedOn);
    try {
      for await (const piece of wholeIfSmall(spool, bytes)) {
        // Not before there is something: what the session does with it would keep the port waiting at its beginning.
        out ??= this.#answer(session, body, { requestId, type, bytes });
        await out.write(piece, () => spool.giveBack(piece));
        passedOn += piece.length;
      }
      out ??= this.#answer(session, body, { requestId, type, bytes });
      out.end(true);
      this.#finished(bodyId, body);
    } catch (error) {
      if (out === undefined) session.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
      else out.end(false);
      this.#failed(bodyId, error, false);
    } finally {
      await spool[Symbol.asyncDispose]();
    }
  }

  #answer(
    session: LinkConnection,
    body: Body,
    answer: { readonly requestId: number; readonly type: number; readonly bytes: number },
  ): OutgoingBody {
    const out = session.openBody();
    body.outgoing = out;
    out.signal.addEventListener("abort", () => body.stop());
    session.send({ kind: "content-answer", ...answer, bodyId: out.id });
    return out;
  }

  /** Guest to host: nothing can be sent before all of it is here, for the header carries the size. */
  async #collect(bodyId: number, maxBytes: number): Promise<void> {
    const body = this.#bodies.get(bodyId);
    if (body?.incoming === undefined) return;
    const { spool } = body;
    using _watch = this.#watch(body, () => spool.writtenBytes);
    try {
      await body.incoming.pour((piece, isKept) => {
        if (isKept) spool.write(piece);
        else spool.writeCopy(piece);
        if (spool.writtenBytes > maxBytes)
          throw new BackendError("clipboard.too-large", `more than the ${maxBytes} bytes the viewer takes`);
        return spool.unflushedBytes > SLOW_DISK_BYTES ? spool.flushed() : undefined;
      });
      await spool.flushed();
      spool.end();
      this.#finished(bodyId, body);
    } catch (error) {
      body.stop();
      await spool[Symbol.asyncDispose]();
      this.#failed(bodyId, error, error instanceof BackendError && error.code === "clipboard.too-large");
    }
  }

  /** Stops the body when nothing of it has moved for BODY_IDLE_MS, on whichever side. */
  #watch(body: Body, movedBytes: () => number): Disposable {
    const watch = (before: number): Disposable =>
      this.#clock.after(BODY_IDLE_MS, () => {
        if (movedBytes() === before) body.stop();
        else timer = watch(movedBytes());
      });
    let timer = watch(0);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #finished(bodyId: number, body: Body): void {
    if (!this.#bodies.has(bodyId)) return void body.spool[Symbol.asyncDispose]();
    this.input({ kind: "body-finished", bodyId, bytes: body.spool.writtenBytes });
    this.#bodies.delete(bodyId);
  }

  #failed(bodyId: number, error: unknown, tooLarge: boolean): void {
    if (!(error instanceof BackendError)) throw error;
    if (!this.#bodies.delete(bodyId)) return;
    this.#log.warn(`transfer failed: ${describeError(error)}`);
    this.input({ kind: "body-failed", bodyId, tooLarge });
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

  #await(wait: string, timeoutMs: number, silence: ClipboardInput): void {
    const timer = this.#clock.after(timeoutMs, () => {
      this.#timers.delete(wait);
      this.input(silence);
    });
    this.#timers.get(wait)?.[Symbol.dispose]();
    this.#timers.set(wait, timer);
  }

  /** What has been answered, or is not wanted any more. */
  #awaitNoMore(): void {
    if (this.#timers.size === 0) return;
    const { guestRequests, hostRequests } = this.#state;
    const awaited = new Set([
      ...guestRequests.flatMap(({ phase, requestId }) => (phase === "asked" ? [hostWait(requestId)] : [])),
      ...hostRequests.flatMap(({ phase, askId }) => (phase === "asked" ? [guestWait(askId)] : [])),
    ]);
    for (const [wait, timer] of this.#timers) {
      if (awaited.has(wait)) continue;
      timer[Symbol.dispose]();
      this.#timers.delete(wait);
    }
  }
}

function hostWait(requestId: number): string {
  return `host ${requestId}`;
}

function guestWait(askId: number): string {
  return `guest ${askId}`;
}

/**
 * A host that finds the port full tries again only after 100 ms (spice-server), and the port fills within a millisecond:
 * as long as memory holds it all, nothing else is done beside reading.
 */
async function* wholeIfSmall(spool: Spool, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes <= SPOOL_MEMORY_BYTES) await spool.complete();
  yield* spool;
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
