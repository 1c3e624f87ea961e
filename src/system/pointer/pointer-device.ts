// Where the viewer's pointer goes: a device of the kernel, or Xspice's FIFO.
import type { InputEvent } from "../../features/pointer.ts";

export interface PointerDevice extends AsyncDisposable {
  /** Once, at the start. Throws a BackendError `pointer.unavailable`: the pointer is not to be promised to anyone then. */
  open(): Promise<void>;
  /** Size of the whole desktop, over which positions go from 0 to the size less one. */
  setRange(widthPx: number, heightPx: number): void;
  /** False: the device could not take them, and they are gone. */
  emit(events: readonly InputEvent[]): boolean;
}
