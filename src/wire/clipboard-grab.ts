// CLIPBOARD_GRAB, both ways: VDAgentClipboardGrab in vd_agent.h.
import type { ClipboardSelection } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readSelection, selectionPrefixSize, writeSelection } from "./clipboard-selection.ts";
import { type Codec, restOfU32 } from "./codec.ts";

/** Seven types exist; a longer list is nonsense. */
const MAX_TYPES = 256;

export interface ClipboardGrab {
  readonly selection: ClipboardSelection;
  /** Counter of grabs on this selection; 0 where the layout has none. */
  readonly serial: number;
  /** ClipboardType numbers, best first; unknown ones are kept for the reader to skip. */
  readonly types: readonly number[];
}

export const clipboardGrab: Codec<ClipboardGrab> = {
  decode: (body, layout) => {
    const reader = new ByteReader(body);
    const selection = readSelection(reader, layout);
    const serial = layout.serial ? reader.u32() : 0;
    return { selection, serial, types: restOfU32(reader, "clipboard types", MAX_TYPES) };
  },
  encode: ({ selection, serial, types }, layout) => {
    const writer = new ByteWriter(selectionPrefixSize(layout) + (layout.serial ? 4 : 0) + 4 * types.length);
    writeSelection(writer, selection, layout);
    if (layout.serial) writer.u32(serial);
    for (const type of types) writer.u32(type);
    return writer.finish();
  },
};
