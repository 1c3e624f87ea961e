// The few calls of the C library that Node does not offer. The only place that knows koffi; nothing else is to import it.
import { getSystemErrorName } from "node:util";
import { BackendError } from "../errors.ts";

/**
 * Each call returns what the C function returns, and throws a BackendError `native.failed` that names the function and
 * its errno where that returns -1. They wait for the kernel: only what cannot take long may be asked.
 */
export interface Libc {
  /** `length` holds the size of `value` on the way in and the bytes written on the way out. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: [number]): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  socket(domain: number, type: number, protocol: number): number;
  shutdown(fd: number, how: number): number;
  sendto(fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array, toLength: number): number;
  /** Only for descriptors of `socket`: Node does not know them. */
  close(fd: number): number;
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): number;
  umount(target: string, flags: number): number;
  epollCreate(flags: number): number;
  /** `event` is a `struct epoll_event`: 12 or 16 bytes, the events first. */
  epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWait(epoll: number, events: Uint8Array, most: number, timeoutMs: number): number;
  /** `descriptors` is an array of `struct pollfd`, 8 bytes each. */
  poll(descriptors: Uint8Array, count: number, timeoutMs: number): number;
  /** A name is relative to its folder's descriptor. */
  linkat(fromFolder: number, from: string, toFolder: number, to: string, flags: number): number;
  ioctlInt(fd: number, request: number, value: number): number;
  /** `bytes` is read or written, as the request's number says; it must be as long as that number says, too. */
  ioctlBuffer(fd: number, request: number, bytes: Uint8Array): number;
}

/** What a call has failed with. */
export class NativeFailure extends BackendError {
  /** `EEXIST` and the like. */
  readonly errno: string;

  constructor(call: string, errno: string) {
    super("native.failed", `${call}: ${errno}`);
    this.errno = errno;
  }
}

/** The name of what the operating system has refused with; undefined: it was none of its refusals. */
export function errnoOf(error: unknown): string | undefined {
  const { code, errno } = error as { readonly code?: unknown; readonly errno?: unknown };
  if (error instanceof BackendError) return typeof errno === "string" ? errno : undefined;
  return typeof code === "string" ? code : undefined;
}

let loading: Promise<Libc> | undefined;

/**
 * Loads koffi when it is first asked for: 8 ms and 2.7 MB (0.8 MB of it private) that a process pays only if it needs them.
 * Throws a BackendError `native.unavailable` where koffi has no build for this machine or cannot be loaded.
 */
export function libc(): Promise<Libc> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Libc> {
  try {
    // The names are not to be seen from outside a CommonJS module that is a file of its own, as it is when built.
    const { default: koffi } = await import("koffi");
    const library = koffi.load(null);
    const declare = <A extends readonly unknown[]>(definition: string): ((...args: A) => number) => {
      const call: (...args: A) => number = library.func(definition);
      return (...args) => {
        const result = call(...args);
        if (result === -1) throw failure(definition, koffi.errno());
        return result;
      };
    };
    return {
      getsockopt: declare("int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)"),
      setsockopt: declare("int setsockopt(int, int, int, const uint8_t *, uint32_t)"),
      socket: declare("int socket(int, int, int)"),
      shutdown: declare("int shutdown(int, int)"),
      // koffi has no ssize_t; it is a long on Linux.
      sendto: declare("long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)"),
      linkat: declare("int linkat(int, const char *, int, const char *, int)"),
      close: declare("int close(int)"),
      mount: declare("int mount(const char *, const char *, const char *, ulong, const char *)"),
      umount: declare("int umount2(const char *, int)"),
      epollCreate: declare("int epoll_create1(int)"),
      epollCtl: declare("int epoll_ctl(int, int, int, const uint8_t *)"),
      epollWait: declare("int epoll_wait(int, _Out_ uint8_t *, int, int)"),
      poll: declare("int poll(_Inout_ uint8_t *, ulong, int)"),
      // `...` in C, but passed like named arguments on every Linux ABI as long as no floating point is involved.
      ioctlInt: declare("int ioctl(int, ulong, int)"),
      ioctlBuffer: declare("int ioctl(int, ulong, _Inout_ uint8_t *)"),
    };
  } catch (error) {
    throw new BackendError("native.unavailable", `koffi: ${firstLine(error)}`, { cause: error });
  }
}

function failure(definition: string, errno: number): NativeFailure {
  const name = /(\w+)\(/.exec(definition)?.[1] ?? "";
  return new NativeFailure(name, getSystemErrorName(-errno));
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
