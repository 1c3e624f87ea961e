// MAX_CLIPBOARD, viewer to guest: VDAgentMaxClipboard in vd_agent.h.
import { structCodec } from "./codec.ts";
import { i32, struct } from "./fields.ts";

/** The largest clipboard payload the viewer wants, in bytes; -1 is no limit. */
const maxClipboardFields = struct({ max: i32 });

export const maxClipboard = structCodec(maxClipboardFields);
