// A port that is a character device: virtio-serial, a serial line, a pty. `@serialport/stream` over a binding of ours,
// because the stock one sets termios, which a virtio port has not, and spins while the host is away.
import { constants, readSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BindingsError, LinuxPortBinding } from "@serialport/bindings-cpp";
import { SerialPortStream } from "@serialport/stream";
import { whoHolds } from "./device-holder.ts";
import { type OpenPort, portError } from "./port.ts";

/** Read before others get a turn. */
const READ_TURN_BYTES = 64 * 1024;
/** How long to wait before asking again a device that has nothing and cannot say when: from, to. */
const IDLE_MIN_MS = 10;
const IDLE_MAX_MS = 250;

type BindingOptions = ConstructorParameters<typeof LinuxPortBinding>[1];

/** Reads and writes without blocking and without the thread pool, where each page would be a trip of its own. */
class DeviceBinding extends LinuxPortBinding {
  readonly #handle: FileHandle;
  readonly #closing = new AbortController();
  #sawData = false;

  constructor(handle: FileHandle, options: BindingOptions) {
    super(handle.fd, options);
    this.#handle = handle;
  }

  override async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
    for (let idleMs = IDLE_MIN_MS; ; idleMs = Math.min(idleMs * 2, IDLE_MAX_MS)) {
      const bytesRead = this.#readNow(buffer, offset, length);
      if (bytesRead === undefined) await this.#readable();
      else if (bytesRead > 0) {
        this.#sawData = true;
        return { buffer, bytesRead };
      } else if (this.#sawData) {
        // End of file after data: the host has let go of us, and only opening the port again brings it back.
        throw disconnected("the host closed the port");
      } else await this.#pause(idleMs);
    }
  }

  override async write(buffer: Buffer): Promise<void> {
    let delayMs = 0;
    for (let written = 0; written < buffer.length; ) {
      const step = this.#writeNow(buffer, written);
      written += step;
      // Asking the poller for 'writable' too would make it spin on a hang-up, so a full queue is waited for with a timer.
      if (step > 0) delayMs = 0;
      else {
        await this.#pause(delayMs);
        delayMs = Math.min(delayMs * 2 || 1, IDLE_MAX_MS);
      }
    }
  }

  override async close(): Promise<void> {
    this.fd = null;
    this.#closing.abort();
    this.poller.stop();
    this.poller.destroy();
    await this.#handle.close();
  }

  override async set(): Promise<void> {}
  override async update(): Promise<void> {}
  override async flush(): Promise<void> {}
  override async drain(): Promise<void> {}

  /** Bytes read; 0 at end of file; undefined when there is nothing yet. */
  #readNow(buffer: Buffer, offset: number, length: number): number | undefined {
    const most = Math.min(length, READ_TURN_BYTES);
    let total = 0;
    while (total < most) {
      const step = this.#try(() => readSync(this.#openFd(), buffer, offset + total, most - total, null));
      if (step === undefined) return total > 0 ? total : undefined;
      if (step === 0) return total;
      total += step;
    }
    return total;
  }

  #writeNow(buffer: Buffer, from: number): number {
    return this.#try(() => writeSync(this.#openFd(), buffer, from, buffer.length - from, null)) ?? 0;
  }

  /** Undefined when the call would have blocked. */
  #try(call: () => number): number | undefined {
    try {
      return call();
    } catch (error) {
      if (error instanceof BindingsError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN" || code === "EWOULDBLOCK" || code === "EINTR") return undefined;
      throw disconnected(error instanceof Error ? error.message : String(error));
    }
  }

  #openFd(): number {
    if (this.fd === null) throw new BindingsError("the port is closed", { canceled: true });
    return this.fd;
  }

  #readable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#openFd();
      this.poller.once("readable", (error) => (error === null ? resolve() : reject(error)));
    });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#closing;
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, delayMs);
      signal.addEventListener("abort", wake);
    });
  }
}

function disconnected(detail: string): BindingsError {
  return new BindingsError(detail, { canceled: false });
}

const binding = {
  list: async () => [],
  open: async (options: BindingOptions) => {
    const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY;
    return new DeviceBinding(await open(options.path, flags), options);
  },
};

export async function openCharacterDevice(path: string): Promise<OpenPort> {
  // The stream insists on a speed; nothing here reads it.
  const stream = new SerialPortStream({ binding, path, baudRate: 115200, autoOpen: false } as never);
  try {
    await new Promise<void>((resolve, reject) => stream.open((error) => (error ? reject(error) : resolve())));
  } catch (error) {
    const failure = portError(path, error);
    if (failure.code === "port.busy") failure.message += await whoHolds(path);
    throw failure;
  }
  stream.on("error", () => {});
  return {
    stream,
    [Symbol.asyncDispose]: async () => {
      if (!stream.isOpen && !stream.closing) return;
      // Not once(): a write that is called off by the closing reports an error first, which is no news here.
      const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
      if (!stream.closing) stream.close();
      await closed;
    },
  };
}
