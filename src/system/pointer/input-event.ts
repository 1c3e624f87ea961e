// `struct input_event` of linux/input.h, as the kernel's uinput and Xspice's FIFO take it.
import type { InputEvent } from "../../features/pointer.ts";

/** On 64-bit machines: 16 bytes of time, then type, code, value. */
const EVENT_BYTES = 24;

/** The time is left zero: the kernel puts its own, Xspice does not look. */
export function encodeInputEvents(events: readonly InputEvent[]): Buffer {
  const bytes = Buffer.alloc(events.length * EVENT_BYTES);
  for (const [index, { type, code, value }] of events.entries()) {
    bytes.writeUInt16LE(type, index * EVENT_BYTES + 16);
    bytes.writeUInt16LE(code, index * EVENT_BYTES + 18);
    bytes.writeInt32LE(value, index * EVENT_BYTES + 20);
  }
  return bytes;
}
