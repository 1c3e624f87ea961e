// A port that is a listening unix socket: Xspice, or QEMU's `-chardev socket`.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { BackendError } from "../../support/errors.ts";
import { closeReceivingEnd } from "../../support/native/receiving-end.ts";
import type { OpenPort } from "./port.ts";
import { portError } from "./port.ts";

/** One for all that is read: what is thrown away after each read would be collected late, and hundreds of megabytes go by. */
const READ_BYTES = 64 * 1024;

/** For what waits to be taken by the host when we leave. */
const LEAVE_MS = 200;

export async function connectUnixSocket(path: string, signal: AbortSignal): Promise<OpenPort> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const read = (bytes: number): boolean => {
    stream.emit("data", buffer.subarray(0, bytes));
    return true;
  };
  const stream: Socket = connect({ path, onread: { buffer, callback: read } });
  // Not before somebody listens.
  stream.pause();
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
