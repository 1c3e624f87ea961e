// DISPLAY_CONFIG at the daemon: the session does it, and the viewer is told whether it could.
import type { Clock } from "../support/clock.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";

/** For a session to answer: a desktop's tool has two seconds for each of its settings. */
const ANSWER_MS = 10_000;
/** Unanswered at the same time; a viewer sends one. */
const MAX_REQUESTS = 16;

type EffectsAnswer = Extract<LinkControlMessage, { kind: "effects-answer" }>;

export class DaemonEffects {
  readonly #clock: Clock;
  readonly #reply: (isDone: boolean) => void;
  readonly #asked = new Map<number, Disposable>();
  #nextRequestId = 1;

  constructor(clock: Clock, reply: (isDone: boolean) => void) {
    this.#clock = clock;
    this.#reply = reply;
  }

  /** Undefined: no session that may be asked. Upstream's does not know the question. */
  request(flags: number, link: LinkConnection | undefined): void {
    if (link?.dialect !== "extended" || this.#asked.size >= MAX_REQUESTS) return this.#reply(false);
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffffffff) + 1;
    this.#asked.set(
      requestId,
      this.#clock.after(ANSWER_MS, () => this.#settle(requestId, false)),
    );
    link.send({ kind: "effects-request", requestId, flags });
  }

  answered({ requestId, isDone }: EffectsAnswer): void {
    this.#settle(requestId, isDone);
  }

  /** The session is gone: nobody will answer. */
  detach(): void {
    for (const requestId of [...this.#asked.keys()]) this.#settle(requestId, false);
  }

  /** The viewer is gone: nobody wants to know. */
  forget(): void {
    for (const timer of this.#asked.values()) timer[Symbol.dispose]();
    this.#asked.clear();
  }

  #settle(requestId: number, isDone: boolean): void {
    const timer = this.#asked.get(requestId);
    if (timer === undefined) return;
    timer[Symbol.dispose]();
    this.#asked.delete(requestId);
    this.#reply(isDone);
  }
}
