// One interface for every way to the host: whatever the path names, a stream of bytes both ways that can be closed.
import { stat } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { PortError } from "../../support/errors.ts";
import { connectUnixSocket } from "./unix-socket.ts";

/** An open port. The stream emits `data` and, when the channel is gone for whatever reason, `close`. */
export interface OpenPort extends AsyncDisposable {
  readonly stream: Duplex;
}

export type PortOpener = (signal: AbortSignal) => Promise<OpenPort>;

/**
 * Opens the character device or the listening unix socket at `path`.
 * Throws a PortError: `port.missing`, `port.busy`, `port.denied`, `port.not-a-port`, `port.refused` or `port.failed`.
 */
export async function openPort(path: string, signal: AbortSignal): Promise<OpenPort> {
  const kind = await kindOf(path);
  if (kind === "socket") return connectUnixSocket(path, signal);
  // The native part is loaded where there is a device to read, and nowhere else.
  const { openCharacterDevice } = await import("./character-device.ts");
  return openCharacterDevice(path);
}

async function kindOf(path: string): Promise<"socket" | "device"> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    throw portError(path, error);
  }
  if (found.isSocket()) return "socket";
  if (found.isCharacterDevice()) return "device";
  throw new PortError("port.not-a-port", `${path} is neither a character device nor a unix socket`);
}

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
