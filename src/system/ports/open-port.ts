// From a path to an open port: what the path names decides how.
import { stat } from "node:fs/promises";
import { PortError } from "../../support/errors.ts";
import { type OpenPort, portError } from "./port.ts";
import { connectUnixSocket } from "./unix-socket.ts";

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
