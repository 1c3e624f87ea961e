// Who is on the other side, and what it understands. The only sign of a viewer is that it asks for our capabilities.
import { AgentCap } from "../wire/agent-constants.ts";
import { capWords, hasCap } from "../wire/announce-capabilities.ts";
import { bareLayout, type Layout } from "../wire/codec.ts";

/** What the viewer announced, as far as anything here depends on it. */
export interface ViewerCaps {
  readonly clipboard: boolean;
  readonly layout: Layout;
  readonly detailedFileErrors: boolean;
}

export interface CapabilitiesState {
  /** Counts viewers; what was asked under another number is void. */
  readonly epoch: number;
  readonly viewer: ViewerCaps | undefined;
  /** We have asked who is there: an answer without a question is one to us. */
  readonly hasAsked: boolean;
}

/** A host that has said nothing for this long after the port was opened is asked: `qemu-vdagent` of QEMU 7 waits for it. */
export const SILENT_HOST_MS = 2000;

export type CapabilitiesInput =
  | { readonly kind: "host-announced"; readonly request: boolean; readonly words: readonly number[] }
  /** Nothing was heard in the first SILENT_HOST_MS of an opening. */
  | { readonly kind: "host-silent" }
  | { readonly kind: "viewer-disconnected" }
  | { readonly kind: "port-closed" };

export type CapabilitiesEffect =
  | { readonly kind: "send-announce"; readonly request: boolean; readonly words: readonly number[] }
  /** Forget everything of the viewer before. */
  | { readonly kind: "begin-viewer"; readonly caps: ViewerCaps }
  | { readonly kind: "update-viewer"; readonly caps: ViewerCaps }
  | { readonly kind: "end-viewer" };

/** What of us depends on the machine and the configuration. */
export interface GuestAbilities {
  readonly pointer: boolean;
  readonly clipboard: boolean;
  readonly display: boolean;
  readonly effects: boolean;
  readonly volume: boolean;
  readonly files: boolean;
}

export const noViewer: CapabilitiesState = { epoch: 0, viewer: undefined, hasAsked: false };

/** Exactly what is built and switched on. */
export function guestCaps(abilities: GuestAbilities): number[] {
  return capWords([
    AgentCap.REPLY,
    AgentCap.GUEST_LINEEND_LF,
    // Without it the viewer does not read what is said about an error.
    AgentCap.FILE_XFER_DETAILED_ERRORS,
    ...(abilities.files ? [] : [AgentCap.FILE_XFER_DISABLED]),
    ...(abilities.pointer ? [AgentCap.MOUSE_STATE] : []),
    ...(abilities.display
      ? [AgentCap.MONITORS_CONFIG, AgentCap.SPARSE_MONITORS_CONFIG, AgentCap.GRAPHICS_DEVICE_INFO]
      : []),
    ...(abilities.effects ? [AgentCap.DISPLAY_CONFIG] : []),
    ...(abilities.volume ? [AgentCap.AUDIO_VOLUME_SYNC] : []),
    ...(abilities.clipboard
      ? [
          AgentCap.CLIPBOARD_BY_DEMAND,
          AgentCap.CLIPBOARD_SELECTION,
          AgentCap.MAX_CLIPBOARD,
          AgentCap.CLIPBOARD_NO_RELEASE_ON_REGRAB,
          AgentCap.CLIPBOARD_GRAB_SERIAL,
        ]
      : []),
  ]);
}

export function capabilitiesStep(
  state: CapabilitiesState,
  input: CapabilitiesInput,
  ours: readonly number[],
): readonly [CapabilitiesState, readonly CapabilitiesEffect[]] {
  switch (input.kind) {
    case "host-announced": {
      const caps = viewerCaps(input.words);
      if (!input.request) {
        if (state.viewer !== undefined) return [{ ...state, viewer: caps }, [{ kind: "update-viewer", caps }]];
        // Nobody asked us, so nobody is known to be there: a late answer of a viewer that has gone changes nothing.
        if (!state.hasAsked) return [state, []];
        return [{ epoch: state.epoch + 1, viewer: caps, hasAsked: false }, [{ kind: "begin-viewer", caps }]];
      }
      // Our answer first: until the viewer has it, it reads our clipboard messages under another layout.
      return [
        { epoch: state.epoch + 1, viewer: caps, hasAsked: false },
        [
          ...(state.viewer === undefined ? [] : [{ kind: "end-viewer" } as const]),
          { kind: "send-announce", request: false, words: ours },
          { kind: "begin-viewer", caps },
        ],
      ];
    }
    case "host-silent":
      // Once an opening: a newer qemu-vdagent closes the port on a second announcement, but speaks first. Where there is
      // no viewer, spice-server throws it away.
      if (state.viewer !== undefined) return [state, []];
      return [{ ...state, hasAsked: true }, [{ kind: "send-announce", request: true, words: ours }]];
    case "viewer-disconnected":
    case "port-closed": {
      const gone = { ...state, viewer: undefined, hasAsked: false };
      return [gone, state.viewer === undefined ? [] : [{ kind: "end-viewer" }]];
    }
    default:
      return input satisfies never;
  }
}

/** The layout of clipboard messages both ways: what both sides announced, and nothing before that. */
export function layoutOf(state: CapabilitiesState): Layout {
  return state.viewer?.layout ?? bareLayout;
}

function viewerCaps(words: readonly number[]): ViewerCaps {
  return {
    clipboard: hasCap(words, AgentCap.CLIPBOARD_BY_DEMAND),
    layout: {
      selection: hasCap(words, AgentCap.CLIPBOARD_SELECTION),
      serial: hasCap(words, AgentCap.CLIPBOARD_GRAB_SERIAL),
    },
    detailedFileErrors: hasCap(words, AgentCap.FILE_XFER_DETAILED_ERRORS),
  };
}
