// A port that is a listening unix socket: Xspice, or QEMU's `-chardev socket`.
import { once } from "node:events";
import { connect } from "node:net";
import type { OpenPort } from "./port.ts";
import { portError } from "./port.ts";

export async function connectUnixSocket(path: string, signal: AbortSignal): Promise<OpenPort> {
  const stream = connect({ path });
  try {
    await once(stream, "connect", { signal });
  } catch (error) {
    stream.destroy();
    throw portError(path, error);
  }
  // 'close' follows every error; without a listener the error itself would end the process.
  stream.on("error", () => {});
  return {
    stream,
    [Symbol.asyncDispose]: async () => {
      if (stream.closed) return;
      const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
      stream.destroy();
      await closed;
    },
  };
}
