// A port that is a listening unix socket: Xspice, or QEMU's `-chardev socket`.
import { once } from "node:events";
import { connect } from "node:net";
import { BackendError } from "../../support/errors.ts";
import { closeReceivingEnd } from "../../support/native/receiving-end.ts";
import type { OpenPort } from "./port.ts";
import { portError } from "./port.ts";

/** For what waits to be taken by the host when we leave. */
const LEAVE_MS = 200;

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
      // A socket that is closed with something unread in it resets the connection, from which spice-server under Xspice
      // does not recover: it reads the next agent's chunks one byte out of step, and the viewer gets nothing of them.
      const late = setTimeout(() => stream.destroy(), LEAVE_MS);
      stream.end();
      stream.resume();
      await closeReceivingEnd(stream).catch((error: unknown) => {
        if (!(error instanceof BackendError)) throw error;
      });
      await closed;
      clearTimeout(late);
    },
  };
}
