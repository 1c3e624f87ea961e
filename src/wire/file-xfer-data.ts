// FILE_XFER_DATA, viewer to guest: VDAgentFileXferDataMessage in vd_agent.h. The bytes are streamed: this is their head.
import { structCodec } from "./codec.ts";
import { struct, u32, u64 } from "./fields.ts";

/** `size` is the viewer's claim; the message's own length is what arrives. */
const fileXferDataFields = struct({ id: u32, size: u64 });

export const FILE_XFER_DATA_HEAD_SIZE = fileXferDataFields.size;
export const fileXferDataHead = structCodec(fileXferDataFields);
