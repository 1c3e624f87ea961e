// CLIPBOARD_RELEASE, both ways: VDAgentClipboardRelease in vd_agent.h.
import type { ClipboardSelection } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readSelection, selectionPrefixSize, writeSelection } from "./clipboard-selection.ts";
import type { Codec } from "./codec.ts";

export interface ClipboardRelease {
  readonly selection: ClipboardSelection;
}

export const clipboardRelease: Codec<ClipboardRelease> = {
  decode: (body, layout) => ({ selection: readSelection(new ByteReader(body), layout) }),
  encode: ({ selection }, layout) => {
    const writer = new ByteWriter(selectionPrefixSize(layout));
    writeSelection(writer, selection, layout);
    return writer.finish();
  },
};
