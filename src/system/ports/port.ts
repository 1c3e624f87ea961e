// One interface for every way to the host: whatever the path names, a stream of bytes both ways that can be closed.
import type { Duplex } from "node:stream";
import { PortError } from "../../support/errors.ts";

/**
 * An open port. The stream, once resumed, emits `data`, whose memory is the listener's for that call only, and, when the
 * channel is gone for whatever reason, `close`.
 */
export interface OpenPort extends AsyncDisposable {
  readonly stream: Duplex;
}

export type PortOpener = (signal: AbortSignal) => Promise<OpenPort>;

/** What the system said, in our words. */
export function portError(path: string, error: unknown): PortError {
  const options = { cause: error };
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
    case "ENXIO":
    case "ENODEV":
    case "ENOTDIR":
      return new PortError("port.missing", `${path} is not there`, options);
    case "EACCES":
    case "EPERM":
      return new PortError("port.denied", `no permission to open ${path}`, options);
    case "EBUSY":
      return new PortError("port.busy", `${path} is held by another process`, options);
    case "ECONNREFUSED":
      return new PortError("port.refused", `nobody listens at ${path}`, options);
    default:
      return new PortError(
        "port.failed",
        `${path}: ${error instanceof Error ? error.message : String(error)}`,
        options,
      );
  }
}
