// A call on its way: it ends with an answer, with the time it may take, with its signal, or with the connection.
import type { Clock } from "../clock.ts";
import { BackendError } from "../errors.ts";
import type { BusCall, BusReply } from "./bus-connection.ts";
import type { BusValue } from "./bus-values.ts";

/** Of what a service says about its refusal, in characters. */
const MAX_REFUSAL_TEXT = 200;

/** The service, or the bus in its place, has answered with an error. */
export class BusRefusal extends BackendError {
  /** Such as org.freedesktop.DBus.Error.UnknownObject. */
  readonly dbusName: string;

  constructor(call: BusCall, dbusName: string, text: string) {
    super("bus.refused", `${call.member}: ${dbusName}: ${text.slice(0, MAX_REFUSAL_TEXT)}`);
    this.dbusName = dbusName;
  }
}

export interface PendingCallOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  /** It waits no longer, however it ended. */
  readonly over: () => void;
  readonly resolve: (body: readonly BusValue[]) => void;
  readonly reject: (reason: unknown) => void;
}

export class PendingCall {
  readonly call: BusCall;
  /** Set when it is sent. */
  serial: number | undefined;
  readonly #options: PendingCallOptions;
  readonly #timer: Disposable;
  readonly #aborted: () => void;

  constructor(call: BusCall, options: PendingCallOptions) {
    this.call = call;
    this.#options = options;
    const { clock, timeoutMs, signal } = options;
    this.#timer = clock.after(timeoutMs, () => {
      const who = `${call.destination} ${call.member}`;
      this.fail(new BackendError("bus.timeout", `${who}: no answer after ${timeoutMs} ms`));
    });
    this.#aborted = () => this.fail(signal?.reason);
    signal?.addEventListener("abort", this.#aborted);
  }

  answer(reply: BusReply): void {
    if (reply.kind === "error") return this.fail(new BusRefusal(this.call, reply.errorName, reply.text));
    this.#end();
    this.#options.resolve(reply.body);
  }

  fail(reason: unknown): void {
    this.#end();
    this.#options.reject(reason);
  }

  #end(): void {
    this.#timer[Symbol.dispose]();
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    this.#options.over();
  }
}
