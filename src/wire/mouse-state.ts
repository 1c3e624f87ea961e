// MOUSE_STATE, spice-server to guest: VDAgentMouseState in vd_agent.h.
import { structCodec } from "./codec.ts";
import { type Of, struct, u8, u32 } from "./fields.ts";

/** Pixels relative to the display; buttons are bits of MouseButton. */
const mouseStateFields = struct({ x: u32, y: u32, buttons: u32, displayId: u8 });

export type MouseState = Of<typeof mouseStateFields>;
export const mouseState = structCodec(mouseStateFields);
