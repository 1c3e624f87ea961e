// Who is at the other end of a unix socket, as the kernel says.
import type { Socket } from "node:net";
import { BackendError } from "../errors.ts";
import { libc } from "./libc.ts";
import { descriptorOf } from "./socket-descriptor.ts";

/** `struct ucred` of unix(7), all as they were when the peer connected. */
export interface PeerCredentials {
  /** 0 for a process that our pid namespace does not show. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** asm-generic/socket.h */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const UCRED_BYTES = 12;
/** What the kernel says of the peer of any other socket than a unix one. */
const NO_UID = 0xffff_ffff;

/**
 * Throws a BackendError: `native.failed` when the socket is closed or not a unix socket, `native.unavailable` without koffi.
 * A uid does not change hands while the peer lives; a pid may belong to another process once it is gone.
 */
export async function peerCredentials(socket: Socket): Promise<PeerCredentials> {
  const { getsockopt } = await libc();
  // Not before now: the socket may have been closed meanwhile, and its number given to another.
  const fd = descriptorOf(socket, "SO_PEERCRED");
  const bytes = Buffer.alloc(UCRED_BYTES);
  const length: [number] = [UCRED_BYTES];
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, length);
  const peer = { pid: bytes.readInt32LE(0), uid: bytes.readUInt32LE(4), gid: bytes.readUInt32LE(8) };
  if (length[0] !== UCRED_BYTES || peer.uid === NO_UID) {
    throw new BackendError("native.failed", "SO_PEERCRED: this socket's peer has no credentials");
  }
  return peer;
}
