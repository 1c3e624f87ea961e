// Files from the viewer as the daemon rules them: which transfer is whose, who waits, and one last word to each.
// Section 4 of the protocol. No byte of a file comes by here, and no name leaves but to the session.
import { FileXferStatus, GioError } from "../wire/agent-constants.ts";
import type { FileXferStatus as StatusMessage } from "../wire/file-xfer-status.ts";
import { CANCELLED, DISABLED, type FileOutcome, failedWith, reasonOf, statusFor } from "./file-outcome.ts";

/** Files under way at once. A viewer starts all it was given together; upstream fails what is beyond 128. */
export const MAX_OPEN_FILES = 16;
export const MAX_WAITING_FILES = 100_000;
/** Names of those that wait, in UTF-16 units together; and of one, which must fit in a frame of the link. */
const MAX_WAITING_NAMES = 32 * 1024 * 1024;
const MAX_NAME = 4096;
/** For the session to say whether it can be saved, and that it is: a disk or a file server may have to wake up. */
const GUEST_SILENCE_MS = 60_000;
/** For the viewer to go on. It tells nobody when it cannot, and holds a place that others wait for. */
const HOST_SILENCE_MS = 120_000;

/** What is on the screen. */
export type FileTaker = "nobody" | "locked" | "not-a-user" | "user";

export interface FileTransferPolicy {
  readonly enabled: boolean;
}

interface Transfer {
  /** Ours, never used twice; the viewer's may be. */
  readonly fileId: number;
  readonly hostId: number;
  readonly name: string;
  readonly size: bigint;
  /** `asked`: the session; `sending`: the viewer may; `finishing`: all is here; `over`: still in the queue, but not waiting. */
  phase: "waiting" | "asked" | "sending" | "finishing" | "over";
  receivedBytes: number;
}

/** Changed in place: copies of a hundred thousand waiting files at each step would be too many. */
export interface FileTransferState {
  readonly policy: FileTransferPolicy;
  /** Undefined: none is there. */
  viewer: { readonly isDetailed: boolean } | undefined;
  taker: FileTaker;
  readonly byHostId: Map<number, Transfer>;
  readonly open: Map<number, Transfer>;
  /** First come, first served; from `queueHead` on. */
  queue: Transfer[];
  queueHead: number;
  waitingFiles: number;
  waitingBytes: bigint;
  waitingNames: number;
  nextFileId: number;
  saved: number;
  readonly failures: Map<string, number>;
  /** Those of the two since nothing was under way. */
  savedTogether: number;
  failedTogether: number;
}

export type FileTransferInput =
  | { readonly kind: "viewer-arrived"; readonly isDetailed: boolean }
  | { readonly kind: "viewer-changed"; readonly isDetailed: boolean }
  | { readonly kind: "viewer-left" }
  | { readonly kind: "taker-changed"; readonly taker: Exclude<FileTaker, "nobody"> }
  | { readonly kind: "taker-left" }
  | { readonly kind: "host-started"; readonly id: number; readonly name: string; readonly size: bigint }
  /** A start that nobody can read. */
  | { readonly kind: "host-garbled"; readonly id: number }
  /** `claimed`: what the message says; `bytes`: what it is long. */
  | { readonly kind: "host-sent"; readonly id: number; readonly claimed: bigint; readonly bytes: number }
  | { readonly kind: "host-gave-up"; readonly id: number }
  | { readonly kind: "guest-answered"; readonly fileId: number; readonly outcome: FileOutcome }
  | { readonly kind: "guest-cancelled-all" }
  | { readonly kind: "body-failed"; readonly fileId: number }
  /** What `await` asked for has not come. */
  | { readonly kind: "silent"; readonly fileId: number };

export type FileTransferEffect =
  | { readonly kind: "send-status"; readonly status: StatusMessage }
  | { readonly kind: "start-in-guest"; readonly fileId: number; readonly name: string; readonly size: bigint }
  | { readonly kind: "cancel-in-guest"; readonly fileId: number }
  | { readonly kind: "open-body"; readonly fileId: number }
  /** The message that is coming in belongs to this body. */
  | { readonly kind: "take-data"; readonly fileId: number; readonly isLast: boolean }
  | { readonly kind: "abort-body"; readonly fileId: number }
  /** Instead of what was awaited for this file before. */
  | { readonly kind: "await"; readonly fileId: number; readonly timeoutMs: number }
  | { readonly kind: "await-nothing"; readonly fileId: number }
  | { readonly kind: "note"; readonly text: string };

export function newFileTransfers(policy: FileTransferPolicy): FileTransferState {
  return {
    policy,
    viewer: undefined,
    taker: "nobody",
    byHostId: new Map(),
    open: new Map(),
    queue: [],
    queueHead: 0,
    waitingFiles: 0,
    waitingBytes: 0n,
    waitingNames: 0,
    nextFileId: 1,
    saved: 0,
    failures: new Map(),
    savedTogether: 0,
    failedTogether: 0,
  };
}

export function fileTransferStep(state: FileTransferState, input: FileTransferInput): readonly FileTransferEffect[] {
  switch (input.kind) {
    case "viewer-arrived":
    case "viewer-changed":
      state.viewer = { isDetailed: input.isDetailed };
      return [];
    case "viewer-left":
      state.viewer = undefined;
      return forgotten(state);
    case "taker-changed":
      // What was accepted while its user was there goes on when the screen locks itself.
      state.taker = input.taker;
      return [];
    case "taker-left":
      state.taker = "nobody";
      return allCancelled(state);
    case "host-started":
      return started(state, input);
    case "host-garbled":
      return refused(state, input.id, failedWith(GioError.FAILED));
    case "host-sent":
      return sent(state, input);
    case "host-gave-up": {
      const transfer = state.byHostId.get(input.id);
      // It says so of those that we have ended, too.
      return transfer === undefined ? [] : ended(state, transfer, CANCELLED, { tellHost: false, tellGuest: true });
    }
    case "guest-answered":
      return answered(state, input.fileId, input.outcome);
    case "guest-cancelled-all":
      return allCancelled(state);
    case "body-failed":
      return failed(state, input.fileId, failedWith(GioError.FAILED));
    case "silent":
      return failed(state, input.fileId, failedWith(GioError.TIMED_OUT));
    default:
      return input satisfies never;
  }
}

function started(
  state: FileTransferState,
  { id, name, size }: Extract<FileTransferInput, { kind: "host-started" }>,
): FileTransferEffect[] {
  const reason = reasonAgainst(state, id, name);
  if (reason !== undefined) return refused(state, id, reason);
  const fileId = state.nextFileId;
  state.nextFileId = (fileId % 0xffff_ffff) + 1;
  const transfer: Transfer = { fileId, hostId: id, name, size, phase: "waiting", receivedBytes: 0 };
  state.byHostId.set(id, transfer);
  state.queue.push(transfer);
  state.waitingFiles += 1;
  state.waitingBytes += size;
  state.waitingNames += name.length;
  return next(state);
}

function reasonAgainst(state: FileTransferState, id: number, name: string): FileOutcome | undefined {
  if (!state.policy.enabled || state.taker === "not-a-user") return DISABLED;
  if (state.taker === "nobody") return { result: FileXferStatus.VDAGENT_NOT_CONNECTED };
  if (state.taker === "locked") return { result: FileXferStatus.SESSION_LOCKED };
  if (state.byHostId.has(id)) return failedWith(GioError.EXISTS);
  if (name.length > MAX_NAME) return failedWith(GioError.FILENAME_TOO_LONG);
  if (state.waitingFiles >= MAX_WAITING_FILES || state.waitingNames + name.length > MAX_WAITING_NAMES)
    return failedWith(GioError.TOO_MANY_OPEN_FILES);
  return undefined;
}

function refused(state: FileTransferState, id: number, outcome: FileOutcome): FileTransferEffect[] {
  count(state, outcome);
  return [
    { kind: "note", text: `refused: ${reasonOf(outcome)}` },
    { kind: "send-status", status: statusFor(id, outcome, state.viewer?.isDetailed === true) },
  ];
}

function sent(
  state: FileTransferState,
  { id, claimed, bytes }: Extract<FileTransferInput, { kind: "host-sent" }>,
): FileTransferEffect[] {
  const transfer = state.byHostId.get(id);
  if (transfer === undefined) return [];
  const after = transfer.receivedBytes + bytes;
  const isWrong = transfer.phase !== "sending" || claimed !== BigInt(bytes) || BigInt(after) > transfer.size;
  if (isWrong) return ended(state, transfer, failedWith(GioError.FAILED), { tellHost: true, tellGuest: true });
  transfer.receivedBytes = after;
  const { fileId } = transfer;
  const isLast = BigInt(after) === transfer.size;
  if (isLast) transfer.phase = "finishing";
  return [
    { kind: "take-data", fileId, isLast },
    { kind: "await", fileId, timeoutMs: isLast ? GUEST_SILENCE_MS : HOST_SILENCE_MS },
  ];
}

function answered(state: FileTransferState, fileId: number, outcome: FileOutcome): FileTransferEffect[] {
  const transfer = state.open.get(fileId);
  // Its answer crossed the end of it.
  if (transfer === undefined) return [];
  const { result } = outcome;
  if (result === FileXferStatus.CAN_SEND_DATA) {
    if (transfer.phase !== "asked") return [];
    transfer.phase = "sending";
    return [
      { kind: "open-body", fileId },
      { kind: "send-status", status: { id: transfer.hostId, result } },
      { kind: "await", fileId, timeoutMs: HOST_SILENCE_MS },
    ];
  }
  if (result === FileXferStatus.SUCCESS && transfer.phase !== "finishing")
    return ended(state, transfer, failedWith(GioError.FAILED), { tellHost: true, tellGuest: true });
  const isKnown = result > FileXferStatus.CAN_SEND_DATA && result <= FileXferStatus.DISABLED;
  const told = isKnown ? outcome : failedWith(GioError.FAILED);
  return ended(state, transfer, told, { tellHost: true, tellGuest: false });
}

function failed(state: FileTransferState, fileId: number, outcome: FileOutcome): FileTransferEffect[] {
  const transfer = state.open.get(fileId);
  return transfer === undefined ? [] : ended(state, transfer, outcome, { tellHost: true, tellGuest: true });
}

interface Telling {
  readonly tellHost: boolean;
  readonly tellGuest: boolean;
}

function ended(
  state: FileTransferState,
  transfer: Transfer,
  outcome: FileOutcome,
  { tellHost, tellGuest }: Telling,
): FileTransferEffect[] {
  const { fileId, hostId } = transfer;
  const effects: FileTransferEffect[] = [];
  state.byHostId.delete(hostId);
  if (state.open.delete(fileId)) {
    effects.push({ kind: "await-nothing", fileId });
    if (outcome.result !== FileXferStatus.SUCCESS) effects.push({ kind: "abort-body", fileId });
    if (tellGuest) effects.push({ kind: "cancel-in-guest", fileId });
  } else {
    leaveQueue(state, transfer);
  }
  transfer.phase = "over";
  count(state, outcome);
  if (outcome.result !== FileXferStatus.SUCCESS) effects.push({ kind: "note", text: `failed: ${reasonOf(outcome)}` });
  if (tellHost)
    effects.push({ kind: "send-status", status: statusFor(hostId, outcome, state.viewer?.isDetailed === true) });
  effects.push(...next(state));
  return effects;
}

/** Lets those that wait in, as far as there is room. */
function next(state: FileTransferState): FileTransferEffect[] {
  const effects: FileTransferEffect[] = [];
  while (state.open.size < MAX_OPEN_FILES && state.queueHead < state.queue.length) {
    const transfer = state.queue[state.queueHead];
    state.queueHead += 1;
    if (transfer?.phase !== "waiting") continue;
    leaveQueue(state, transfer);
    transfer.phase = "asked";
    const { fileId, name, size } = transfer;
    state.open.set(fileId, transfer);
    effects.push(
      { kind: "start-in-guest", fileId, name, size },
      { kind: "await", fileId, timeoutMs: GUEST_SILENCE_MS },
    );
  }
  // What has been passed is forgotten now and then, not each time.
  if (state.queueHead === state.queue.length || state.queueHead > 4096) {
    state.queue = state.queue.slice(state.queueHead);
    state.queueHead = 0;
  }
  if (state.byHostId.size === 0) effects.push(...summary(state));
  return effects;
}

function summary(state: FileTransferState): FileTransferEffect[] {
  const { savedTogether, failedTogether } = state;
  state.savedTogether = 0;
  state.failedTogether = 0;
  if (savedTogether === 0) return [];
  return [{ kind: "note", text: `${savedTogether} saved${failedTogether > 0 ? `, ${failedTogether} not` : ""}` }];
}

function leaveQueue(state: FileTransferState, { name, size }: Transfer): void {
  state.waitingFiles -= 1;
  state.waitingBytes -= size;
  state.waitingNames -= name.length;
}

function allCancelled(state: FileTransferState): FileTransferEffect[] {
  const isDetailed = state.viewer?.isDetailed === true;
  const statuses = [...state.byHostId.keys()].map(
    (id): FileTransferEffect => ({ kind: "send-status", status: statusFor(id, CANCELLED, isDetailed) }),
  );
  return [...forgotten(state), ...statuses];
}

/** The guest lets go of all of them. */
function forgotten(state: FileTransferState): FileTransferEffect[] {
  const effects: FileTransferEffect[] = [];
  for (const fileId of state.open.keys())
    effects.push(
      { kind: "await-nothing", fileId },
      { kind: "abort-body", fileId },
      { kind: "cancel-in-guest", fileId },
    );
  if (state.byHostId.size > 0) {
    effects.push({ kind: "note", text: `${state.byHostId.size} broken off` });
    count(state, CANCELLED, state.byHostId.size);
  }
  state.byHostId.clear();
  state.open.clear();
  state.queue = [];
  state.queueHead = 0;
  state.waitingFiles = 0;
  state.waitingBytes = 0n;
  state.waitingNames = 0;
  return [...effects, ...summary(state)];
}

function count(state: FileTransferState, outcome: FileOutcome, files = 1): void {
  if (outcome.result === FileXferStatus.SUCCESS) {
    state.saved += files;
    state.savedTogether += files;
    return;
  }
  const reason = reasonOf(outcome);
  state.failures.set(reason, (state.failures.get(reason) ?? 0) + files);
  state.failedTogether += files;
}
