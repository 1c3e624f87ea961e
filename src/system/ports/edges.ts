// When a descriptor's readiness changes, by edges: one that stays "hung up" for hours is told of once, where a level would spin.
import { LinuxPortBinding } from "@serialport/bindings-cpp";
import { libc } from "../../support/native/libc.ts";

/** sys/epoll.h; the numbers are those of poll(2). */
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 0x001;
const EPOLLOUT = 0x004;
const EPOLLHUP = 0x010;
const EPOLLET = 0x8000_0000;
/** `struct epoll_event` is packed on x86 only; the events come first everywhere. */
const EVENT_BYTES = 16;

/** `struct pollfd`: the descriptor, what is asked for, what there is. */
const POLLFD_BYTES = 8;
const POLLIN = 0x001;

export interface EdgeWatch extends Disposable {
  /** Whether a read would give something: bytes, the end, an error. To be told so by the read costs twenty times as much. */
  isReadable(): boolean;
}

/**
 * Calls back after each change of what can be read or written, a hang-up or its end, and once at first, until it is disposed
 * of; with whether it is hung up now. The descriptor stays the caller's. Throws a BackendError `native.*`.
 */
export async function watchEdges(fd: number, changed: (isHungUp: boolean) => void): Promise<EdgeWatch> {
  const system = await libc();
  const epoll = system.epollCreate(EPOLL_CLOEXEC);
  const events = new Uint8Array(EVENT_BYTES);
  new DataView(events.buffer).setUint32(0, EPOLLIN | EPOLLOUT | EPOLLET, isLittleEndian);
  try {
    system.epollCtl(epoll, EPOLL_CTL_ADD, fd, events);
  } catch (error) {
    system.close(epoll);
    throw error;
  }
  // The epoll descriptor itself is readable, by level, until its edge has been taken.
  const { poller } = new LinuxPortBinding(epoll, {} as never);
  let isOver = false;
  const wait = (): void => {
    poller.once("readable", (error) => {
      if (isOver || error !== null) return;
      const isTold = system.epollWait(epoll, events, 1, 0) > 0;
      wait();
      changed(isTold && (new DataView(events.buffer).getUint32(0, isLittleEndian) & EPOLLHUP) !== 0);
    });
  };
  wait();
  const asked = new DataView(new ArrayBuffer(POLLFD_BYTES));
  asked.setInt32(0, fd, isLittleEndian);
  asked.setInt16(4, POLLIN, isLittleEndian);
  return {
    isReadable: () => system.poll(new Uint8Array(asked.buffer), 1, 0) > 0,
    [Symbol.dispose]: () => {
      if (isOver) return;
      isOver = true;
      poller.stop();
      poller.destroy();
      system.close(epoll);
    },
  };
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
