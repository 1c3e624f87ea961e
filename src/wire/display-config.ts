// DISPLAY_CONFIG, viewer to guest: VDAgentDisplayConfig in vd_agent.h.
import { structCodec } from "./codec.ts";
import { struct, u32 } from "./fields.ts";

/** VD_AGENT_DISPLAY_CONFIG_FLAG_… */
export const DisplayConfigFlag = {
  DISABLE_WALLPAPER: 1,
  DISABLE_FONT_SMOOTH: 2,
  DISABLE_ANIMATION: 4,
  SET_COLOR_DEPTH: 8,
} as const;

/** Flags: DisplayConfigFlag. Depth in bits per pixel. */
const displayConfigFields = struct({ flags: u32, depth: u32 });

export const displayConfig = structCodec(displayConfigFields);
