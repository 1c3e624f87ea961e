// What may be exchanged with the viewer. The daemon has the system's, and asks it before every transfer; the session has the user's.
import type { ClipboardSelection } from "../wire/agent-constants.ts";

export interface ClipboardPolicy {
  readonly selections: readonly ClipboardSelection[];
  /** Content types, by number. */
  readonly types: readonly number[];
  readonly toGuest: boolean;
  readonly toHost: boolean;
  /** Largest content, bytes. */
  readonly maxToGuestBytes: number;
  readonly maxToHostBytes: number;
}

/** Why something was not exchanged; counted by these names. */
export type RefusalReason = "direction" | "selection" | "type" | "size" | "locked" | "secret";

/** Why policy lets nothing of this selection pass; undefined: it does. */
export function refusalOf(
  policy: ClipboardPolicy,
  selection: ClipboardSelection,
  isOpen: boolean,
): "direction" | "selection" | undefined {
  if (!isOpen) return "direction";
  return policy.selections.includes(selection) ? undefined : "selection";
}

export interface Refusal {
  readonly direction: "host-to-guest" | "guest-to-host";
  readonly reason: RefusalReason;
}
