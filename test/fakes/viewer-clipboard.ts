// The viewer's clipboard on a fake host: keeps count of the grabs of both sides, as a real viewer does.
import { ClipboardSelection, ClipboardType } from "../../src/wire/agent-constants.ts";
import type { FakeHost } from "./fake-host.ts";

const TEXT = ClipboardType.UTF8_TEXT;

export class ViewerClipboard {
  readonly #host: FakeHost;
  readonly #serials = new Map<ClipboardSelection, number>();

  constructor(host: FakeHost) {
    this.#host = host;
  }

  copies(selection: ClipboardSelection = ClipboardSelection.CLIPBOARD): void {
    this.#host.send({ name: "CLIPBOARD_GRAB", value: { selection, serial: this.#next(selection), types: [TEXT] } });
  }

  /** The guest's next grab. */
  async grabbed(timeoutMs?: number): Promise<ClipboardSelection> {
    const { value } = await this.#host.next("CLIPBOARD_GRAB", timeoutMs);
    if (value.serial !== this.#next(value.selection)) throw new Error(`grab ${value.serial} is not the next`);
    return value.selection;
  }

  asks(selection: ClipboardSelection = ClipboardSelection.CLIPBOARD): void {
    this.#host.send({ name: "CLIPBOARD_REQUEST", value: { selection, type: TEXT } });
  }

  /** What the guest answers: its type and text. */
  async answer(): Promise<{ readonly type: number; readonly text: string }> {
    const { value, data } = await this.#host.next("CLIPBOARD");
    return { type: value.type, text: Buffer.from(data).toString() };
  }

  /** Answers the guest's next request. */
  async gives(text: string): Promise<void> {
    const { value } = await this.#host.next("CLIPBOARD_REQUEST");
    this.#host.send({ name: "CLIPBOARD", value }, { data: Buffer.from(text) });
  }

  #next(selection: ClipboardSelection): number {
    const serial = this.#serials.get(selection) ?? 0;
    this.#serials.set(selection, serial + 1);
    return serial;
  }
}
