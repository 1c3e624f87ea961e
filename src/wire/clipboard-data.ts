// CLIPBOARD, both ways: VDAgentClipboard in vd_agent.h. The data is streamed: this is the head before it.
import type { ClipboardSelection } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readSelection, selectionPrefixSize, writeSelection } from "./clipboard-selection.ts";
import type { Codec, Layout } from "./codec.ts";

export interface ClipboardDataHead {
  readonly selection: ClipboardSelection;
  /** ClipboardType number; NONE means the request cannot be served. */
  readonly type: number;
}

export function clipboardDataHeadSize(layout: Layout): number {
  return selectionPrefixSize(layout) + 4;
}

export const clipboardDataHead: Codec<ClipboardDataHead> = {
  decode: (head, layout) => {
    const reader = new ByteReader(head);
    return { selection: readSelection(reader, layout), type: reader.u32() };
  },
  encode: ({ selection, type }, layout) => {
    const writer = new ByteWriter(clipboardDataHeadSize(layout));
    writeSelection(writer, selection, layout);
    writer.u32(type);
    return writer.finish();
  },
};
