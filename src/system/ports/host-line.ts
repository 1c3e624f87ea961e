// A port that is kept open while the host comes and goes on it, as on the port of the shared folder.
import type { PortError } from "../../support/errors.ts";

export interface HostLineHandlers {
  hostCame(): void;
  /** A view, good until this turn is over, and for as long as `isHeld` says so. */
  data(bytes: Uint8Array): void;
  /** Something that came is still looked at: its memory is not to be written over. */
  isHeld(): boolean;
  hostLeft(): void;
  /** The line is gone; nothing more comes. */
  lost(reason: PortError): void;
}

/** The handlers are called from `start` on, never before. */
export interface HostLine extends AsyncDisposable {
  start(handlers: HostLineHandlers): void;
  /** False: wait for `drained` before the next. Without a host the bytes go nowhere. */
  write(bytes: Uint8Array): boolean;
  /** Counts how often the host has taken what it had no room for before. */
  readonly taken: number;
  /** Resolves when the line takes more, or the host is gone. */
  drained(): Promise<void>;
  /** Lets the host wait, until `resume` or until it leaves, which may be noticed only at `resume`. */
  pause(): void;
  resume(): void;
}
