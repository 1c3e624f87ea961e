// What `status` tells of the clipboard: how much has gone over since the start, and what was kept back for which reason.
import type { Refusal, RefusalReason } from "../features/clipboard-policy.ts";

interface DirectionCounts {
  readonly transfers: number;
  readonly bytes: number;
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
}

export type ClipboardReport = Readonly<Record<Refusal["direction"], DirectionCounts>>;

const none: DirectionCounts = { transfers: 0, bytes: 0, refused: {} };
export const nothingCounted: ClipboardReport = { "host-to-guest": none, "guest-to-host": none };

export class ClipboardCounts {
  #report: ClipboardReport = nothingCounted;

  get report(): ClipboardReport {
    return this.#report;
  }

  transferred({ direction, bytes }: { readonly direction: Refusal["direction"]; readonly bytes: number }): void {
    const before = this.#report[direction];
    const counts = { ...before, transfers: before.transfers + 1, bytes: before.bytes + bytes };
    this.#report = { ...this.#report, [direction]: counts };
  }

  refused({ direction, reason }: Refusal): void {
    const before = this.#report[direction];
    const refused = { ...before.refused, [reason]: (before.refused[reason] ?? 0) + 1 };
    this.#report = { ...this.#report, [direction]: { ...before, refused } };
  }
}

/** For a person, a row for each direction. */
export function describeClipboard(report: ClipboardReport): readonly string[] {
  return Object.entries(report).map(([direction, { transfers, bytes, refused }]) => {
    const reasons = Object.entries(refused).map(([reason, count]) => `${reason} ${count}`);
    const kept = reasons.length === 0 ? "" : `; refused: ${reasons.join(", ")}`;
    return `${direction}: ${transfers} (${(bytes / (1024 * 1024)).toFixed(1)} MiB)${kept}`;
  });
}
