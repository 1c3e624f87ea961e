// When the viewer's folder is served in the guest, and for whom it is mounted. Sections 7 and 10 of the protocol; mounts.md.

export interface SharedFolderPolicy {
  /** Mount it in the user's folder; else it is only served. */
  readonly mount: boolean;
}

/** A mount that is wanted, or is there. */
export interface ShareMount {
  readonly uid: number;
  readonly readOnly: boolean;
}

/** `changing`: on its way to be there, or to be gone. `stuck`: it was to be gone, and may be there still. */
export type MountState =
  | { readonly kind: "none" }
  | { readonly kind: "changing"; readonly to: ShareMount | undefined }
  | { readonly kind: "mounted"; readonly mount: ShareMount; readonly path: string; readonly driver: string }
  | { readonly kind: "failed"; readonly mount: ShareMount; readonly fault: string }
  | { readonly kind: "stuck"; readonly mount: ShareMount; readonly fault: string };

export interface SharedFolderState {
  /** Counts the viewers: what is found out about one is nothing to the next. */
  readonly epoch: number;
  /** The viewer has the channel open. */
  readonly hasHost: boolean;
  /** Undefined until its server has answered. */
  readonly isReadOnly: boolean | undefined;
  readonly isListening: boolean;
  /** It has stopped answering. What is mounted stays, and is refused at once until it goes on. */
  readonly isFrozen: boolean;
  /** The one in front of the screen. */
  readonly user: number | undefined;
  readonly mount: MountState;
  /** In a row, for this viewer and user: most that fails once needs a person to mend it. */
  readonly mountFailures: number;
  /** Why it is not served although a viewer is there. */
  readonly fault: string | undefined;
}

export type SharedFolderInput =
  | { readonly kind: "host-came" }
  | { readonly kind: "host-left" }
  | { readonly kind: "viewer-answered"; readonly epoch: number; readonly readOnly: boolean }
  | { readonly kind: "viewer-silent"; readonly epoch: number; readonly fault: string }
  | { readonly kind: "listening-began"; readonly epoch: number }
  | { readonly kind: "listening-failed"; readonly epoch: number; readonly fault: string }
  /** Time to try again what has failed. */
  | { readonly kind: "retry-due"; readonly epoch: number }
  /** What the viewer allows may be another by now: it has refused a change, or much time has passed. */
  | { readonly kind: "doubt-arose" }
  /** Somebody waits for it, and it says nothing at all. */
  | { readonly kind: "viewer-froze" }
  | { readonly kind: "viewer-spoke" }
  | { readonly kind: "user-changed"; readonly user: number | undefined }
  | { readonly kind: "mount-made"; readonly mount: ShareMount; readonly path: string; readonly driver: string }
  | { readonly kind: "mount-failed"; readonly mount: ShareMount; readonly fault: string }
  | { readonly kind: "mount-gone" }
  | { readonly kind: "unmount-failed"; readonly mount: ShareMount; readonly fault: string };

export type SharedFolderEffect =
  /** Whether the viewer's server answers, and lets itself be changed. */
  | { readonly kind: "ask-viewer"; readonly epoch: number }
  | { readonly kind: "listen"; readonly epoch: number }
  /** Close listeners and connections; what is mounted on them comes after. */
  | { readonly kind: "fall-silent" }
  /** The same for a while: the viewer is there, and asked to say anything. */
  | { readonly kind: "fall-quiet" }
  | { readonly kind: "mount"; readonly mount: ShareMount }
  | { readonly kind: "unmount"; readonly mount: ShareMount }
  /** `failures`: how often in a row it has failed before. */
  | { readonly kind: "retry-later"; readonly epoch: number; readonly failures: number };

export const noSharedFolder: SharedFolderState = {
  epoch: 0,
  hasHost: false,
  isReadOnly: undefined,
  isListening: false,
  isFrozen: false,
  user: undefined,
  mount: { kind: "none" },
  mountFailures: 0,
  fault: undefined,
};

const nothingKnown = { isReadOnly: undefined, isListening: false, isFrozen: false, fault: undefined } as const;
const FROZEN = "the viewer has stopped answering";

type Step = readonly [SharedFolderState, readonly SharedFolderEffect[]];

export function sharedFolderStep(state: SharedFolderState, input: SharedFolderInput, policy: SharedFolderPolicy): Step {
  const [next, effects] = taken(state, input);
  const [settled, more] = withMount(next, policy);
  return [settled, [...effects, ...more]];
}

function taken(state: SharedFolderState, input: SharedFolderInput): Step {
  switch (input.kind) {
    case "host-came": {
      const epoch = state.epoch + 1;
      const [next, effects] = unstuck({ ...state, ...nothingKnown, epoch, hasHost: true, mountFailures: 0 });
      return [next, [...effects, { kind: "ask-viewer", epoch }]];
    }
    case "host-left": {
      if (!state.hasHost) return [state, []];
      const next = { ...state, ...nothingKnown, hasHost: false };
      return [next, [{ kind: "fall-silent" }]];
    }
    case "viewer-answered": {
      if (!isOf(state, input)) return [state, []];
      const isFirst = state.isReadOnly === undefined;
      const next = { ...state, isReadOnly: input.readOnly, fault: undefined };
      return [next, isFirst ? [{ kind: "listen", epoch: state.epoch }] : []];
    }
    case "viewer-silent": {
      // It was there before: what it allowed then is the best guess.
      if (!isOf(state, input) || state.isReadOnly !== undefined) return [state, []];
      return [{ ...state, fault: input.fault }, [{ kind: "retry-later", epoch: state.epoch, failures: 0 }]];
    }
    case "listening-began":
      return [isOf(state, input) ? { ...state, isListening: true, fault: undefined } : state, []];
    case "listening-failed":
      if (!isOf(state, input)) return [state, []];
      return [{ ...state, fault: input.fault }, [{ kind: "retry-later", epoch: state.epoch, failures: 0 }]];
    case "retry-due":
      return retried(state, input.epoch);
    case "doubt-arose":
      return [state, state.isListening ? [{ kind: "ask-viewer", epoch: state.epoch }] : []];
    case "viewer-froze":
      if (!state.isListening) return [state, []];
      return [{ ...state, isListening: false, isFrozen: true, fault: FROZEN }, [{ kind: "fall-quiet" }]];
    case "viewer-spoke":
      if (!state.isFrozen) return [state, []];
      return [{ ...state, isFrozen: false, fault: undefined }, [{ kind: "listen", epoch: state.epoch }]];
    case "user-changed":
      return unstuck({ ...state, user: input.user, mountFailures: 0 });
    case "mount-made": {
      const { mount, path, driver } = input;
      return [{ ...state, mount: { kind: "mounted", mount, path, driver }, mountFailures: 0 }, []];
    }
    case "mount-failed":
      return failed(state, { kind: "failed", mount: input.mount, fault: input.fault });
    case "mount-gone":
      return [{ ...state, mount: { kind: "none" } }, []];
    case "unmount-failed":
      return failed(state, { kind: "stuck", mount: input.mount, fault: input.fault });
    default:
      return input satisfies never;
  }
}

function failed(state: SharedFolderState, mount: MountState): Step {
  const failures = state.mountFailures;
  return [{ ...state, mount, mountFailures: failures + 1 }, [{ kind: "retry-later", epoch: state.epoch, failures }]];
}

function unmounting(state: SharedFolderState, mount: ShareMount): Step {
  return [{ ...state, mount: { kind: "changing", to: undefined } }, [{ kind: "unmount", mount }]];
}

/** What is stuck is tried again. */
function unstuck(state: SharedFolderState): Step {
  return state.mount.kind === "stuck" ? unmounting(state, state.mount.mount) : [state, []];
}

function retried(state: SharedFolderState, epoch: number): Step {
  // It is there whichever viewer is, or none.
  if (state.mount.kind === "stuck") {
    const [next, effects] = unstuck(state);
    const [last, more] = retried(next, epoch);
    return [last, [...effects, ...more]];
  }
  if (!isOf(state, { epoch })) return [state, []];
  if (state.isReadOnly === undefined) return [state, [{ kind: "ask-viewer", epoch }]];
  if (!state.isListening) return [state, state.isFrozen ? [] : [{ kind: "listen", epoch }]];
  return [state.mount.kind === "failed" ? { ...state, mount: { kind: "none" } } : state, []];
}

/** Mounted is what is wanted; one change at a time. */
function withMount(state: SharedFolderState, policy: SharedFolderPolicy): Step {
  const { mount } = state;
  // While nothing is to be had of the viewer, what is mounted stays as it is: also until it is served again.
  const isPaused = state.isReadOnly !== undefined && !state.isListening;
  if (isPaused && mount.kind === "mounted" && mount.mount.uid === state.user) return [state, []];
  const wanted = policy.mount ? wantedMount(state) : undefined;
  switch (mount.kind) {
    case "changing":
    case "stuck":
      return [state, []];
    case "mounted":
      if (wanted !== undefined && isSame(wanted, mount.mount)) return [state, []];
      return unmounting(state, mount.mount);
    case "failed":
      if (wanted !== undefined && isSame(wanted, mount.mount)) return [state, []];
      return withMount({ ...state, mount: { kind: "none" } }, policy);
    case "none":
      if (wanted === undefined) return [state, []];
      return [{ ...state, mount: { kind: "changing", to: wanted } }, [{ kind: "mount", mount: wanted }]];
    default:
      return mount satisfies never;
  }
}

function wantedMount({ isListening, isReadOnly, user }: SharedFolderState): ShareMount | undefined {
  return isListening && isReadOnly !== undefined && user !== undefined
    ? { uid: user, readOnly: isReadOnly }
    : undefined;
}

function isOf({ hasHost, epoch }: SharedFolderState, of: { readonly epoch: number }): boolean {
  return hasHost && epoch === of.epoch;
}

function isSame(a: ShareMount, b: ShareMount): boolean {
  return a.uid === b.uid && a.readOnly === b.readOnly;
}
