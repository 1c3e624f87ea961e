// The number by which the kernel knows a socket of Node's.
import type { Socket } from "node:net";
import { BackendError } from "../errors.ts";

/**
 * Node keeps it in its handle, and takes the handle away when the socket is closed; then it throws a BackendError
 * `native.failed` that names the call it was wanted for.
 */
export function descriptorOf(socket: Socket, call: string): number {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: unknown } | null };
  const fd = handle?.fd;
  if (typeof fd !== "number" || fd < 0) throw new BackendError("native.failed", `${call}: the socket is closed`);
  return fd;
}
