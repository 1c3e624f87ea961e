// The numbers of vd_agent.h, spelled as there without the VD_AGENT_ prefix.

/** Port of a chunk: messages of the viewer (CLIENT) and of spice-server itself (SERVER). `VDP_*_PORT`. */
export const ChunkPort = { CLIENT: 1, SERVER: 2 } as const;
export type ChunkPort = (typeof ChunkPort)[keyof typeof ChunkPort];

export const PROTOCOL = 1;

/** Message types. */
export const AgentMessageType = {
  MOUSE_STATE: 1,
  MONITORS_CONFIG: 2,
  REPLY: 3,
  CLIPBOARD: 4,
  DISPLAY_CONFIG: 5,
  ANNOUNCE_CAPABILITIES: 6,
  CLIPBOARD_GRAB: 7,
  CLIPBOARD_REQUEST: 8,
  CLIPBOARD_RELEASE: 9,
  FILE_XFER_START: 10,
  FILE_XFER_STATUS: 11,
  FILE_XFER_DATA: 12,
  CLIENT_DISCONNECTED: 13,
  MAX_CLIPBOARD: 14,
  AUDIO_VOLUME_SYNC: 15,
  GRAPHICS_DEVICE_INFO: 16,
} as const;
export type AgentMessageType = (typeof AgentMessageType)[keyof typeof AgentMessageType];

/** Capability bits of ANNOUNCE_CAPABILITIES. */
export const AgentCap = {
  MOUSE_STATE: 0,
  MONITORS_CONFIG: 1,
  REPLY: 2,
  CLIPBOARD: 3,
  DISPLAY_CONFIG: 4,
  CLIPBOARD_BY_DEMAND: 5,
  CLIPBOARD_SELECTION: 6,
  SPARSE_MONITORS_CONFIG: 7,
  GUEST_LINEEND_LF: 8,
  GUEST_LINEEND_CRLF: 9,
  MAX_CLIPBOARD: 10,
  AUDIO_VOLUME_SYNC: 11,
  MONITORS_CONFIG_POSITION: 12,
  FILE_XFER_DISABLED: 13,
  FILE_XFER_DETAILED_ERRORS: 14,
  GRAPHICS_DEVICE_INFO: 15,
  CLIPBOARD_NO_RELEASE_ON_REGRAB: 16,
  CLIPBOARD_GRAB_SERIAL: 17,
} as const;
export type AgentCap = (typeof AgentCap)[keyof typeof AgentCap];

/** Content types of the clipboard. */
export const ClipboardType = {
  NONE: 0,
  UTF8_TEXT: 1,
  IMAGE_PNG: 2,
  IMAGE_BMP: 3,
  IMAGE_TIFF: 4,
  IMAGE_JPG: 5,
  FILE_LIST: 6,
} as const;
export type ClipboardType = (typeof ClipboardType)[keyof typeof ClipboardType];

/** Selections of the clipboard, `VD_AGENT_CLIPBOARD_SELECTION_*`. */
export const ClipboardSelection = { CLIPBOARD: 0, PRIMARY: 1, SECONDARY: 2 } as const;
export type ClipboardSelection = (typeof ClipboardSelection)[keyof typeof ClipboardSelection];

/** The error field of REPLY. */
export const ReplyError = { SUCCESS: 1, ERROR: 2 } as const;

/** Flags of MONITORS_CONFIG, `VD_AGENT_CONFIG_MONITORS_FLAG_*`. */
export const MonitorsFlag = { USE_POS: 1, PHYSICAL_SIZE: 2 } as const;

/** Bits of MOUSE_STATE's buttons, `VD_AGENT_*BUTTON_MASK`: left, middle, right, wheel up and down, side, extra. */
export const MouseButton = { LEFT: 2, MIDDLE: 4, RIGHT: 8, UP: 16, DOWN: 32, SIDE: 64, EXTRA: 128 } as const;

/** What went wrong with a file, in the numbers of GIOErrorEnum: as far as a file transfer uses them. */
export const GioError = {
  FAILED: 0,
  NOT_FOUND: 1,
  EXISTS: 2,
  NOT_DIRECTORY: 4,
  FILENAME_TOO_LONG: 9,
  INVALID_FILENAME: 10,
  NO_SPACE: 12,
  PERMISSION_DENIED: 14,
  READ_ONLY: 21,
  TIMED_OUT: 24,
  TOO_MANY_OPEN_FILES: 31,
} as const;

/** Results of a file transfer. */
export const FileXferStatus = {
  CAN_SEND_DATA: 0,
  CANCELLED: 1,
  ERROR: 2,
  SUCCESS: 3,
  NOT_ENOUGH_SPACE: 4,
  SESSION_LOCKED: 5,
  VDAGENT_NOT_CONNECTED: 6,
  DISABLED: 7,
} as const;
