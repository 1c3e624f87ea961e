// The half of a socket that Node cannot close by itself.
import type { Socket } from "node:net";
import { libc } from "./libc.ts";
import { descriptorOf } from "./socket-descriptor.ts";

/** sys/socket.h */
const SHUT_RD = 0;

/**
 * From now on the peer cannot write; what it has written before can be read, and then the stream ends. Throws a
 * BackendError: `native.failed` when the socket is closed, `native.unavailable` without koffi.
 */
export async function closeReceivingEnd(socket: Socket): Promise<void> {
  const { shutdown } = await libc();
  shutdown(descriptorOf(socket, "shutdown"), SHUT_RD);
}
