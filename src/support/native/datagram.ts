// A datagram to a unix socket, which Node cannot send.
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const MSG_NOSIGNAL = 0x4000;

/** How long a receiver whose queue is full may hold us up. */
const TIMEOUT_MS = 500;

/** Sends it before returning. Throws a BackendError `native.failed`: nobody there, no such address, queue full for 500 ms. */
export type SendDatagram = (text: string) => void;

/**
 * What sends to `address`: a path, or `@name` for an abstract one. No descriptor is kept between two datagrams.
 * Throws a BackendError `native.unavailable` without koffi.
 */
export async function datagramSender(address: string): Promise<SendDatagram> {
  const { socket, setsockopt, sendto, close } = await libc();
  const to = socketAddress(address);
  return (text) => {
    const bytes = Buffer.from(text);
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    try {
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval(TIMEOUT_MS), 16);
      sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, to, to.length);
    } finally {
      close(fd);
    }
  };
}

/** `struct sockaddr_un`: a path ends with a zero; an abstract name begins with one and ends where the length says. */
function socketAddress(address: string): Buffer {
  const isAbstract = address.startsWith("@");
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, path]);
}

/** `struct timeval` on 64-bit machines. */
function timeval(ms: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(ms / 1000)), 0);
  bytes.writeBigInt64LE(BigInt((ms % 1000) * 1000), 8);
  return bytes;
}
