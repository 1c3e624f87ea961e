// The daemon's files: the rules' effects on port and session, and the pumps that carry bytes from one to the other.
import type { FileOutcome } from "../features/file-outcome.ts";
import {
  type FileTaker,
  type FileTransferEffect,
  type FileTransferInput,
  type FileTransferPolicy,
  type FileTransferState,
  fileTransferStep,
  MAX_WAITING_FILES,
  newFileTransfers,
} from "../features/file-transfer.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { OutgoingBody } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { Spool } from "../support/spool.ts";
import type { AgentChannel, BodySink, StreamedMessage } from "../system/agent-channel.ts";
import type { FileXferStatus as StatusMessage } from "../wire/file-xfer-status.ts";

/** What the session has not taken yet: from here on the host is slowed down, and from there on the file is given up. */
const SLOW_SESSION_BYTES = 4 * 1024 * 1024;
const DEAD_SESSION_BYTES = 256 * 1024 * 1024;
/** A session that takes nothing for this long has a disk that does not answer. */
const STALLED_SESSION_MS = 30_000;
/** Statuses that go to the port at once: a hundred thousand would be more than it lets wait. */
const STATUSES_AT_ONCE = 500;
const STATUS_PAUSE_MS = 20;
/** That wait for the pause; only a viewer that floods us has more answers to come than files waiting. */
const MAX_STATUSES = 2 * MAX_WAITING_FILES;
/** How often the session is told what waits. */
const QUEUE_NEWS_MS = 200;

/** What `status` shows of files. */
export interface FilesStatus {
  readonly underWay: number;
  readonly waiting: number;
  readonly saved: number;
  /** Not saved, by reason. */
  readonly failed: Readonly<Record<string, number>>;
}

/** One file on its way through the daemon. */
interface Flow {
  readonly spool: Spool;
  outgoing: OutgoingBody | undefined;
  takenBytes: number;
  /** By us, and the viewer is to be told; a session that stops it says why itself. */
  isGivenUp: boolean;
}

export class DaemonFiles implements AsyncDisposable {
  readonly #channel: AgentChannel;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #state: FileTransferState;
  readonly #flows = new Map<number, Flow>();
  readonly #timers = new Map<number, Disposable>();
  readonly #pumps = new Set<Promise<void>>();
  #session: LinkConnection | undefined;
  /** Where the message that is coming in goes. */
  #taking: { readonly fileId: number; readonly isLast: boolean } | undefined;
  #statuses: StatusMessage[] = [];
  #statusPause: Disposable | undefined;
  #queueNews: Disposable | undefined;
  #toldWaiting = 0;

  constructor(channel: AgentChannel, policy: FileTransferPolicy, clock: Clock, log: Log) {
    this.#channel = channel;
    this.#clock = clock;
    this.#log = log;
    this.#state = newFileTransfers(policy);
  }

  get status(): FilesStatus {
    const { open, waitingFiles, saved, failures } = this.#state;
    return { underWay: open.size, waiting: waitingFiles, saved, failed: Object.fromEntries(failures) };
  }

  input(input: FileTransferInput): void {
    if (input.kind === "viewer-left") this.#forgetStatuses();
    for (const effect of fileTransferStep(this.#state, input)) this.#act(effect);
    if (this.#statusPause === undefined) this.#sendStatuses();
    if (this.#statuses.length > MAX_STATUSES) this.#channel.reopen("the viewer does not wait for its answers");
    if (this.#state.waitingFiles !== this.#toldWaiting) this.#tellQueue();
  }

  attach(session: LinkConnection, taker: Exclude<FileTaker, "nobody">): void {
    this.#session = session;
    this.#toldWaiting = 0;
    if (!this.#state.policy.enabled || taker === "not-a-user") session.send({ kind: "file-transfer-disabled" });
    this.input({ kind: "taker-changed", taker });
  }

  detach(): void {
    this.input({ kind: "taker-left" });
    this.#session = undefined;
    this.#queueNews?.[Symbol.dispose]();
    this.#queueNews = undefined;
  }

  sessionAnswered(fileId: number, outcome: FileOutcome): void {
    this.input({ kind: "guest-answered", fileId, outcome });
  }

  /** Bytes from the host; undefined: nobody wants them. */
  hostBody(
    { value: { id, size } }: StreamedMessage & { readonly name: "FILE_XFER_DATA" },
    bytes: number,
  ): BodySink | undefined {
    this.#taking = undefined;
    this.input({ kind: "host-sent", id, claimed: size, bytes });
    const { fileId, isLast } = this.#taking ?? ({} as { fileId?: number; isLast?: boolean });
    const flow = fileId === undefined ? undefined : this.#flows.get(fileId);
    if (flow === undefined) return undefined;
    const { spool } = flow;
    return {
      piece: (piece) => {
        spool.writeCopy(piece);
        const behind = spool.writtenBytes - flow.takenBytes;
        if (behind > DEAD_SESSION_BYTES) giveUp(flow, "the session does not keep up");
        return behind <= SLOW_SESSION_BYTES;
      },
      end: () => {
        if (isLast === true) spool.end();
      },
      abort: () => stop(flow, "the viewer stopped in the middle"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
    this.#forgetStatuses();
    this.#queueNews?.[Symbol.dispose]();
    for (const flow of this.#flows.values()) stop(flow, "the daemon ends");
    await Promise.all(this.#pumps);
  }

  #act(effect: FileTransferEffect): void {
    switch (effect.kind) {
      case "send-status":
        this.#statuses.push(effect.status);
        return;
      case "start-in-guest": {
        const { fileId, name, size } = effect;
        return this.#session?.send({ kind: "file-start", fileId, name, size });
      }
      case "cancel-in-guest":
        return this.#session?.send({ kind: "file-cancelled", fileId: effect.fileId });
      case "open-body":
        return this.#begin(effect.fileId);
      case "take-data":
        this.#taking = effect;
        return;
      case "abort-body": {
        const flow = this.#flows.get(effect.fileId);
        this.#flows.delete(effect.fileId);
        if (flow !== undefined) stop(flow, "the transfer is over");
        return;
      }
      case "await": {
        const { fileId, timeoutMs } = effect;
        this.#timers.get(fileId)?.[Symbol.dispose]();
        const timer = this.#clock.after(timeoutMs, () => {
          this.#timers.delete(fileId);
          this.input({ kind: "silent", fileId });
        });
        this.#timers.set(fileId, timer);
        return;
      }
      case "await-nothing":
        this.#timers.get(effect.fileId)?.[Symbol.dispose]();
        this.#timers.delete(effect.fileId);
        return;
      case "note":
        return this.#log.info(effect.text);
      default:
        return effect satisfies never;
    }
  }

  #begin(fileId: number): void {
    const flow: Flow = { spool: new Spool(), outgoing: undefined, takenBytes: 0, isGivenUp: false };
    this.#flows.set(fileId, flow);
    const pump = this.#passOn(fileId, flow);
    this.#pumps.add(pump);
    // A pump that fails has a fault of ours: it must not pass unseen.
    void pump.finally(() => this.#pumps.delete(pump));
  }

  async #passOn(fileId: number, flow: Flow): Promise<void> {
    const { spool } = flow;
    const out = this.#session?.openFileBody(fileId);
    if (out === undefined) return;
    flow.outgoing = out;
    out.signal.addEventListener("abort", () => stop(flow, "the session does not want it"));
    try {
      for await (const piece of spool) {
        using _stalled = this.#clock.after(STALLED_SESSION_MS, () => giveUp(flow, "the session takes nothing"));
        await out.write(piece);
        flow.takenBytes += piece.length;
      }
      out.end(true);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      out.end(false);
      if (!flow.isGivenUp || this.#flows.get(fileId) !== flow) return;
      this.#log.warn(`not passed on: ${describeError(error)}`);
      this.input({ kind: "body-failed", fileId });
    } finally {
      if (this.#flows.get(fileId) === flow) this.#flows.delete(fileId);
      await spool[Symbol.asyncDispose]();
    }
  }

  #sendStatuses(): void {
    for (const value of this.#statuses.splice(0, STATUSES_AT_ONCE))
      this.#channel.send({ name: "FILE_XFER_STATUS", value });
    if (this.#statuses.length === 0) return;
    this.#statusPause = this.#clock.after(STATUS_PAUSE_MS, () => {
      this.#statusPause = undefined;
      this.#sendStatuses();
    });
  }

  /** They were for a viewer that has gone. */
  #forgetStatuses(): void {
    this.#statuses = [];
    this.#statusPause?.[Symbol.dispose]();
    this.#statusPause = undefined;
  }

  #tellQueue(): void {
    this.#queueNews ??= this.#clock.after(QUEUE_NEWS_MS, () => {
      this.#queueNews = undefined;
      const { waitingFiles, waitingBytes } = this.#state;
      this.#toldWaiting = waitingFiles;
      this.#session?.send({ kind: "file-queue", files: waitingFiles, bytes: atMostU64(waitingBytes) });
    });
  }
}

function giveUp(flow: Flow, why: string): void {
  flow.isGivenUp = true;
  stop(flow, why);
}

/** Both of its sides end; the pump finds out by an error. */
function stop({ spool, outgoing }: Flow, why: string): void {
  spool.fail(new BackendError("body.failed", why));
  outgoing?.abandon();
}

/** A viewer may claim any size for each. */
function atMostU64(bytes: bigint): bigint {
  const max = 2n ** 64n - 1n;
  return bytes > max ? max : bytes;
}
