// The 4-byte prefix that CLIPBOARD_SELECTION puts before every clipboard message: selection and three reserved bytes.
import { ClipboardSelection } from "./agent-constants.ts";
import { type ByteReader, type ByteWriter, DecodeError } from "./bytes.ts";
import type { Layout } from "./codec.ts";

export function selectionPrefixSize(layout: Layout): number {
  return layout.selection ? 4 : 0;
}

export function readSelection(reader: ByteReader, layout: Layout): ClipboardSelection {
  if (!layout.selection) return ClipboardSelection.CLIPBOARD;
  const selection = reader.u8();
  reader.bytes(3);
  if (selection > ClipboardSelection.SECONDARY) throw new DecodeError("bad-value", `selection ${selection}`);
  return selection as ClipboardSelection;
}

/** Without the capability only CLIPBOARD can be told: another selection is a RangeError, the caller's fault. */
export function writeSelection(writer: ByteWriter, selection: ClipboardSelection, layout: Layout): void {
  if (layout.selection) writer.u32(selection);
  else if (selection !== ClipboardSelection.CLIPBOARD) throw new RangeError("the peer knows one selection only");
}
