// The clipboard as the daemon rules it: who owns each selection, whose turn it is to answer, and what nobody answers.
// Section 3 of the protocol. Content never comes by here: a body is named by a number.
import { ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import { type ClipboardPolicy, type Refusal, type RefusalReason, refusalOf } from "./clipboard-policy.ts";

/** Host or guest gives no first byte for this long: the asker is told no. */
export const ANSWER_TIMEOUT_MS = 3000;
/** The same for a host that was silent since its last grab: applications ask again under another name. */
export const SILENT_HOST_TIMEOUT_MS = 1000;
/** The same for one that has answered too late since: it does answer, and what it has copied takes time to prepare. */
export const SLOW_HOST_TIMEOUT_MS = 15_000;
export const GUEST_ANSWER_TIMEOUT_MS = 5000;
/** The same where a picture may have to be made into PNG first. */
export const GUEST_PNG_TIMEOUT_MS = 20_000;
/** Questions of the host that wait for the guest at once; more are answered NONE. */
const MAX_HOST_REQUESTS = 256;
/** Questions of the guest that wait for the host at once; more are refused. */
const MAX_GUEST_REQUESTS = 1024;

/** What the viewer announced that matters here. */
export interface ClipboardViewer {
  readonly clipboard: boolean;
  /** It knows selections beside CLIPBOARD. */
  readonly selection: boolean;
  /** Grabs carry a serial. */
  readonly serial: boolean;
}

interface SelectionState {
  readonly owner: "nobody" | "host" | "guest";
  /** What the owner offers, best first. */
  readonly types: readonly number[];
  /** The next grab's number on this selection, modulo 2^32. */
  readonly serial: number;
  /** How the host has answered what was asked of it since its last grab: when it was too late it is known to be slow. */
  readonly answers: "in-time" | "late" | "never";
  /** What the guest has copied since, while the viewer was not to know of it; it counts when the session is opened. */
  readonly held: readonly number[] | undefined;
  /** What an application of the guest offers that is the viewer's own content: no news for this viewer, but for the next. */
  readonly kept: readonly number[] | undefined;
}

/** The guest wants content of the viewer. */
interface GuestRequest {
  readonly requestId: number;
  readonly selection: ClipboardSelection;
  readonly type: number;
  /** One question for the same content is open at a time; the others wait for it. */
  readonly phase: "waiting" | "asked" | { readonly bodyId: number };
}

/** The viewer wants content of the guest. */
interface HostRequest {
  readonly askId: number;
  readonly selection: ClipboardSelection;
  readonly type: number;
  readonly phase: "asked" | { readonly bodyId: number };
}

/** The session that is on the screen: nobody's, one whose user may not be there (locked, a greeter), or open. */
export type GuestPresence = "away" | "shut" | "open";

export interface ClipboardState {
  readonly viewer: ClipboardViewer | undefined;
  readonly guest: GuestPresence;
  /** The largest content the viewer wants, bytes; exclusive. */
  readonly viewerMaxBytes: number;
  readonly selections: Readonly<Record<ClipboardSelection, SelectionState>>;
  readonly guestRequests: readonly GuestRequest[];
  readonly hostRequests: readonly HostRequest[];
  readonly nextAskId: number;
}

export type ClipboardInput =
  | { readonly kind: "viewer-arrived"; readonly viewer: ClipboardViewer }
  | { readonly kind: "viewer-changed"; readonly viewer: ClipboardViewer }
  | { readonly kind: "viewer-left" }
  | { readonly kind: "viewer-limited"; readonly maxBytes: number }
  /** `copied`: what its applications have offered until now. */
  | {
      readonly kind: "session-arrived";
      readonly guest: Exclude<GuestPresence, "away">;
      readonly copied: ReadonlyMap<ClipboardSelection, readonly number[]>;
    }
  | { readonly kind: "session-shut" }
  | { readonly kind: "session-opened" }
  | { readonly kind: "session-left" }
  | {
      readonly kind: "host-grabbed";
      readonly selection: ClipboardSelection;
      readonly serial: number;
      readonly types: readonly number[];
    }
  | { readonly kind: "host-released"; readonly selection: ClipboardSelection }
  | { readonly kind: "host-requested"; readonly selection: ClipboardSelection; readonly type: number }
  | {
      readonly kind: "host-answered";
      readonly selection: ClipboardSelection;
      readonly type: number;
      readonly bodyId: number;
      readonly bytes: number;
    }
  | { readonly kind: "host-silent"; readonly requestId: number }
  | { readonly kind: "guest-grabbed"; readonly selection: ClipboardSelection; readonly types: readonly number[] }
  /** An application, as clipboard managers do, has taken over what the viewer offers or has offered last. */
  | { readonly kind: "guest-kept"; readonly selection: ClipboardSelection; readonly types: readonly number[] }
  | { readonly kind: "guest-released"; readonly selection: ClipboardSelection }
  /** An application has copied what it marks as a password. */
  | { readonly kind: "guest-copied-secret"; readonly selection: ClipboardSelection }
  | {
      readonly kind: "guest-requested";
      readonly requestId: number;
      readonly selection: ClipboardSelection;
      readonly type: number;
    }
  | { readonly kind: "guest-cancelled"; readonly requestId: number }
  | { readonly kind: "guest-answered"; readonly askId: number; readonly bodyId: number }
  | { readonly kind: "guest-refused"; readonly askId: number }
  | { readonly kind: "guest-silent"; readonly askId: number }
  | { readonly kind: "body-finished"; readonly bodyId: number; readonly bytes: number }
  | { readonly kind: "body-failed"; readonly bodyId: number; readonly tooLarge: boolean };

export type ClipboardEffect =
  | {
      readonly kind: "send-grab";
      readonly selection: ClipboardSelection;
      readonly serial: number;
      readonly types: readonly number[];
    }
  | { readonly kind: "send-release"; readonly selection: ClipboardSelection }
  | { readonly kind: "send-request"; readonly selection: ClipboardSelection; readonly type: number }
  /** An answer without data: of type NONE when there is none, of the type asked for when it is too large. */
  | { readonly kind: "send-empty"; readonly selection: ClipboardSelection; readonly type: number }
  | {
      readonly kind: "send-body";
      readonly selection: ClipboardSelection;
      readonly type: number;
      readonly bodyId: number;
    }
  | { readonly kind: "offer-in-guest"; readonly selection: ClipboardSelection; readonly types: readonly number[] }
  | { readonly kind: "withdraw-in-guest"; readonly selection: ClipboardSelection }
  | {
      readonly kind: "ask-guest";
      readonly askId: number;
      readonly selection: ClipboardSelection;
      readonly type: number;
    }
  | { readonly kind: "cancel-ask"; readonly askId: number }
  | { readonly kind: "refuse-guest"; readonly requestId: number }
  /** Pass the host's body on to the guest. */
  | {
      readonly kind: "open-body";
      readonly bodyId: number;
      readonly requestId: number;
      readonly type: number;
      readonly bytes: number;
    }
  /** Gather the guest's body until it is whole. */
  | { readonly kind: "collect-body"; readonly bodyId: number; readonly maxBytes: number }
  /** Nobody wants this body: read over it. */
  | { readonly kind: "refuse-body"; readonly bodyId: number }
  /** Stop a body that was opened or collected. */
  | { readonly kind: "abort-body"; readonly bodyId: number }
  | { readonly kind: "await-host"; readonly requestId: number; readonly timeoutMs: number }
  | { readonly kind: "await-guest"; readonly askId: number; readonly timeoutMs: number }
  /** Policy has kept something back. */
  | (Refusal & { readonly kind: "count-refusal" })
  /** All of it has gone over. */
  | {
      readonly kind: "count-transfer";
      readonly direction: Refusal["direction"];
      readonly type: number;
      readonly bytes: number;
    }
  | { readonly kind: "note"; readonly text: string };

type Step = readonly [ClipboardState, readonly ClipboardEffect[]];

const hostTimeoutsMs: Readonly<Record<SelectionState["answers"], number>> = {
  "in-time": ANSWER_TIMEOUT_MS,
  late: SLOW_HOST_TIMEOUT_MS,
  never: SILENT_HOST_TIMEOUT_MS,
};

const unowned: SelectionState = {
  owner: "nobody",
  types: [],
  serial: 0,
  answers: "in-time",
  held: undefined,
  kept: undefined,
};

export const emptyClipboard: ClipboardState = {
  viewer: undefined,
  guest: "away",
  viewerMaxBytes: Number.POSITIVE_INFINITY,
  selections: {
    [ClipboardSelection.CLIPBOARD]: unowned,
    [ClipboardSelection.PRIMARY]: unowned,
    [ClipboardSelection.SECONDARY]: unowned,
  },
  guestRequests: [],
  hostRequests: [],
  nextAskId: 1,
};

export function clipboardStep(state: ClipboardState, input: ClipboardInput, policy: ClipboardPolicy): Step {
  switch (input.kind) {
    case "viewer-arrived":
      return viewerArrived(state, input.viewer, policy);
    case "viewer-changed":
      return viewerChanged(state, input.viewer, policy);
    case "viewer-left":
      return viewerLeft(state);
    case "viewer-limited":
      return [{ ...state, viewerMaxBytes: input.maxBytes < 0 ? Number.POSITIVE_INFINITY : input.maxBytes }, []];
    case "session-arrived":
      return sessionArrived(state, input, policy);
    case "session-shut":
      return sessionShut(state);
    case "session-opened":
      return sessionOpened(state, policy);
    case "session-left":
      return sessionLeft(state, policy);
    case "host-grabbed":
      return hostGrabbed(state, input, policy);
    case "host-released": {
      const { selection } = input;
      if (state.selections[selection].owner !== "host") return [state, []];
      const [next, refused] = refuseUnoffered(owned(state, selection, "nobody", []), selection);
      return [next, [...withdrawal(state, selection), ...refused]];
    }
    case "host-requested":
      return hostRequested(state, input.selection, input.type, policy);
    case "host-answered":
      return hostAnswered(state, input, policy);
    case "host-silent":
      return hostSilent(state, input.requestId);
    case "guest-grabbed":
      return guestGrabbed(state, input.selection, input.types, policy);
    case "guest-kept":
      return guestKept(state, input.selection, input.types, policy);
    case "guest-released":
      return guestReleased(state, input.selection, policy);
    case "guest-copied-secret": {
      const [next, effects] = guestReleased(state, input.selection, policy);
      return [next, [...effects, refusal("guest-to-host", "secret")]];
    }
    case "guest-requested":
      return guestRequested(state, input, policy);
    case "guest-cancelled":
      return guestCancelled(state, input.requestId);
    case "guest-answered":
      return guestAnswered(state, input.askId, input.bodyId, policy);
    case "guest-refused":
    case "guest-silent":
      return guestRefused(state, input.askId, input.kind === "guest-silent");
    case "body-finished":
      return bodyFinished(state, input.bodyId, input.bytes);
    case "body-failed":
      return bodyFailed(state, input.bodyId, input.tooLarge);
    default:
      return input satisfies never;
  }
}

const allSelections = Object.values(ClipboardSelection);

function viewerArrived(before: ClipboardState, viewer: ClipboardViewer, policy: ClipboardPolicy): Step {
  const [cleared, effects] = viewerLeft(before);
  let state: ClipboardState = { ...cleared, viewer };
  const grabs: ClipboardEffect[] = [];
  for (const selection of allSelections) {
    state = changed(state, selection, { serial: 0 });
    const { owner, types, kept } = state.selections[selection];
    if (owner !== "guest" && kept === undefined) continue;
    // What was copied before this viewer came is as good as what is copied after.
    const [next, grab] =
      kept === undefined ? grabFor(state, selection, types, policy) : guestGrabbed(state, selection, kept, policy);
    state = next;
    grabs.push(...grab);
  }
  return [state, [...effects, ...grabs]];
}

/** The same viewer understands more or less than before. */
function viewerChanged(before: ClipboardState, viewer: ClipboardViewer, policy: ClipboardPolicy): Step {
  let state: ClipboardState = { ...before, viewer };
  const effects: ClipboardEffect[] = [];
  for (const selection of allSelections) {
    const could = canTell(before, selection);
    const can = canTell(state, selection);
    const { owner, types } = state.selections[selection];
    if (could && !can) {
      // No word about it can pass any more, not even that there is nothing.
      const lost = state.hostRequests.filter((request) => request.selection === selection);
      state = { ...state, hostRequests: state.hostRequests.filter((request) => request.selection !== selection) };
      effects.push(...lost.flatMap(giveUpHostRequest));
      if (owner !== "host") continue;
      const [next, refused] = refuseUnoffered(owned(state, selection, "nobody", []), selection);
      state = next;
      effects.push(...withdrawal(state, selection), ...refused);
    } else if (can && !could && owner === "guest") {
      const [next, grab] = grabFor(state, selection, types, policy);
      state = next;
      effects.push(...grab);
    }
  }
  return [state, effects];
}

function viewerLeft(before: ClipboardState): Step {
  const effects: ClipboardEffect[] = [];
  for (const request of before.guestRequests) effects.push(...giveUpGuestRequest(request));
  for (const request of before.hostRequests) effects.push(...giveUpHostRequest(request));
  let state: ClipboardState = {
    ...before,
    viewer: undefined,
    viewerMaxBytes: Number.POSITIVE_INFINITY,
    guestRequests: [],
    hostRequests: [],
  };
  for (const selection of allSelections) {
    if (state.selections[selection].owner !== "host") continue;
    state = owned(state, selection, "nobody", []);
    effects.push(...withdrawal(state, selection));
  }
  return [state, effects];
}

function sessionArrived(
  before: ClipboardState,
  { guest, copied }: Extract<ClipboardInput, { kind: "session-arrived" }>,
  policy: ClipboardPolicy,
): Step {
  let state: ClipboardState = { ...before, guest: "shut" };
  const effects: ClipboardEffect[] = [];
  for (const [selection, types] of copied) {
    // Between two that were copied while neither knew of the other, the viewer's is the one in use.
    if (state.selections[selection].owner === "host") continue;
    const [next, grabs] = guestGrabbed(state, selection, types, policy);
    state = next;
    effects.push(...grabs);
  }
  if (guest === "shut") return [state, effects];
  const [opened, offers] = sessionOpened(state, policy);
  return [opened, [...effects, ...offers]];
}

/** Nobody may be before the screen, or somebody else: nothing goes out or in until that is over. */
function sessionShut(before: ClipboardState): Step {
  const effects = [...before.guestRequests.flatMap(giveUpGuestRequest), ...before.hostRequests.flatMap(refuseHost)];
  return [{ ...before, guest: "shut", guestRequests: [], hostRequests: [] }, effects];
}

function sessionOpened(before: ClipboardState, policy: ClipboardPolicy): Step {
  let state: ClipboardState = { ...before, guest: "open" };
  const effects: ClipboardEffect[] = [];
  for (const selection of allSelections) {
    const { owner, types, held, kept } = state.selections[selection];
    if (held === undefined) {
      if (owner === "host" && kept === undefined) effects.push(offer(selection, types));
      continue;
    }
    const [next, grabs] = guestGrabbed(state, selection, held, policy);
    state = next;
    effects.push(...grabs);
  }
  return [state, effects];
}

function sessionLeft(before: ClipboardState, policy: ClipboardPolicy): Step {
  const effects: ClipboardEffect[] = [];
  let state: ClipboardState = { ...before, guest: "away", guestRequests: [], hostRequests: [] };
  // Its agent may live on, off the screen: there nobody is to wait in vain, nor to be offered what cannot be had.
  for (const request of before.guestRequests) effects.push(...giveUpGuestRequest(request));
  for (const request of before.hostRequests) effects.push(...refuseHost(request));
  for (const selection of allSelections) {
    state = changed(state, selection, { held: undefined, kept: undefined });
    if (state.selections[selection].owner === "host") effects.push(...withdrawal(before, selection));
    if (state.selections[selection].owner !== "guest") continue;
    state = owned(state, selection, "nobody", []);
    if (isTold(state, selection, policy)) effects.push({ kind: "send-release", selection });
  }
  return [state, effects];
}

function hostGrabbed(
  before: ClipboardState,
  input: Extract<ClipboardInput, { kind: "host-grabbed" }>,
  policy: ClipboardPolicy,
): Step {
  const { selection } = input;
  if (before.viewer === undefined || !canTell(before, selection)) return [before, []];
  const own = before.selections[selection].serial;
  if (before.viewer.serial) {
    // Both sides grabbed at once: the viewer wins, and its number is one behind ours.
    const lostRace = input.serial === (own - 1) >>> 0;
    if (input.serial !== own && !lostRace) {
      return [before, [{ kind: "note", text: `grab ${input.serial} of the viewer discarded: ours is ${own}` }]];
    }
    if (!lostRace) before = changed(before, selection, { serial: (own + 1) >>> 0 });
  }
  const reason = refusalOf(policy, selection, policy.toGuest);
  if (reason !== undefined) return [before, [refusal("host-to-guest", reason)]];
  const [cleared, effects] = refuseHostRequests(before, selection);
  const types = policy.types.filter((type) => input.types.includes(type));
  const ordered = input.types.filter((type, index) => types.includes(type) && input.types.indexOf(type) === index);
  const taken = owned(cleared, selection, "host", ordered, { held: undefined, kept: undefined });
  const [state, unoffered] = refuseUnoffered(taken, selection);
  const nothing = ordered.length === 0 && input.types.length > 0 ? [refusal("host-to-guest", "type")] : [];
  // A session that is not open hears of it when it is.
  const news = state.guest === "open" ? [offer(selection, ordered)] : withdrawal(state, selection);
  return [state, [...effects, ...news, ...unoffered, ...nothing]];
}

function offer(selection: ClipboardSelection, types: readonly number[]): ClipboardEffect {
  return types.length > 0 ? { kind: "offer-in-guest", selection, types } : { kind: "withdraw-in-guest", selection };
}

/** Where the guest has copied since, there is nothing of the viewer's to withdraw. */
function withdrawal({ guest, selections }: ClipboardState, selection: ClipboardSelection): ClipboardEffect[] {
  const isThere = guest !== "away" && selections[selection].held === undefined;
  return isThere ? [{ kind: "withdraw-in-guest", selection }] : [];
}

function hostRequested(
  state: ClipboardState,
  selection: ClipboardSelection,
  type: number,
  policy: ClipboardPolicy,
): Step {
  const { owner, types } = state.selections[selection];
  const none: ClipboardEffect = { kind: "send-empty", selection, type: ClipboardType.NONE };
  if (!canTell(state, selection)) return [state, []];
  const reason =
    refusalOf(policy, selection, policy.toHost) ??
    (!policy.types.includes(type) ? "type" : state.guest === "shut" && owner === "guest" ? "locked" : undefined);
  if (reason !== undefined) return [state, [none, refusal("guest-to-host", reason)]];
  if (state.guest !== "open" || owner !== "guest" || !types.includes(type)) return [state, [none]];
  if (state.hostRequests.length >= MAX_HOST_REQUESTS) return [state, [none]];
  const askId = state.nextAskId;
  const request: HostRequest = { askId, selection, type, phase: "asked" };
  return [
    { ...state, hostRequests: [...state.hostRequests, request], nextAskId: (askId % 0xffffffff) + 1 },
    [
      { kind: "ask-guest", askId, selection, type },
      {
        kind: "await-guest",
        askId,
        timeoutMs: type === ClipboardType.IMAGE_PNG ? GUEST_PNG_TIMEOUT_MS : GUEST_ANSWER_TIMEOUT_MS,
      },
    ],
  ];
}

function hostAnswered(
  state: ClipboardState,
  input: Extract<ClipboardInput, { kind: "host-answered" }>,
  policy: ClipboardPolicy,
): Step {
  const { selection, type, bodyId, bytes } = input;
  // Answers carry no number: the oldest open question for this content is the one that was meant.
  const request = state.guestRequests.find(
    (open) =>
      open.phase === "asked" && open.selection === selection && (open.type === type || type === ClipboardType.NONE),
  );
  if (request === undefined) {
    const { owner, types, answers } = state.selections[selection];
    const isLate = owner === "host" && types.includes(type) && answers === "never";
    return [isLate ? changed(state, selection, { answers: "late" }) : state, [{ kind: "refuse-body", bodyId }]];
  }
  const isTooLarge = bytes > policy.maxToGuestBytes;
  if (type === ClipboardType.NONE || isTooLarge) {
    const [next, effects] = refuseGuestRequests(state, request);
    const counted = isTooLarge ? [refusal("host-to-guest", "size")] : [];
    return [next, [{ kind: "refuse-body", bodyId }, ...effects, ...counted]];
  }
  const receiving: GuestRequest = { ...request, phase: { bodyId } };
  const guestRequests = state.guestRequests.map((open) => (open === request ? receiving : open));
  // The question is answered, so the next may be asked: an application that takes its time must not hold up another.
  const answers = state.selections[selection].answers === "late" ? "late" : "in-time";
  const [next, effects] = askNext({ ...changed(state, selection, { answers }), guestRequests }, request);
  return [next, [{ kind: "open-body", bodyId, requestId: request.requestId, type, bytes }, ...effects]];
}

function hostSilent(state: ClipboardState, requestId: number): Step {
  const request = state.guestRequests.find((open) => open.requestId === requestId && open.phase === "asked");
  if (request === undefined) return [state, []];
  const [next, effects] = refuseGuestRequests(state, request);
  return [
    changed(next, request.selection, { answers: "never" }),
    [{ kind: "note", text: "the viewer did not answer a request for its clipboard" }, ...effects],
  ];
}

function guestGrabbed(
  before: ClipboardState,
  selection: ClipboardSelection,
  offered: readonly number[],
  policy: ClipboardPolicy,
): Step {
  const reason = refusalOf(policy, selection, policy.toHost);
  const types = offered.filter((type) => policy.types.includes(type));
  before = changed(before, selection, { kept: undefined });
  // Nothing of it may pass: for the viewer that is the same as nothing there.
  if (reason !== undefined || types.length === 0) {
    const [state, effects] = guestReleased(before, selection, policy);
    return [state, [...effects, ...(offered.length > 0 ? [refusal("guest-to-host", reason ?? "type")] : [])]];
  }
  if (before.guest !== "open") return [changed(before, selection, { held: types }), []];
  const [cleared, effects] = refuseHostRequests(before, selection);
  const taken = owned(cleared, selection, "guest", types, { held: undefined });
  const [state, unoffered] = refuseUnoffered(taken, selection);
  const [next, grab] = grabFor(state, selection, types, policy);
  return [next, [...effects, ...unoffered, ...grab]];
}

/** A grab would only throw the viewer's own content back at it, and undo its release: a password that is cleared stays so. */
function guestKept(
  state: ClipboardState,
  selection: ClipboardSelection,
  offered: readonly number[],
  policy: ClipboardPolicy,
): Step {
  if (state.selections[selection].owner === "guest") return guestGrabbed(state, selection, offered, policy);
  const types = offered.filter((type) => policy.types.includes(type));
  const mayPass = types.length > 0 && refusalOf(policy, selection, policy.toHost) === undefined;
  return [changed(state, selection, { held: undefined, kept: mayPass ? types : undefined }), []];
}

function guestReleased(before: ClipboardState, selection: ClipboardSelection, policy: ClipboardPolicy): Step {
  before = changed(before, selection, { held: undefined, kept: undefined });
  if (before.selections[selection].owner !== "guest") return [before, []];
  const [cleared, effects] = refuseHostRequests(before, selection);
  const state = owned(cleared, selection, "nobody", []);
  return [state, isTold(state, selection, policy) ? [...effects, { kind: "send-release", selection }] : effects];
}

function guestRequested(
  state: ClipboardState,
  input: Extract<ClipboardInput, { kind: "guest-requested" }>,
  policy: ClipboardPolicy,
): Step {
  const { requestId, selection, type } = input;
  const { owner, types } = state.selections[selection];
  const known = state.guestRequests.some((open) => open.requestId === requestId);
  const reason = refusalOf(policy, selection, policy.toGuest) ?? (state.guest === "shut" ? "locked" : undefined);
  if (reason !== undefined) return [state, [{ kind: "refuse-guest", requestId }, refusal("host-to-guest", reason)]];
  const isOffered = state.guest === "open" && owner === "host" && types.includes(type);
  if (!isOffered || known || state.guestRequests.length >= MAX_GUEST_REQUESTS) {
    return [state, [{ kind: "refuse-guest", requestId }]];
  }
  const busy = state.guestRequests.some((open) => typeof open.phase === "string" && sameContent(open, input));
  const request: GuestRequest = { requestId, selection, type, phase: busy ? "waiting" : "asked" };
  return [{ ...state, guestRequests: [...state.guestRequests, request] }, busy ? [] : askHost(state, request)];
}

function guestCancelled(state: ClipboardState, requestId: number): Step {
  const request = state.guestRequests.find((open) => open.requestId === requestId);
  if (request === undefined) return [state, []];
  const [next, effects] = dropGuestRequest(state, request);
  const abort: ClipboardEffect[] =
    typeof request.phase === "object" ? [{ kind: "abort-body", bodyId: request.phase.bodyId }] : [];
  return [next, [...abort, ...effects]];
}

function guestAnswered(state: ClipboardState, askId: number, bodyId: number, policy: ClipboardPolicy): Step {
  const request = state.hostRequests.find((open) => open.askId === askId && open.phase === "asked");
  if (request === undefined) return [state, [{ kind: "refuse-body", bodyId }]];
  const collecting: HostRequest = { ...request, phase: { bodyId } };
  return [
    { ...state, hostRequests: state.hostRequests.map((open) => (open === request ? collecting : open)) },
    // The viewer's limit is where its own assertion fails, so it is not quite reached.
    [{ kind: "collect-body", bodyId, maxBytes: Math.min(policy.maxToHostBytes, state.viewerMaxBytes - 1) }],
  ];
}

function guestRefused(state: ClipboardState, askId: number, silent: boolean): Step {
  const request = state.hostRequests.find((open) => open.askId === askId && open.phase === "asked");
  if (request === undefined) return [state, []];
  const { selection } = request;
  const effects: ClipboardEffect[] = silent
    ? [{ kind: "note", text: "the session did not answer the viewer's request" }, ...refuseHost(request)]
    : [{ kind: "send-empty", selection, type: ClipboardType.NONE }];
  return [withoutHostRequest(state, request), effects];
}

function bodyFinished(state: ClipboardState, bodyId: number, bytes: number): Step {
  const toHost = state.hostRequests.find((open) => isBody(open.phase, bodyId));
  if (toHost !== undefined) {
    const { selection, type } = toHost;
    const count: ClipboardEffect = { kind: "count-transfer", direction: "guest-to-host", type, bytes };
    return [withoutHostRequest(state, toHost), [{ kind: "send-body", selection, type, bodyId }, count]];
  }
  const toGuest = state.guestRequests.find((open) => isBody(open.phase, bodyId));
  if (toGuest === undefined) return [state, []];
  const [next, effects] = dropGuestRequest(state, toGuest);
  return [next, [{ kind: "count-transfer", direction: "host-to-guest", type: toGuest.type, bytes }, ...effects]];
}

function bodyFailed(state: ClipboardState, bodyId: number, tooLarge: boolean): Step {
  const toHost = state.hostRequests.find((open) => isBody(open.phase, bodyId));
  if (toHost !== undefined) {
    const { selection, type } = toHost;
    const answer: ClipboardEffect = { kind: "send-empty", selection, type: tooLarge ? type : ClipboardType.NONE };
    return [withoutHostRequest(state, toHost), tooLarge ? [answer, refusal("guest-to-host", "size")] : [answer]];
  }
  const toGuest = state.guestRequests.find((open) => isBody(open.phase, bodyId));
  return toGuest === undefined ? [state, []] : dropGuestRequest(state, toGuest);
}

/** Takes the selection for the guest in the viewer's eyes too, if there is one to see it and it may. */
function grabFor(
  state: ClipboardState,
  selection: ClipboardSelection,
  types: readonly number[],
  policy: ClipboardPolicy,
): Step {
  if (state.guest !== "open") return [changed(state, selection, { held: types }), []];
  if (!isTold(state, selection, policy)) return [state, []];
  const { serial } = state.selections[selection];
  return [changed(state, selection, { serial: (serial + 1) >>> 0 }), [{ kind: "send-grab", selection, serial, types }]];
}

/** The viewer understands a message about this selection. */
function canTell(state: ClipboardState, selection: ClipboardSelection): boolean {
  const { viewer } = state;
  return viewer?.clipboard === true && (viewer.selection || selection === ClipboardSelection.CLIPBOARD);
}

/** The viewer understands it, and may know of what the guest has on this selection. */
function isTold(state: ClipboardState, selection: ClipboardSelection, policy: ClipboardPolicy): boolean {
  return canTell(state, selection) && refusalOf(policy, selection, policy.toHost) === undefined;
}

function refusal(direction: Refusal["direction"], reason: RefusalReason): ClipboardEffect {
  return { kind: "count-refusal", direction, reason };
}

function owned(
  state: ClipboardState,
  selection: ClipboardSelection,
  owner: SelectionState["owner"],
  types: readonly number[],
  change: Partial<SelectionState> = {},
): ClipboardState {
  return changed(state, selection, { owner, types, answers: "in-time", ...change });
}

function changed(
  state: ClipboardState,
  selection: ClipboardSelection,
  change: Partial<SelectionState>,
): ClipboardState {
  return { ...state, selections: { ...state.selections, [selection]: { ...state.selections[selection], ...change } } };
}

function sameContent(a: GuestRequest, b: { readonly selection: ClipboardSelection; readonly type: number }): boolean {
  return a.selection === b.selection && a.type === b.type;
}

function isBody(phase: GuestRequest["phase"] | HostRequest["phase"], bodyId: number): boolean {
  return typeof phase === "object" && phase.bodyId === bodyId;
}

function askHost(state: ClipboardState, { requestId, selection, type }: GuestRequest): ClipboardEffect[] {
  const timeoutMs = hostTimeoutsMs[state.selections[selection].answers];
  return [
    { kind: "send-request", selection, type },
    { kind: "await-host", requestId, timeoutMs },
  ];
}

/** Takes one request out, and asks for the next that waited for the same content. */
function dropGuestRequest(state: ClipboardState, gone: GuestRequest): Step {
  const rest = { ...state, guestRequests: state.guestRequests.filter((open) => open !== gone) };
  return gone.phase === "asked" ? askNext(rest, gone) : [rest, []];
}

/** Asks for the first of those that waited for the same content. */
function askNext(state: ClipboardState, content: GuestRequest): Step {
  const next = state.guestRequests.find((open) => open.phase === "waiting" && sameContent(open, content));
  if (next === undefined) return [state, []];
  const asked: GuestRequest = { ...next, phase: "asked" };
  const guestRequests = state.guestRequests.map((open) => (open === next ? asked : open));
  return [{ ...state, guestRequests }, askHost(state, asked)];
}

/** Refuses one request and all that waited for the same: asking again would only make them wait again. */
function refuseGuestRequests(state: ClipboardState, request: GuestRequest): Step {
  const refused = state.guestRequests.filter(
    (open) => open === request || (open.phase === "waiting" && sameContent(open, request)),
  );
  return [
    { ...state, guestRequests: state.guestRequests.filter((open) => !refused.includes(open)) },
    refused.map(({ requestId }) => ({ kind: "refuse-guest", requestId })),
  ];
}

/** The viewer does not offer it any more: nobody waits in vain. Data that is on its way still arrives. */
function refuseUnoffered(state: ClipboardState, selection: ClipboardSelection): Step {
  const { owner, types } = state.selections[selection];
  const refused = state.guestRequests.filter(
    (open) =>
      open.selection === selection &&
      typeof open.phase !== "object" &&
      (owner !== "host" || !types.includes(open.type)),
  );
  return [
    { ...state, guestRequests: state.guestRequests.filter((open) => !refused.includes(open)) },
    refused.map(({ requestId }) => ({ kind: "refuse-guest", requestId })),
  ];
}

function giveUpGuestRequest(request: GuestRequest): ClipboardEffect[] {
  return typeof request.phase === "object"
    ? [{ kind: "abort-body", bodyId: request.phase.bodyId }]
    : [{ kind: "refuse-guest", requestId: request.requestId }];
}

/** The guest need not go on with it. */
function giveUpHostRequest(request: HostRequest): ClipboardEffect[] {
  return typeof request.phase === "object"
    ? [{ kind: "abort-body", bodyId: request.phase.bodyId }]
    : [{ kind: "cancel-ask", askId: request.askId }];
}

/** What is asked must be answered, also when the answer is no. */
function refuseHost(request: HostRequest): ClipboardEffect[] {
  return [
    ...giveUpHostRequest(request),
    { kind: "send-empty", selection: request.selection, type: ClipboardType.NONE },
  ];
}

/** The owner changed: what was asked of the old one is answered NONE. */
function refuseHostRequests(state: ClipboardState, selection: ClipboardSelection): Step {
  const gone = state.hostRequests.filter((request) => request.selection === selection);
  if (gone.length === 0) return [state, []];
  return [
    { ...state, hostRequests: state.hostRequests.filter((request) => request.selection !== selection) },
    gone.flatMap(refuseHost),
  ];
}

function withoutHostRequest(state: ClipboardState, gone: HostRequest): ClipboardState {
  return { ...state, hostRequests: state.hostRequests.filter((request) => request !== gone) };
}
