// The session's half as a test plays it: the other end of the daemon's link.
import { type Duplex, duplexPair } from "node:stream";
import type { IncomingBody, LinkControlMessage } from "../../src/support/link/dialect.ts";
import { LinkConnection } from "../../src/support/link/link-connection.ts";
import type { ClipboardSelection } from "../../src/wire/agent-constants.ts";
import type { DesktopGeometry } from "../../src/wire/link/messages.ts";
import { ManualClock } from "./manual-clock.ts";
import { recordingLog } from "./recording-log.ts";

type Kind = LinkControlMessage["kind"];
type OfKind<K extends Kind> = Extract<LinkControlMessage, { kind: K }>;

/** Without a desktop of its own: the port is wanted, and the pointer may go anywhere. */
const anyDesktop: DesktopGeometry = { width: 0, height: 0, displays: [] };

export class FakeSession {
  readonly link: LinkConnection;
  readonly messages: LinkControlMessage[] = [];
  /** Whoever plays a part of it is told at once. */
  onMessage: (message: LinkControlMessage) => void = () => {};
  /** Resolves when both sides know how they speak; nothing may be sent before. */
  readonly ready: Promise<void>;
  /** Resolves when the daemon's end is gone. */
  readonly closed: Promise<void>;
  readonly #bodies = new Map<number, IncomingBody>();
  readonly #arrivals = new Set<() => void>();
  #isClosed = false;
  #consumed = 0;
  #nextRequestId = 1;

  /** `ours`: our end of the link. `geometry` is told as soon as somebody listens; null: the desktop is not known yet. */
  constructor(ours: Duplex, geometry: DesktopGeometry | null = anyDesktop) {
    let begin = (): void => {};
    this.ready = new Promise((resolve) => {
      begin = resolve;
    });
    let close = (): void => {};
    this.closed = new Promise((resolve) => {
      close = resolve;
    });
    this.link = new LinkConnection(
      ours,
      { role: "session", version: "0.0.0-test", clock: new ManualClock(), log: recordingLog().log },
      {
        ready: () => {
          if (geometry !== null) this.tells(geometry);
          begin();
        },
        message: (message) => this.#received(message),
        closed: () => {
          this.#isClosed = true;
          close();
          this.#notify();
        },
      },
    );
  }

  /** One in this process, and the end to give to the daemon's half. */
  static inMemory(geometry?: DesktopGeometry | null): { readonly session: FakeSession; readonly daemonEnd: Duplex } {
    const [daemonEnd, ours] = duplexPair();
    ours.on("close", () => daemonEnd.destroy());
    daemonEnd.on("close", () => ours.destroy());
    return { session: new FakeSession(ours, geometry), daemonEnd };
  }

  /** The next message of this kind that no earlier call has returned. Throws after `timeoutMs`. */
  async next<K extends Kind>(kind: K, timeoutMs = 20_000): Promise<OfKind<K>> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const index = this.messages.findIndex((message, at) => at >= this.#consumed && message.kind === kind);
      const found = this.messages[index];
      if (found !== undefined) {
        this.#consumed = index + 1;
        return found as OfKind<K>;
      }
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || this.#isClosed) {
        const said = this.messages.slice(this.#consumed).map((message) => message.kind);
        throw new Error(`no ${kind} from the daemon's half; it said ${said.join(", ") || "nothing"}`);
      }
      await this.#arrival(leftMs);
    }
  }

  get unread(): readonly LinkControlMessage[] {
    return this.messages.slice(this.#consumed);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How its desktop lies. */
  tells(geometry: DesktopGeometry): void {
    this.link.send({ kind: "desktop-geometry", geometry });
  }

  leaves(): Promise<void> {
    return this.link[Symbol.asyncDispose]();
  }

  /** An application copies. `offer`: the last of the daemon's offers that the session had seen by then. */
  copies(selection: ClipboardSelection, types: readonly number[] = [1], offer = this.#seenOffer(selection)): void {
    this.link.send({ kind: "clipboard-grab", selection, types, offer });
  }

  /** An application pastes. */
  pastes(selection: ClipboardSelection, type = 1): void {
    this.link.send({ kind: "content-request", requestId: this.#nextRequestId++, selection, type });
  }

  /** Answers a request of the daemon with this content. */
  async answer(request: OfKind<"content-request">, content: Uint8Array): Promise<void> {
    const body = this.link.openBody();
    this.link.send({ kind: "content-answer", requestId: request.requestId, type: request.type, bodyId: body.id });
    await body.write(content);
    body.end(true);
  }

  /** All of the body that an answer names. */
  async content(answer: OfKind<"content-answer">): Promise<Buffer> {
    const body = this.#bodies.get(answer.bodyId ?? 0);
    if (body === undefined) throw new Error("the answer has no body");
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  #seenOffer(selection: ClipboardSelection): number {
    const offers = this.messages.filter((message) => message.kind === "clipboard-grab");
    return offers.findLast((message) => message.selection === selection)?.offer ?? 0;
  }

  /** A body must be taken when it is named: its end may come with the same bytes. */
  #received(message: LinkControlMessage): void {
    this.messages.push(message);
    this.onMessage(message);
    if (message.kind === "content-answer" && message.bodyId !== undefined)
      this.#bodies.set(message.bodyId, this.link.incomingBody(message.bodyId));
    this.#notify();
  }

  #arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const arrived = (): void => {
        clearTimeout(timer);
        this.#arrivals.delete(arrived);
        // What else the same bytes have set off is done first.
        setImmediate(resolve);
      };
      const timer = setTimeout(arrived, timeoutMs);
      this.#arrivals.add(arrived);
    });
  }

  #notify(): void {
    for (const arrived of [...this.#arrivals]) arrived();
  }
}
