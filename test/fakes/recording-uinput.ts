// A kernel that makes no devices: it writes down what it is asked for, and refuses what a test wants refused.
import type { UinputSystem } from "../../src/support/native/uinput.ts";

/** One call with its arguments; bytes as hexadecimal digits. */
export type UinputCall = readonly [name: keyof UinputSystem, ...args: readonly (number | string)[]];

export class RecordingUinput implements UinputSystem {
  #calls: UinputCall[] = [];
  #nextFd = 10;
  /** What it says of a call: an error to refuse it. */
  refuse: (call: UinputCall) => Error | undefined = () => undefined;

  /** What has been asked for since the last time. */
  taken(): UinputCall[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  async open(path: string): Promise<number> {
    this.#note("open", path);
    this.#nextFd += 1;
    return this.#nextFd - 1;
  }

  ioctlInt(fd: number, request: number, value: number): void {
    this.#note("ioctlInt", fd, request, value);
  }

  ioctlBuffer(fd: number, request: number, bytes: Uint8Array): void {
    this.#note("ioctlBuffer", fd, request, Buffer.from(bytes).toString("hex"));
  }

  write(fd: number, bytes: Uint8Array): void {
    this.#note("write", fd, Buffer.from(bytes).toString("hex"));
  }

  close(fd: number): void {
    this.#note("close", fd);
  }

  #note(...call: UinputCall): void {
    this.#calls.push(call);
    const error = this.refuse(call);
    if (error !== undefined) throw error;
  }
}
