// CLIPBOARD_REQUEST, both ways: VDAgentClipboardRequest in vd_agent.h.
import type { ClipboardSelection } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readSelection, selectionPrefixSize, writeSelection } from "./clipboard-selection.ts";
import type { Codec } from "./codec.ts";

export interface ClipboardRequest {
  readonly selection: ClipboardSelection;
  /** ClipboardType number that is wanted. */
  readonly type: number;
}

export const clipboardRequest: Codec<ClipboardRequest> = {
  decode: (body, layout) => {
    const reader = new ByteReader(body);
    return { selection: readSelection(reader, layout), type: reader.u32() };
  },
  encode: ({ selection, type }, layout) => {
    const writer = new ByteWriter(selectionPrefixSize(layout) + 4);
    writeSelection(writer, selection, layout);
    writer.u32(type);
    return writer.finish();
  },
};
