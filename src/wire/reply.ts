// REPLY, guest to viewer: VDAgentReply in vd_agent.h.
import { structCodec } from "./codec.ts";
import { struct, u32 } from "./fields.ts";

/** `type` is the message answered, `error` one of ReplyError. */
const replyFields = struct({ type: u32, error: u32 });

export const reply = structCodec(replyFields);
