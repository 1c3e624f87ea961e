// The system calls that make an input device, one by one: what they are used for is no concern of this file.
import { closeSync, constants, open, writeSync } from "node:fs";
import { promisify } from "node:util";
import { type Libc, libc } from "./libc.ts";

/** What fails throws: open, write and close what Node throws, the others a BackendError `native.failed`. */
export interface UinputSystem {
  /** For writing, without waiting. The other calls take what this has returned. */
  open(path: string): Promise<number>;
  ioctlInt(fd: number, request: number, value: number): void;
  ioctlBuffer(fd: number, request: number, bytes: Uint8Array): void;
  write(fd: number, bytes: Uint8Array): void;
  close(fd: number): void;
}

/** The machine's own. Without a device to open, koffi is not loaded. */
export function uinputSystem(): UinputSystem {
  let loaded: Libc | undefined;
  const ready = (): Libc => {
    if (loaded === undefined) throw new Error("uinput: ioctl before open");
    return loaded;
  };
  return {
    open: async (path) => {
      const fd = await promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        loaded = await libc();
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      return fd;
    },
    ioctlInt: (fd, request, value) => void ready().ioctlInt(fd, request, value),
    ioctlBuffer: (fd, request, bytes) => void ready().ioctlBuffer(fd, request, bytes),
    write: (fd, bytes) => void writeSync(fd, bytes),
    close: closeSync,
  };
}
