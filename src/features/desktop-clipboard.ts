// What the session needs of a desktop's clipboard, whatever protocol it speaks. Targets are named as applications name them.
import type { ClipboardSelection } from "../wire/agent-constants.ts";

/** Content in pieces. Iterating throws a BackendError when the rest cannot be had. */
export type Content = AsyncIterable<Uint8Array>;

/** An application wants what the viewer offers. */
export interface Paste {
  readonly selection: ClipboardSelection;
  readonly target: string;
  /** Aborted when the application no longer waits. */
  readonly signal: AbortSignal;
}

/** The viewer's answer to a paste. */
export interface PasteAnswer {
  readonly content: Content;
  /** Bytes, when known beforehand. */
  readonly bytes: number | undefined;
}

/** What an application that has taken a selection offers. */
export interface Copied {
  readonly targets: readonly string[];
  /** It marks them as a password's. */
  readonly isSecret: boolean;
  /** It has asked for what we have offered last on this selection, so that this may be the same again. */
  readonly hasPasted: boolean;
}

export interface DesktopClipboardEvents {
  copied(selection: ClipboardSelection, copied: Copied): void;
  /** Nobody has the selection any more. */
  cleared(selection: ClipboardSelection): void;
  /** Undefined: it cannot be had. Never rejects. */
  paste(paste: Paste): Promise<PasteAnswer | undefined>;
}

export interface DesktopClipboard extends AsyncDisposable {
  /** Takes the selection, offering these targets; `isSecret`: marked so that clipboard managers do not keep them. */
  offer(selection: ClipboardSelection, targets: readonly string[], isSecret: boolean): void;
  /** Gives the selection up, if it is ours. */
  withdraw(selection: ClipboardSelection): void;
  /** What the application that has the selection gives for a target. Iterating throws a BackendError `clipboard.*`. */
  read(selection: ClipboardSelection, target: string, signal: AbortSignal): Content;
  /** Nobody looks any more at this piece of what was read: its memory is written over. */
  giveBack(piece: Uint8Array): void;
}
