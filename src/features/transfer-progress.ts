// What a person is told of the files that come: one text for all that come together.

import { FileXferStatus } from "../wire/agent-constants.ts";
import { type FileOutcome, reasonOf } from "./file-outcome.ts";

/** All numbers since the first of the files that come together. */
export interface TransferProgress {
  readonly startedMs: number;
  readonly saved: number;
  /** By reason; those that were cancelled are among them. */
  readonly failures: ReadonlyMap<string, number>;
  readonly underWay: number;
  readonly waiting: number;
  /** Bytes on the disk, of those that were saved and those under way. */
  readonly doneBytes: number;
  /** With what is still to come. */
  readonly allBytes: number;
  /** What the last file is called that was saved. */
  readonly lastName: string;
}

export interface TransferText {
  readonly title: string;
  readonly body: string;
  /** 0 to 100. */
  readonly percent: number;
}

export function noProgress(nowMs: number): TransferProgress {
  return {
    startedMs: nowMs,
    saved: 0,
    failures: new Map(),
    underWay: 0,
    waiting: 0,
    doneBytes: 0,
    allBytes: 0,
    lastName: "",
  };
}

export function isOver({ underWay, waiting }: TransferProgress): boolean {
  return underWay === 0 && waiting === 0;
}

/** One that was under way has ended; `name` of one that was saved. */
export function withEnd(
  progress: TransferProgress,
  outcome: FileOutcome,
  size: number,
  bytes: number,
  name = "",
): TransferProgress {
  const underWay = progress.underWay - 1;
  if (outcome.result === FileXferStatus.SUCCESS)
    return { ...progress, underWay, saved: progress.saved + 1, lastName: name };
  const reason = reasonOf(outcome);
  const failures = new Map(progress.failures).set(reason, (progress.failures.get(reason) ?? 0) + 1);
  const { doneBytes, allBytes } = progress;
  return { ...progress, underWay, failures, doneBytes: doneBytes - bytes, allBytes: allBytes - size };
}

/** While they come. */
export function runningText(progress: TransferProgress, nowMs: number): TransferText {
  const { saved, underWay, waiting, doneBytes, allBytes, startedMs } = progress;
  const files = saved + underWay + waiting;
  const percent = allBytes === 0 ? 0 : Math.min(100, Math.floor((100 * doneBytes) / allBytes));
  const parts = [`${inUnits(doneBytes)} of ${inUnits(allBytes)}`];
  if (files > 1) parts.push(`file ${Math.min(saved + 1, files)} of ${files}`);
  const rate = doneBytes / Math.max(1, nowMs - startedMs);
  if (doneBytes > 0 && doneBytes < allBytes) parts.push(`${duration((allBytes - doneBytes) / rate)} left`);
  const failed = failedText(progress);
  if (failed !== "") parts.push(failed);
  return { title: files === 1 ? "Receiving a file" : `Receiving ${files} files`, body: parts.join(", "), percent };
}

/** When all have come. `folder`: where they are. */
export function doneText(progress: TransferProgress, folder: string): TransferText {
  const { saved, lastName, doneBytes } = progress;
  const failed = failedText(progress);
  const reasons = failed === "" ? [] : [failed];
  if (saved === 0) return { title: "No file received", body: reasons.join(", "), percent: 0 };
  const what = shown(saved === 1 ? lastName : `${inUnits(doneBytes)} in ${folder}`);
  return {
    title: saved === 1 ? "File received" : `${saved} files received`,
    body: [what, ...reasons].join("\n"),
    percent: 100,
  };
}

/** A name may hold anything: nothing of it is to end a line, or to turn what stands beside it around. */
function shown(name: string): string {
  return name.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

function failedText({ failures }: TransferProgress): string {
  return [...failures].map(([reason, files]) => `${files} failed: ${reason}`).join(", ");
}

function inUnits(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
