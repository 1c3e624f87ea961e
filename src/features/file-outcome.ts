// How a file's transfer ends, as the guest knows it and as the viewer may be told. Section 4.1 of the protocol.
import { FileXferStatus, GioError } from "../wire/agent-constants.ts";
import type { FileXferStatus as StatusMessage } from "../wire/file-xfer-status.ts";

export interface FileOutcome {
  /** One of FileXferStatus. */
  readonly result: number;
  /** With ERROR. */
  readonly gioError?: number | undefined;
  /** With NOT_ENOUGH_SPACE. */
  readonly freeBytes?: bigint | undefined;
}

export const SAVED: FileOutcome = { result: FileXferStatus.SUCCESS };
export const CANCELLED: FileOutcome = { result: FileXferStatus.CANCELLED };
export const DISABLED: FileOutcome = { result: FileXferStatus.DISABLED };

export function failedWith(gioError: number): FileOutcome {
  return { result: FileXferStatus.ERROR, gioError };
}

/** What this viewer may be told: one that has not announced detailed errors knows only the first four, and no details. */
export function statusFor(id: number, outcome: FileOutcome, isDetailed: boolean): StatusMessage {
  const { result, gioError, freeBytes } = outcome;
  if (!isDetailed) return { id, result: result > FileXferStatus.SUCCESS ? FileXferStatus.ERROR : result };
  if (result === FileXferStatus.ERROR) return { id, result, gioError: gioError ?? GioError.FAILED };
  // The viewer reads 8 bytes here whether they are there or not.
  if (result === FileXferStatus.NOT_ENOUGH_SPACE) return { id, result, freeBytes: freeBytes ?? 0n };
  return { id, result };
}

const errors: Readonly<Record<number, string>> = {
  [GioError.NOT_FOUND]: "folder is not there",
  [GioError.EXISTS]: "too many of that name, or a number used twice",
  [GioError.NOT_DIRECTORY]: "something that is no folder is in the way",
  [GioError.FILENAME_TOO_LONG]: "name too long",
  [GioError.INVALID_FILENAME]: "name not allowed",
  [GioError.NO_SPACE]: "not enough space",
  [GioError.PERMISSION_DENIED]: "not allowed there",
  [GioError.READ_ONLY]: "read-only there",
  [GioError.TIMED_OUT]: "nothing moved for too long",
  [GioError.TOO_MANY_OPEN_FILES]: "too many at once",
};

const results: Readonly<Record<number, string>> = {
  [FileXferStatus.CANCELLED]: "cancelled",
  [FileXferStatus.SUCCESS]: "saved",
  [FileXferStatus.NOT_ENOUGH_SPACE]: "not enough space",
  [FileXferStatus.SESSION_LOCKED]: "session locked",
  [FileXferStatus.VDAGENT_NOT_CONNECTED]: "no session",
  [FileXferStatus.DISABLED]: "switched off",
};

/** In a few words, of which there are not many: they are counted by. */
export function reasonOf({ result, gioError }: FileOutcome): string {
  return results[result] ?? errors[gioError ?? GioError.FAILED] ?? "failed";
}
