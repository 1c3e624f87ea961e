// DISPLAY_CONFIG, viewer to guest: VDAgentDisplayConfig in vd_agent.h.
import { structCodec } from "./codec.ts";
import { struct, u32 } from "./fields.ts";

/** Flags: 1 no wallpaper, 2 no font smoothing, 4 no animation, 8 set the depth. Depth in bits per pixel. */
const displayConfigFields = struct({ flags: u32, depth: u32 });

export const displayConfig = structCodec(displayConfigFields);
