// The clipboard's rules one by one: who owns, who is asked, who is answered, and what is refused.
import { describe, expect, test } from "vitest";
import {
  ANSWER_TIMEOUT_MS,
  type ClipboardEffect,
  type ClipboardInput,
  type ClipboardState,
  type ClipboardViewer,
  clipboardStep,
  emptyClipboard,
  GUEST_ANSWER_TIMEOUT_MS,
  SILENT_HOST_TIMEOUT_MS,
  SLOW_HOST_TIMEOUT_MS,
} from "../../../src/features/clipboard.ts";
import { ClipboardSelection, ClipboardType } from "../../../src/wire/agent-constants.ts";
import { openPolicy } from "../../fakes/clipboard-policy.ts";

const { CLIPBOARD, PRIMARY, SECONDARY } = ClipboardSelection;
const { NONE, UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, FILE_LIST } = ClipboardType;

const policy = openPolicy({ types: [TEXT, PNG], maxToGuestBytes: 1000, maxToHostBytes: 1000 });
const spiceGtk: ClipboardViewer = { clipboard: true, selection: true, serial: true };
/** Announced nothing but the clipboard itself. */
const bare: ClipboardViewer = { clipboard: true, selection: false, serial: false };
const deaf: ClipboardViewer = { clipboard: false, selection: true, serial: true };

const arrived = (viewer: ClipboardViewer = spiceGtk): ClipboardInput => ({ kind: "viewer-arrived", viewer });
const changed = (viewer: ClipboardViewer): ClipboardInput => ({ kind: "viewer-changed", viewer });
const left: ClipboardInput = { kind: "viewer-left" };
const sessionLeft: ClipboardInput = { kind: "session-left" };
const sessionShut: ClipboardInput = { kind: "session-shut" };
const sessionOpened: ClipboardInput = { kind: "session-opened" };
/** With what its applications have copied: type lists by selection. */
const sessionArrived = (
  guest: "shut" | "open",
  copied: readonly (readonly [ClipboardSelection, readonly number[]])[] = [],
): ClipboardInput => ({ kind: "session-arrived", guest, copied: new Map(copied) });
const limited = (maxBytes: number): ClipboardInput => ({ kind: "viewer-limited", maxBytes });
const hostGrabbed = (
  serial: number,
  selection = CLIPBOARD as ClipboardSelection,
  types: number[] = [TEXT],
): ClipboardInput => ({
  kind: "host-grabbed",
  selection,
  serial,
  types,
});
const hostReleased = (selection: ClipboardSelection = CLIPBOARD): ClipboardInput => ({
  kind: "host-released",
  selection,
});
const hostRequested = (type: number = TEXT, selection: ClipboardSelection = CLIPBOARD): ClipboardInput => ({
  kind: "host-requested",
  selection,
  type,
});
const hostAnswered = (
  bodyId: number,
  type: number = TEXT,
  bytes = 5,
  selection: ClipboardSelection = CLIPBOARD,
): ClipboardInput => ({
  kind: "host-answered",
  selection,
  type,
  bodyId,
  bytes,
});
const hostSilent = (requestId: number): ClipboardInput => ({ kind: "host-silent", requestId });
const guestGrabbed = (selection: ClipboardSelection = CLIPBOARD, types: number[] = [TEXT]): ClipboardInput => ({
  kind: "guest-grabbed",
  selection,
  types,
});
const guestReleased = (selection: ClipboardSelection = CLIPBOARD): ClipboardInput => ({
  kind: "guest-released",
  selection,
});
const guestKept = (selection: ClipboardSelection = CLIPBOARD, types: number[] = [TEXT]): ClipboardInput => ({
  kind: "guest-kept",
  selection,
  types,
});
const guestRequested = (
  requestId: number,
  type: number = TEXT,
  selection: ClipboardSelection = CLIPBOARD,
): ClipboardInput => ({
  kind: "guest-requested",
  requestId,
  selection,
  type,
});
const guestCancelled = (requestId: number): ClipboardInput => ({ kind: "guest-cancelled", requestId });
const guestAnswered = (askId: number, bodyId: number): ClipboardInput => ({ kind: "guest-answered", askId, bodyId });
const guestRefused = (askId: number): ClipboardInput => ({ kind: "guest-refused", askId });
const guestSilent = (askId: number): ClipboardInput => ({ kind: "guest-silent", askId });
const finished = (bodyId: number, bytes = 5): ClipboardInput => ({ kind: "body-finished", bodyId, bytes });
const failed = (bodyId: number, tooLarge = false): ClipboardInput => ({ kind: "body-failed", bodyId, tooLarge });

const sendGrab = (
  serial: number,
  selection: ClipboardSelection = CLIPBOARD,
  types: number[] = [TEXT],
): ClipboardEffect => ({
  kind: "send-grab",
  selection,
  serial,
  types,
});
const sendRelease = (selection: ClipboardSelection = CLIPBOARD): ClipboardEffect => ({
  kind: "send-release",
  selection,
});
const sendEmpty = (type: number = NONE, selection: ClipboardSelection = CLIPBOARD): ClipboardEffect => ({
  kind: "send-empty",
  selection,
  type,
});
const sendBody = (bodyId: number, type: number = TEXT): ClipboardEffect => ({
  kind: "send-body",
  selection: CLIPBOARD,
  type,
  bodyId,
});
const offer = (types: number[] = [TEXT], selection: ClipboardSelection = CLIPBOARD): ClipboardEffect => ({
  kind: "offer-in-guest",
  selection,
  types,
});
const withdraw = (selection: ClipboardSelection = CLIPBOARD): ClipboardEffect => ({
  kind: "withdraw-in-guest",
  selection,
});
const ask = (requestId: number, type: number = TEXT): ClipboardEffect[] => [
  { kind: "send-request", selection: CLIPBOARD, type },
  { kind: "await-host", requestId, timeoutMs: ANSWER_TIMEOUT_MS },
];
const askGuest = (askId: number, type: number = TEXT): ClipboardEffect[] => [
  { kind: "ask-guest", askId, selection: CLIPBOARD, type },
  { kind: "await-guest", askId, timeoutMs: GUEST_ANSWER_TIMEOUT_MS },
];
const refuse = (requestId: number): ClipboardEffect => ({ kind: "refuse-guest", requestId });
const refuseBody = (bodyId: number): ClipboardEffect => ({ kind: "refuse-body", bodyId });
const abortBody = (bodyId: number): ClipboardEffect => ({ kind: "abort-body", bodyId });
const cancelAsk = (askId: number): ClipboardEffect => ({ kind: "cancel-ask", askId });
const open = (bodyId: number, requestId: number, type: number = TEXT): ClipboardEffect => ({
  kind: "open-body",
  bodyId,
  requestId,
  type,
  bytes: 5,
});
const collect = (bodyId: number, maxBytes = policy.maxToHostBytes): ClipboardEffect => ({
  kind: "collect-body",
  bodyId,
  maxBytes,
});

/** A session is there, and its user may be seen. */
const openClipboard: ClipboardState = { ...emptyClipboard, guest: "open" };

/** The state after all of these, from the beginning. */
function stateAfter(...inputs: readonly ClipboardInput[]): ClipboardState {
  return inputs.reduce((state, input) => clipboardStep(state, input, policy)[0], openClipboard);
}

/** What the last of these inputs leads to; what is only said to the log is left out. */
function effectsOf(before: readonly ClipboardInput[], input: ClipboardInput): readonly ClipboardEffect[] {
  return clipboardStep(stateAfter(...before), input, policy)[1].filter(({ kind }) => !isTold(kind));
}

function notesOf(before: readonly ClipboardInput[], input: ClipboardInput): readonly string[] {
  return clipboardStep(stateAfter(...before), input, policy)[1].flatMap((effect) =>
    effect.kind === "note" ? [effect.text] : [],
  );
}

function isTold(kind: ClipboardEffect["kind"]): boolean {
  return kind === "note" || kind === "count-refusal" || kind === "count-transfer";
}

type Row = readonly [string, readonly ClipboardInput[], ClipboardInput, readonly ClipboardEffect[]];

describe("row 53: serials", () => {
  /** A state in which our counter on CLIPBOARD is this, and nobody owns it. */
  const counted = (serial: number, viewer = spiceGtk): ClipboardState => {
    const state = stateAfter(arrived(viewer));
    return { ...state, selections: { ...state.selections, [CLIPBOARD]: { ...state.selections[CLIPBOARD], serial } } };
  };

  test.each([
    { own: 0, theirs: 0, taken: true, next: 1, name: "the same: taken, counted" },
    { own: 5, theirs: 5, taken: true, next: 6, name: "the same later: taken, counted" },
    { own: 5, theirs: 4, taken: true, next: 5, name: "one behind, both at once: taken, not counted" },
    { own: 5, theirs: 3, taken: false, next: 5, name: "two behind: discarded" },
    { own: 5, theirs: 6, taken: false, next: 5, name: "one ahead: discarded" },
    { own: 0, theirs: 1, taken: false, next: 0, name: "ahead at the beginning: discarded" },
    { own: 0xffffffff, theirs: 0xffffffff, taken: true, next: 0, name: "the last number: taken, counted from 0 again" },
    { own: 0, theirs: 0xffffffff, taken: true, next: 0, name: "one behind across the end: taken, not counted" },
    { own: 0xffffffff, theirs: 0, taken: false, next: 0xffffffff, name: "one ahead across the end: discarded" },
    { own: 0xffffffff, theirs: 0xfffffffe, taken: true, next: 0xffffffff, name: "one behind before the end: taken" },
  ])("$name (ours $own, the viewer's $theirs)", ({ own, theirs, taken, next }) => {
    const [state, effects] = clipboardStep(counted(own), hostGrabbed(theirs), policy);
    expect(state.selections[CLIPBOARD].serial).toBe(next);
    expect(state.selections[CLIPBOARD].owner).toBe(taken ? "host" : "nobody");
    if (taken) expect(effects).toEqual([offer()]);
    else expect(effects).toEqual([{ kind: "note", text: `grab ${theirs} of the viewer discarded: ours is ${own}` }]);
  });

  test.each([0, 4, 6, 0xffffffff])("a viewer that counts nothing is believed whatever its number is (%i)", (theirs) => {
    const [state, effects] = clipboardStep(counted(5, bare), hostGrabbed(theirs), policy);
    expect(effects).toEqual([offer()]);
    expect(state.selections[CLIPBOARD]).toMatchObject({ owner: "host", types: [TEXT], serial: 5 });
  });

  test.each([
    { own: 0, next: 1 },
    { own: 7, next: 8 },
    { own: 0xffffffff, next: 0 },
  ])("a grab of ours carries $own and makes it $next", ({ own, next }) => {
    const [state, effects] = clipboardStep(counted(own), guestGrabbed(), policy);
    expect(effects).toEqual([sendGrab(own)]);
    expect(state.selections[CLIPBOARD].serial).toBe(next);
  });

  test("each selection has a counter of its own, and a discarded grab leaves the others alone", () => {
    const state = stateAfter(
      arrived(),
      guestGrabbed(CLIPBOARD),
      guestGrabbed(CLIPBOARD),
      guestGrabbed(PRIMARY),
      hostGrabbed(9, PRIMARY),
    );
    expect([state.selections[CLIPBOARD].serial, state.selections[PRIMARY].serial]).toEqual([2, 1]);
  });

  test("a grab of a selection that is not shared counts all the same, so that both sides go on agreeing", () => {
    const state = stateAfter(arrived(), hostGrabbed(0, SECONDARY));
    expect(state.selections[SECONDARY]).toMatchObject({ owner: "nobody", types: [], serial: 1 });
  });

  test("a new viewer begins at 0, also with a grab of what was copied before", () => {
    const before = [arrived(), guestGrabbed(), guestGrabbed(), guestGrabbed(PRIMARY)];
    expect(effectsOf(before, arrived())).toEqual([sendGrab(0, CLIPBOARD), sendGrab(0, PRIMARY)]);
    expect(stateAfter(...before, arrived()).selections[CLIPBOARD].serial).toBe(1);
    expect(stateAfter(arrived(), hostGrabbed(0), hostGrabbed(1), arrived()).selections[CLIPBOARD].serial).toBe(0);
  });

  test("both grab at once: the viewer has it, the guest does not grab again, and both have counted the same", () => {
    const before = [arrived(), guestGrabbed()];
    expect(effectsOf(before, hostGrabbed(0))).toEqual([offer()]);
    const state = stateAfter(...before, hostGrabbed(0));
    // The viewer sent 0 and counts 1, as we do: its next grab is good, and so is ours.
    expect(state.selections[CLIPBOARD]).toMatchObject({ owner: "host", types: [TEXT], serial: 1 });
    expect(clipboardStep(state, hostGrabbed(1), policy)[1]).toEqual([offer()]);
  });

  test("qemu-vdagent, which counts its own grabs only, is followed through its one-behind numbers", () => {
    const state = stateAfter(arrived(), guestGrabbed(), hostGrabbed(0), guestGrabbed());
    expect(clipboardStep(state, hostGrabbed(1), policy)[1]).toEqual([offer()]);
  });
});

describe("guest to viewer", () => {
  test.each<Row>([
    ["row 42: a copy is a grab with its types", [arrived()], guestGrabbed(), [sendGrab(0)]],
    [
      "row 44: the application's order of types is kept",
      [arrived()],
      guestGrabbed(CLIPBOARD, [PNG, TEXT]),
      [sendGrab(0, CLIPBOARD, [PNG, TEXT])],
    ],
    ["types that are not carried are left out", [arrived()], guestGrabbed(CLIPBOARD, [BMP, TEXT, 77]), [sendGrab(0)]],
    ["row 45: PRIMARY", [arrived()], guestGrabbed(PRIMARY), [sendGrab(0, PRIMARY)]],
    ["a selection the policy leaves out is not told", [arrived()], guestGrabbed(SECONDARY), []],
    ["a copy of nothing that is carried, after nothing: nothing", [arrived()], guestGrabbed(CLIPBOARD, [BMP]), []],
    [
      "a copy of nothing that is carried ends what was there",
      [arrived(), guestGrabbed()],
      guestGrabbed(CLIPBOARD, [BMP]),
      [sendRelease()],
    ],
    ["row 47: nothing is asked for before somebody wants it", [arrived()], hostGrabbed(0), [offer()]],
    ["row 51: the owner goes: release", [arrived(), guestGrabbed()], guestReleased(), [sendRelease()]],
    [
      "row 51: a second copy is a grab, with no release before it",
      [arrived(), guestGrabbed()],
      guestGrabbed(),
      [sendGrab(1)],
    ],
    ["row 51: what the guest does not own it cannot release", [arrived()], guestReleased(), []],
    ["row 51: what the viewer owns the guest cannot release", [arrived(), hostGrabbed(0)], guestReleased(), []],
    ["row 51: twice gone is once gone", [arrived(), guestGrabbed(), guestReleased()], guestReleased(), []],
    ["row 61: what was copied before the viewer came is told it", [guestGrabbed()], arrived(), [sendGrab(0)]],
    ["row 61: what was copied and is gone is not", [guestGrabbed(), guestReleased()], arrived(), []],
    ["row 43: a request is put to the guest", [arrived(), guestGrabbed()], hostRequested(), askGuest(1)],
    [
      "row 43: every request is put, under a number of its own",
      [arrived(), guestGrabbed(), hostRequested()],
      hostRequested(),
      askGuest(2),
    ],
    [
      "row 43: the guest's content is gathered",
      [arrived(), guestGrabbed(), hostRequested()],
      guestAnswered(1, 9),
      [collect(9)],
    ],
    [
      "row 43: and sent when it is whole",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      finished(9),
      [sendBody(9)],
    ],
    ["row 50: nobody owns it: NONE", [arrived()], hostRequested(), [sendEmpty()]],
    ["row 50: the viewer owns it itself: NONE", [arrived(), hostGrabbed(0)], hostRequested(), [sendEmpty()]],
    ["row 50: a type that is not there: NONE", [arrived(), guestGrabbed()], hostRequested(PNG), [sendEmpty()]],
    [
      "row 50: of another selection: NONE, of that one",
      [arrived(), guestGrabbed()],
      hostRequested(TEXT, PRIMARY),
      [sendEmpty(NONE, PRIMARY)],
    ],
    ["row 50: type NONE itself: NONE", [arrived(), guestGrabbed()], hostRequested(NONE), [sendEmpty()]],
    ["the guest cannot give it: NONE", [arrived(), guestGrabbed(), hostRequested()], guestRefused(1), [sendEmpty()]],
    [
      "the guest does not answer: NONE",
      [arrived(), guestGrabbed(), hostRequested()],
      guestSilent(1),
      [cancelAsk(1), sendEmpty()],
    ],
    [
      "the guest fails in the middle: NONE",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      failed(9),
      [sendEmpty()],
    ],
    [
      "row 55: too large: empty, of the type asked for",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      failed(9, true),
      [sendEmpty(TEXT)],
    ],
    [
      "a late answer of the guest is refused",
      [arrived(), guestGrabbed(), hostRequested(), guestSilent(1)],
      guestAnswered(1, 9),
      [refuseBody(9)],
    ],
    [
      "a second answer of the guest is refused",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      guestAnswered(1, 10),
      [refuseBody(10)],
    ],
    ["an answer to what was never asked is refused", [arrived(), guestGrabbed()], guestAnswered(1, 9), [refuseBody(9)]],
    [
      "time that is up after the answer began means nothing",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      guestSilent(1),
      [],
    ],
    [
      "a refusal after the answer began means nothing",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      guestRefused(1),
      [],
    ],
    ["a body nobody knows ends unnoticed", [arrived(), guestGrabbed()], finished(9), []],
    ["a body nobody knows fails unnoticed", [arrived(), guestGrabbed()], failed(9), []],
    [
      "row 58: a new copy answers what was asked of the old one with NONE",
      [arrived(), guestGrabbed(), hostRequested(), hostRequested(), guestAnswered(2, 9)],
      guestGrabbed(),
      [cancelAsk(1), sendEmpty(), abortBody(9), sendEmpty(), sendGrab(1)],
    ],
    [
      "row 58: the owner goes: NONE, then release",
      [arrived(), guestGrabbed(), hostRequested()],
      guestReleased(),
      [cancelAsk(1), sendEmpty(), sendRelease()],
    ],
    [
      "row 58: the viewer takes it: NONE to its own open question",
      [arrived(), guestGrabbed(), hostRequested()],
      hostGrabbed(1),
      [cancelAsk(1), sendEmpty(), offer()],
    ],
    [
      "row 58: a copy on the other selection leaves open questions alone",
      [arrived(), guestGrabbed(), guestGrabbed(PRIMARY), hostRequested()],
      guestGrabbed(PRIMARY),
      [sendGrab(1, PRIMARY)],
    ],
    [
      "row 58: a grab that is discarded leaves open questions alone",
      [arrived(), guestGrabbed(), hostRequested()],
      { ...hostGrabbed(9) },
      [],
    ],
    [
      "row 60: the session goes: NONE for all it was asked, release of all it had",
      [arrived(), guestGrabbed(), guestGrabbed(PRIMARY), hostRequested(), hostRequested(), guestAnswered(2, 9)],
      sessionLeft,
      [cancelAsk(1), sendEmpty(), abortBody(9), sendEmpty(), sendRelease(), sendRelease(PRIMARY)],
    ],
    ["row 60: a session without anything goes unnoticed", [arrived()], sessionLeft, []],
    [
      "row 60: what the viewer offered there is withdrawn, for nobody there could have it any more",
      [arrived(), hostGrabbed(0), hostGrabbed(0, PRIMARY)],
      sessionLeft,
      [withdraw(), withdraw(PRIMARY)],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });

  test("questions of the viewer are bounded: what is too many is answered NONE", () => {
    const many = Array.from({ length: 256 }, () => hostRequested());
    expect(effectsOf([arrived(), guestGrabbed(), ...many], hostRequested())).toEqual([sendEmpty()]);
    expect(effectsOf([arrived(), guestGrabbed(), ...many, guestRefused(7)], hostRequested())).toEqual(askGuest(257));
  });

  test("numbers of questions stay within 32 bits and are never 0", () => {
    const last = { ...stateAfter(arrived(), guestGrabbed()), nextAskId: 0xffffffff };
    const [state, effects] = clipboardStep(last, hostRequested(), policy);
    expect(effects).toEqual(askGuest(0xffffffff));
    expect(state.nextAskId).toBe(1);
  });
});

describe("row 55: the viewer's limit is not quite reached", () => {
  const asked = [guestGrabbed(), hostRequested()];
  test.each<[string, readonly ClipboardInput[], number]>([
    ["no limit told: the policy's", [arrived(), ...asked], 1000],
    ["-1 is no limit", [arrived(), limited(10), limited(-1), ...asked], 1000],
    ["smaller than the policy's: one byte less", [arrived(), limited(600), ...asked], 599],
    ["just above the policy's", [arrived(), limited(1001), ...asked], 1000],
    ["just at the policy's: one byte less", [arrived(), limited(1000), ...asked], 999],
    ["the latest counts", [arrived(), limited(600), limited(700), ...asked], 699],
    ["told while the question is open", [arrived(), ...asked, limited(50)], 49],
    [
      "it was the viewer's before: forgotten when that one leaves",
      [arrived(), limited(600), left, arrived(), ...asked],
      1000,
    ],
    ["it was the viewer's before: forgotten when another comes", [arrived(), limited(600), arrived(), ...asked], 1000],
    ["told before there was a viewer: forgotten", [limited(600), arrived(), ...asked], 1000],
  ])("%s", (_, before, maxBytes) => {
    expect(effectsOf(before, guestAnswered(1, 9))).toEqual([collect(9, maxBytes)]);
  });
});

describe("viewer to guest", () => {
  const owns = [arrived(), hostGrabbed(0, CLIPBOARD, [TEXT, PNG])];
  test.each<Row>([
    [
      "row 46: a grab is an offer with its types, in its order",
      [arrived()],
      hostGrabbed(0, CLIPBOARD, [PNG, TEXT]),
      [offer([PNG, TEXT])],
    ],
    [
      "row 46: types not carried and types twice are left out",
      [arrived()],
      hostGrabbed(0, CLIPBOARD, [FILE_LIST, TEXT, 99, TEXT, NONE]),
      [offer()],
    ],
    ["row 45: PRIMARY", [arrived()], hostGrabbed(0, PRIMARY), [offer([TEXT], PRIMARY)]],
    [
      "a grab of nothing that is carried takes away what was there",
      owns,
      hostGrabbed(1, CLIPBOARD, [FILE_LIST]),
      [withdraw()],
    ],
    ["a grab of no types at all too", owns, hostGrabbed(1, CLIPBOARD, []), [withdraw()]],
    ["a selection the policy leaves out is not offered", [arrived()], hostGrabbed(0, SECONDARY), []],
    ["row 52: release", owns, hostReleased(), [withdraw()]],
    ["row 52: of what the viewer does not own: nothing", [arrived(), guestGrabbed()], hostReleased(), []],
    ["row 52: of another selection: nothing", owns, hostReleased(PRIMARY), []],
    ["a paste asks the viewer", owns, guestRequested(1), ask(1)],
    ["a second paste of the same waits for the first", [...owns, guestRequested(1)], guestRequested(2), []],
    ["a paste of another type does not wait", [...owns, guestRequested(1)], guestRequested(2, PNG), ask(2, PNG)],
    ["the answer is passed on", [...owns, guestRequested(1)], hostAnswered(7), [open(7, 1)]],
    [
      "the answer goes to the question of its type",
      [...owns, guestRequested(1), guestRequested(2, PNG)],
      hostAnswered(7, PNG),
      [open(7, 2, PNG)],
    ],
    [
      "when the answer begins, the next that waits is asked for: it does not wait for one who takes his time",
      [...owns, guestRequested(1), guestRequested(2), guestRequested(3)],
      hostAnswered(7),
      [open(7, 1), ...ask(2)],
    ],
    [
      "a paste while another is under way asks at once",
      [...owns, guestRequested(1), hostAnswered(7)],
      guestRequested(2),
      ask(2),
    ],
    [
      "one that breaks off concerns nobody else",
      [...owns, guestRequested(1), guestRequested(2), hostAnswered(7)],
      failed(7),
      [],
    ],
    ["with nobody waiting that is all", [...owns, guestRequested(1), hostAnswered(7)], finished(7), []],
    [
      "row 48: NONE refuses at once, and whoever waits for the same",
      [...owns, guestRequested(1), guestRequested(2)],
      hostAnswered(7, NONE),
      [refuseBody(7), refuse(1), refuse(2)],
    ],
    [
      "row 48: NONE is for the oldest question",
      [...owns, guestRequested(1), guestRequested(2, PNG)],
      hostAnswered(7, NONE),
      [refuseBody(7), refuse(1)],
    ],
    [
      "row 48: an empty answer is an answer",
      [...owns, guestRequested(1)],
      { ...hostAnswered(7), bytes: 0 } as ClipboardInput,
      [{ ...open(7, 1), bytes: 0 } as ClipboardEffect],
    ],
    [
      "row 49: no answer: refused, and whoever waits for the same",
      [...owns, guestRequested(1), guestRequested(2), guestRequested(3, PNG)],
      hostSilent(1),
      [refuse(1), refuse(2)],
    ],
    ["row 49: late data is not taken", [...owns, guestRequested(1), hostSilent(1)], hostAnswered(7), [refuseBody(7)]],
    [
      "row 49: time that is up after the answer began means nothing",
      [...owns, guestRequested(1), hostAnswered(7)],
      hostSilent(1),
      [],
    ],
    [
      "row 49: time that is up after the end means nothing",
      [...owns, guestRequested(1), hostAnswered(7), finished(7)],
      hostSilent(1),
      [],
    ],
    ["data nobody asked for is not taken", owns, hostAnswered(7), [refuseBody(7)]],
    ["NONE nobody asked for is not taken", owns, hostAnswered(7, NONE), [refuseBody(7)]],
    ["data of another type is not taken", [...owns, guestRequested(1)], hostAnswered(7, PNG), [refuseBody(7)]],
    [
      "data of another selection is not taken",
      [...owns, guestRequested(1)],
      hostAnswered(7, TEXT, 5, PRIMARY),
      [refuseBody(7)],
    ],
    ["a second answer is not taken", [...owns, guestRequested(1), hostAnswered(7)], hostAnswered(8), [refuseBody(8)]],
    [
      "as much as the policy allows is taken",
      [...owns, guestRequested(1)],
      hostAnswered(7, TEXT, 1000),
      [{ ...open(7, 1), bytes: 1000 } as ClipboardEffect],
    ],
    [
      "more than that is not, and whoever waits for the same is refused",
      [...owns, guestRequested(1), guestRequested(2)],
      hostAnswered(7, TEXT, 1001),
      [refuseBody(7), refuse(1), refuse(2)],
    ],
    ["a paste of what the guest owns is refused", [arrived(), guestGrabbed()], guestRequested(1), [refuse(1)]],
    ["a paste of what nobody owns is refused", [arrived()], guestRequested(1), [refuse(1)]],
    [
      "a paste of a type that is not offered is refused",
      [arrived(), hostGrabbed(0)],
      guestRequested(1, PNG),
      [refuse(1)],
    ],
    ["a paste without a viewer is refused", [], guestRequested(1), [refuse(1)]],
    ["an application that no longer waits is forgotten", [...owns, guestRequested(1)], guestCancelled(1), []],
    ["and its answer is not taken", [...owns, guestRequested(1), guestCancelled(1)], hostAnswered(7), [refuseBody(7)]],
    [
      "the next that waits is asked for in its place",
      [...owns, guestRequested(1), guestRequested(2)],
      guestCancelled(1),
      ask(2),
    ],
    [
      "one that only waited takes nobody's place",
      [...owns, guestRequested(1), guestRequested(2), guestRequested(3)],
      guestCancelled(2),
      [],
    ],
    [
      "in the middle of its data it is stopped, and the next left alone",
      [...owns, guestRequested(1), guestRequested(2), hostAnswered(7)],
      guestCancelled(1),
      [abortBody(7)],
    ],
    ["one that is not known is not missed", owns, guestCancelled(1), []],
    [
      "row 59: the viewer goes: withdrawn, open pastes refused, data stopped",
      [...owns, hostGrabbed(0, PRIMARY), guestRequested(1), guestRequested(2), guestRequested(3, PNG), hostAnswered(7)],
      left,
      [abortBody(7), refuse(2), refuse(3), withdraw(), withdraw(PRIMARY)],
    ],
    ["row 59: a paste afterwards is refused", [...owns, left], guestRequested(1), [refuse(1)]],
    [
      "row 59: data that still comes is not taken",
      [...owns, guestRequested(1), left],
      hostAnswered(7),
      [refuseBody(7)],
    ],
    [
      "row 59: a new viewer without a word of the old one: the same, and nothing is asked again",
      [...owns, guestRequested(1)],
      arrived(),
      [refuse(1), withdraw()],
    ],
    [
      "the viewer lets go: who waits is refused at once, data on its way still comes",
      [...owns, guestRequested(1), guestRequested(2), guestRequested(3, PNG), hostAnswered(7)],
      hostReleased(),
      [withdraw(), refuse(2), refuse(3)],
    ],
    [
      "the guest takes it: who waits is refused at once",
      [...owns, guestRequested(1), guestRequested(2)],
      guestGrabbed(),
      [refuse(1), refuse(2), sendGrab(1)],
    ],
    [
      "the viewer copies anew: who waits for a type that is still there goes on waiting",
      [...owns, guestRequested(1), guestRequested(2, PNG)],
      hostGrabbed(1),
      [offer(), refuse(2)],
    ],
    [
      "nothing is asked of a viewer that has let go",
      [...owns, guestRequested(1), guestRequested(2), hostAnswered(7), hostReleased()],
      finished(7),
      [],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });

  test.each<[string, readonly ClipboardInput[], number]>([
    ["a viewer is waited for", [], ANSWER_TIMEOUT_MS],
    ["one that was silent is waited for less", [guestRequested(1), hostSilent(1)], SILENT_HOST_TIMEOUT_MS],
    [
      "one that has answered since is not silent",
      [guestRequested(1), hostSilent(1), guestRequested(2), hostAnswered(7), finished(7)],
      ANSWER_TIMEOUT_MS,
    ],
    [
      "one that has answered too late since needs time, and has it",
      [guestRequested(1), hostSilent(1), hostAnswered(7)],
      SLOW_HOST_TIMEOUT_MS,
    ],
    [
      "one that was slow and has answered since is still slow",
      [guestRequested(1), hostSilent(1), hostAnswered(7), guestRequested(2), hostAnswered(8), finished(8)],
      SLOW_HOST_TIMEOUT_MS,
    ],
    [
      "one that was slow and has not answered since is silent",
      [guestRequested(1), hostSilent(1), hostAnswered(7), guestRequested(2), hostSilent(2)],
      SILENT_HOST_TIMEOUT_MS,
    ],
    [
      "one that was slow and has grabbed since is no slower than others",
      [guestRequested(1), hostSilent(1), hostAnswered(7), hostGrabbed(1)],
      ANSWER_TIMEOUT_MS,
    ],
    ["an answer that nobody has asked for says nothing", [hostAnswered(7)], ANSWER_TIMEOUT_MS],
    ["one that has grabbed since is not silent", [guestRequested(1), hostSilent(1), hostGrabbed(1)], ANSWER_TIMEOUT_MS],
    [
      "silence about the one selection is none about the other",
      [hostGrabbed(0, PRIMARY), guestRequested(1, TEXT, PRIMARY), hostSilent(1)],
      ANSWER_TIMEOUT_MS,
    ],
    ["a new viewer is not silent", [guestRequested(1), hostSilent(1), arrived(), hostGrabbed(0)], ANSWER_TIMEOUT_MS],
  ])("row 49: %s", (_, before, timeoutMs) => {
    expect(effectsOf([...owns, ...before], guestRequested(9))).toEqual([
      { kind: "send-request", selection: CLIPBOARD, type: TEXT },
      { kind: "await-host", requestId: 9, timeoutMs },
    ]);
  });

  test("a number of the guest that is still open is refused, whatever it asks for", () => {
    expect(effectsOf([...owns, guestRequested(1)], guestRequested(1, PNG))).toEqual([refuse(1)]);
  });

  test("questions of the guest are bounded: what is too many is refused", () => {
    const many = Array.from({ length: 1024 }, (_, index) => guestRequested(index + 1));
    expect(effectsOf([...owns, ...many], guestRequested(2000))).toEqual([refuse(2000)]);
  });

  test("waiting questions are asked one after the other, in their order", () => {
    let state = stateAfter(...owns, guestRequested(1), guestRequested(2), guestRequested(3));
    const asked: number[] = [];
    for (let bodyId = 10; bodyId < 13; bodyId += 1) {
      const [opened, [effect]] = clipboardStep(state, hostAnswered(bodyId), policy);
      if (effect?.kind === "open-body") asked.push(effect.requestId);
      [state] = clipboardStep(opened, finished(bodyId), policy);
    }
    expect(asked).toEqual([1, 2, 3]);
    expect(state.guestRequests).toEqual([]);
  });
});

describe("row 54: a viewer without selections and serials", () => {
  test.each<Row>([
    ["CLIPBOARD is told it", [arrived(bare)], guestGrabbed(), [sendGrab(0)]],
    ["PRIMARY is not", [arrived(bare)], guestGrabbed(PRIMARY), []],
    ["the end of PRIMARY is not", [arrived(bare), guestGrabbed(PRIMARY)], guestReleased(PRIMARY), []],
    [
      "PRIMARY is not when the session goes",
      [arrived(bare), guestGrabbed(), guestGrabbed(PRIMARY)],
      sessionLeft,
      [sendRelease()],
    ],
    [
      "what was copied before is told it, except PRIMARY",
      [guestGrabbed(), guestGrabbed(PRIMARY)],
      arrived(bare),
      [sendGrab(0)],
    ],
    ["what it asks is answered", [arrived(bare), guestGrabbed()], hostRequested(), askGuest(1)],
    [
      "PRIMARY is told the next viewer that knows it",
      [arrived(bare), guestGrabbed(PRIMARY)],
      arrived(),
      [sendGrab(0, PRIMARY)],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });
});

describe("nobody there, or nobody who understands", () => {
  test.each<Row>([
    ["no viewer: a copy is kept", [], guestGrabbed(), []],
    ["no viewer: its end too", [guestGrabbed()], guestReleased(), []],
    ["no viewer: a session that goes", [guestGrabbed()], sessionLeft, []],
    ["no viewer: a grab out of nowhere", [], hostGrabbed(0), []],
    ["no viewer: a release out of nowhere", [], hostReleased(), []],
    ["no viewer: a request out of nowhere", [guestGrabbed()], hostRequested(), []],
    ["no viewer: an answer out of nowhere", [], hostAnswered(7), [refuseBody(7)]],
    ["a viewer that leaves twice", [arrived(), left], left, []],
    ["a viewer without clipboard: a copy is kept", [arrived(deaf)], guestGrabbed(), []],
    ["a viewer without clipboard: its end too", [arrived(deaf), guestGrabbed()], guestReleased(), []],
    ["a viewer without clipboard: what was copied before is not told", [guestGrabbed()], arrived(deaf), []],
    ["a viewer without clipboard cannot own", [arrived(deaf)], hostGrabbed(0), []],
    ["a viewer without clipboard is not answered", [arrived(deaf), guestGrabbed()], hostRequested(), []],
    [
      "the viewer leaves while the guest is asked: not asked any more, nothing sent",
      [arrived(), guestGrabbed(), hostRequested(), hostRequested(), guestAnswered(2, 9)],
      left,
      [cancelAsk(1), abortBody(9)],
    ],
    [
      "a session that goes: its own questions are refused, their data is stopped",
      [arrived(), hostGrabbed(0), guestRequested(1), guestRequested(2), hostAnswered(7)],
      sessionLeft,
      [abortBody(7), refuse(2), withdraw()],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });
});

describe("row 60: no session on the screen", () => {
  const away = [arrived(), sessionLeft];
  test.each<Row>([
    ["what the viewer copies is offered to nobody", away, hostGrabbed(0), []],
    ["and kept for the session that comes", [...away, hostGrabbed(0)], sessionArrived("open"), [offer()]],
    [
      "on every selection, with its types",
      [...away, hostGrabbed(0, CLIPBOARD, [PNG, TEXT]), hostGrabbed(0, PRIMARY)],
      sessionArrived("open"),
      [offer([PNG, TEXT]), offer([TEXT], PRIMARY)],
    ],
    [
      "the last copy counts",
      [...away, hostGrabbed(0, CLIPBOARD, [PNG]), hostGrabbed(1)],
      sessionArrived("open"),
      [offer()],
    ],
    [
      "what the viewer has released is not offered",
      [...away, hostGrabbed(0), hostReleased()],
      sessionArrived("open"),
      [],
    ],
    ["a release is told to nobody", [...away, hostGrabbed(0)], hostReleased(), []],
    [
      "what was offered to the session before is offered to the next",
      [arrived(), hostGrabbed(0), sessionLeft],
      sessionArrived("open"),
      [offer()],
    ],
    ["what the viewer asks for is answered NONE", away, hostRequested(), [sendEmpty()]],
    ["a viewer that goes is told to nobody, and what it had is gone", [...away, hostGrabbed(0)], left, []],
    ["nothing is offered of a viewer that has gone", [...away, hostGrabbed(0), left], sessionArrived("open"), []],
    [
      "nothing is offered of a viewer whose successor came",
      [...away, hostGrabbed(0), arrived()],
      sessionArrived("open"),
      [],
    ],
    ["without a viewer nothing is kept", [sessionLeft, hostGrabbed(0)], sessionArrived("open"), []],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });
});

describe("a session that comes with what was copied there before", () => {
  const away = [arrived(), sessionLeft];
  test.each<Row>([
    ["row 61: tells it", away, sessionArrived("open", [[CLIPBOARD, [TEXT]]]), [sendGrab(0)]],
    [
      "of every selection that is shared, and the types that are carried",
      away,
      sessionArrived("open", [
        [CLIPBOARD, [BMP, PNG, TEXT]],
        [PRIMARY, [TEXT]],
        [SECONDARY, [TEXT]],
      ]),
      [sendGrab(0, CLIPBOARD, [PNG, TEXT]), sendGrab(0, PRIMARY)],
    ],
    ["tells nothing of which nothing is carried", away, sessionArrived("open", [[CLIPBOARD, [BMP]]]), []],
    [
      "counts on from where the session before it was",
      [arrived(), guestGrabbed(), sessionLeft],
      sessionArrived("open", [[CLIPBOARD, [TEXT]]]),
      [sendGrab(1)],
    ],
    [
      "has to give way to what the viewer has copied, before",
      [arrived(), hostGrabbed(0), sessionLeft],
      sessionArrived("open", [[CLIPBOARD, [TEXT]]]),
      [offer()],
    ],
    [
      "has to give way to what the viewer has copied, meanwhile, and only there",
      [...away, hostGrabbed(0)],
      sessionArrived("open", [
        [CLIPBOARD, [TEXT]],
        [PRIMARY, [TEXT]],
      ]),
      [offer(), sendGrab(0, PRIMARY)],
    ],
    ["tells nobody when nobody is there", [sessionLeft], sessionArrived("open", [[CLIPBOARD, [TEXT]]]), []],
    [
      "tells the viewer that comes then",
      [sessionLeft, sessionArrived("open", [[CLIPBOARD, [TEXT]]])],
      arrived(),
      [sendGrab(0)],
    ],
    ["tells nothing while it is shut", away, sessionArrived("shut", [[CLIPBOARD, [TEXT]]]), []],
    [
      "tells it when it is opened",
      [...away, sessionArrived("shut", [[CLIPBOARD, [TEXT]]])],
      sessionOpened,
      [sendGrab(0)],
    ],
    ["is offered nothing while it is shut", [...away, hostGrabbed(0)], sessionArrived("shut"), []],
    [
      "is offered when it is opened what the viewer has copied, and that stands over its own",
      [...away, hostGrabbed(0), sessionArrived("shut", [[CLIPBOARD, [TEXT]]])],
      sessionOpened,
      [offer()],
    ],
    [
      "is asked for what it has told",
      [...away, sessionArrived("open", [[CLIPBOARD, [TEXT]]])],
      hostRequested(),
      askGuest(1),
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });
});

describe("a session that is shut: locked, or a greeter", () => {
  const shut = [arrived(), sessionShut];
  const owns = [arrived(), hostGrabbed(0)];
  test.each<Row>([
    ["a copy there is not told", shut, guestGrabbed(), []],
    ["a copy there is told when it is opened", [...shut, guestGrabbed()], sessionOpened, [sendGrab(0)]],
    [
      "only the last, with the number that is due then",
      [arrived(), guestGrabbed(), sessionShut, guestGrabbed(), guestGrabbed(CLIPBOARD, [PNG])],
      sessionOpened,
      [sendGrab(1, CLIPBOARD, [PNG])],
    ],
    ["what was told before it was shut is not told again", [arrived(), guestGrabbed(), sessionShut], sessionOpened, []],
    [
      "a copy that is gone before it is opened is not told",
      [...shut, guestGrabbed(), guestReleased()],
      sessionOpened,
      [],
    ],
    [
      "what was told and is gone is released at once",
      [arrived(), guestGrabbed(), sessionShut],
      guestReleased(),
      [sendRelease()],
    ],
    [
      "so is what was told and is replaced by what cannot be carried",
      [arrived(), guestGrabbed(), sessionShut],
      guestGrabbed(CLIPBOARD, [BMP]),
      [sendRelease()],
    ],
    [
      "not told when opened, when the viewer has copied meanwhile: that is offered",
      [...shut, guestGrabbed(), hostGrabbed(0)],
      sessionOpened,
      [offer()],
    ],
    [
      "told when opened, when it was copied after the viewer's",
      [...shut, hostGrabbed(0), guestGrabbed()],
      sessionOpened,
      [sendGrab(1)],
    ],
    [
      "what the viewer copies is not offered, and takes away what was",
      [...owns, sessionShut],
      hostGrabbed(1),
      [withdraw()],
    ],
    [
      "what the viewer copies is offered when it is opened",
      [...owns, sessionShut, hostGrabbed(1, CLIPBOARD, [PNG])],
      sessionOpened,
      [offer([PNG])],
    ],
    ["what the viewer has released meanwhile is not", [...shut, hostGrabbed(0), hostReleased()], sessionOpened, []],
    ["what the viewer releases is withdrawn at once", [...owns, sessionShut], hostReleased(), [withdraw()]],
    ["what a viewer had that is gone meanwhile is not offered", [...shut, hostGrabbed(0), left], sessionOpened, []],
    [
      "a request is answered NONE, also for what was told before",
      [arrived(), guestGrabbed(), sessionShut],
      hostRequested(),
      [sendEmpty()],
    ],
    [
      "a request is put again when it is opened",
      [arrived(), guestGrabbed(), sessionShut, sessionOpened],
      hostRequested(),
      askGuest(1),
    ],
    ["a paste is refused, also of what was offered before", [...owns, sessionShut], guestRequested(1), [refuse(1)]],
    ["a paste is asked for again when it is opened", [...owns, sessionShut, sessionOpened], guestRequested(1), ask(1)],
    [
      "what was asked of it before is answered NONE and stopped",
      [
        arrived(),
        guestGrabbed(),
        guestGrabbed(PRIMARY),
        hostRequested(),
        hostRequested(TEXT, PRIMARY),
        guestAnswered(2, 9),
      ],
      sessionShut,
      [cancelAsk(1), sendEmpty(), abortBody(9), sendEmpty(NONE, PRIMARY)],
    ],
    [
      "what it asked before is refused or stopped, also what only waited",
      [...owns, guestRequested(1), guestRequested(2), guestRequested(3), hostAnswered(7)],
      sessionShut,
      [abortBody(7), refuse(2), refuse(3)],
    ],
    [
      "an answer of the viewer that comes then is not taken",
      [...owns, guestRequested(1), sessionShut],
      hostAnswered(7),
      [refuseBody(7)],
    ],
    [
      "an answer of the viewer that comes after is not taken",
      [...owns, guestRequested(1), sessionShut, sessionOpened],
      hostAnswered(7),
      [refuseBody(7)],
    ],
    [
      "an answer of its own that comes then is not taken",
      [arrived(), guestGrabbed(), hostRequested(), sessionShut],
      guestAnswered(1, 9),
      [refuseBody(9)],
    ],
    [
      "an answer of its own that comes after is not taken",
      [arrived(), guestGrabbed(), hostRequested(), sessionShut, sessionOpened],
      guestAnswered(1, 9),
      [refuseBody(9)],
    ],
    [
      "content that is whole then is not sent",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9), sessionShut],
      finished(9),
      [],
    ],
    [
      "time that is up then means nothing",
      [arrived(), guestGrabbed(), hostRequested(), sessionShut],
      guestSilent(1),
      [],
    ],
    ["shut twice is once", [arrived(), guestGrabbed(), hostRequested(), sessionShut], sessionShut, []],
    ["a viewer that comes then is told nothing", [guestGrabbed(), sessionShut], arrived(), []],
    [
      "a viewer that came then is told when it is opened, also what its predecessor knew",
      [arrived(), guestGrabbed(), sessionShut, arrived()],
      sessionOpened,
      [sendGrab(0)],
    ],
    [
      "a viewer that learns of PRIMARY then is told nothing",
      [arrived(bare), guestGrabbed(PRIMARY), sessionShut],
      changed(spiceGtk),
      [],
    ],
    [
      "a viewer that learned of PRIMARY then is told when it is opened",
      [arrived(bare), guestGrabbed(PRIMARY), sessionShut, changed(spiceGtk)],
      sessionOpened,
      [sendGrab(0, PRIMARY)],
    ],
    ["opened without a viewer: nothing", [sessionShut, guestGrabbed()], sessionOpened, []],
    [
      "opened without a viewer: the one that comes is told",
      [sessionShut, guestGrabbed(), sessionOpened],
      arrived(),
      [sendGrab(0)],
    ],
    ["it goes: what was told is released", [arrived(), guestGrabbed(), sessionShut], sessionLeft, [sendRelease()]],
    [
      "it goes: what it kept to itself does not come back with another",
      [...shut, guestGrabbed(), sessionLeft],
      sessionArrived("open"),
      [],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });

  test("both count the same after it: the viewer's grab is taken, and ours when it is opened carries the next number", () => {
    const state = stateAfter(arrived(), guestGrabbed(), sessionShut, guestGrabbed(), hostGrabbed(1), guestGrabbed());
    expect(state.selections[CLIPBOARD]).toMatchObject({ owner: "host", serial: 2, held: [1] });
    const [opened, effects] = clipboardStep(state, sessionOpened, policy);
    expect(effects).toEqual([sendGrab(2)]);
    expect(opened.selections[CLIPBOARD]).toMatchObject({ owner: "guest", serial: 3, held: undefined });
  });

  test("what the viewer has copied is still there when a copy that it never heard of is gone", () => {
    // While it was shut: copied, and the application ended. The viewer goes on believing, rightly, that it owns.
    expect(effectsOf([...owns, sessionShut, guestGrabbed(), guestReleased()], sessionOpened)).toEqual([offer()]);
  });

  test("what the viewer has copied is still there for the next session when one that was shut is gone", () => {
    expect(effectsOf([...owns, sessionShut, guestGrabbed(), sessionLeft], sessionArrived("open"))).toEqual([offer()]);
  });
});

describe("a viewer that announces again without asking", () => {
  test.each<Row>([
    ["the same: nothing", [arrived(), guestGrabbed(), hostGrabbed(0, PRIMARY)], changed(spiceGtk), []],
    [
      "it knows PRIMARY now: it is told what is there",
      [arrived(bare), guestGrabbed(PRIMARY)],
      changed(spiceGtk),
      [sendGrab(0, PRIMARY)],
    ],
    [
      "it has a clipboard now: it is told what is there",
      [arrived(deaf), guestGrabbed()],
      changed(spiceGtk),
      [sendGrab(0)],
    ],
    ["it has a clipboard now, but nothing is there", [arrived(deaf)], changed(spiceGtk), []],
    [
      "it knows PRIMARY no more: what it had there is gone, and no word of PRIMARY is sent",
      [arrived(), hostGrabbed(0, PRIMARY), guestRequested(1, TEXT, PRIMARY)],
      changed(bare),
      [withdraw(PRIMARY), refuse(1)],
    ],
    [
      "it knows PRIMARY no more: what it asked there is dropped",
      [
        arrived(),
        guestGrabbed(PRIMARY),
        hostRequested(TEXT, PRIMARY),
        hostRequested(TEXT, PRIMARY),
        guestAnswered(2, 9),
      ],
      changed(bare),
      [cancelAsk(1), abortBody(9)],
    ],
    ["it has no clipboard any more", [arrived(), hostGrabbed(0), guestGrabbed(PRIMARY)], changed(deaf), [withdraw()]],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(before, input)).toEqual(effects);
  });
});

describe("policy", () => {
  const refused = (direction: "host-to-guest" | "guest-to-host", reason: string) => ({
    kind: "count-refusal",
    direction,
    reason,
  });
  const inward = (reason: string) => refused("host-to-guest", reason);
  const outward = (reason: string) => refused("guest-to-host", reason);
  const noPrimary = { ...policy, selections: [CLIPBOARD] };
  const inwardOnly = { ...policy, toHost: false };
  const outwardOnly = { ...policy, toGuest: false };
  const textOnly = { ...policy, types: [TEXT] };
  const closed = openPolicy({ selections: [] });

  test.each<[string, typeof policy, readonly ClipboardInput[], ClipboardInput, readonly unknown[]]>([
    ["no PRIMARY: a guest's copy is not told", noPrimary, [], guestGrabbed(PRIMARY), [outward("selection")]],
    ["no PRIMARY: a viewer's copy is not told", noPrimary, [], hostGrabbed(0, PRIMARY), [inward("selection")]],
    [
      "no PRIMARY: a viewer's request is answered NONE",
      noPrimary,
      [],
      hostRequested(TEXT, PRIMARY),
      [sendEmpty(NONE, PRIMARY), outward("selection")],
    ],
    [
      "no PRIMARY: a guest's request is refused",
      noPrimary,
      [],
      guestRequested(1, TEXT, PRIMARY),
      [refuse(1), inward("selection")],
    ],
    ["no PRIMARY: CLIPBOARD is as before", noPrimary, [], guestGrabbed(), [sendGrab(0)]],
    [
      "SECONDARY, which is on no list: NONE",
      policy,
      [],
      hostRequested(TEXT, SECONDARY),
      [sendEmpty(NONE, SECONDARY), outward("selection")],
    ],
    ["no selection at all, out", closed, [], guestGrabbed(), [outward("selection")]],
    ["no selection at all, in", closed, [], hostGrabbed(0), [inward("selection")]],
    ["in only: a copy is not told", inwardOnly, [], guestGrabbed(), [outward("direction")]],
    [
      "in only: a request is answered NONE",
      inwardOnly,
      [guestGrabbed()],
      hostRequested(),
      [sendEmpty(NONE), outward("direction")],
    ],
    ["in only: a viewer's copy is offered", inwardOnly, [guestGrabbed()], hostGrabbed(0), [offer()]],
    ["in only: a copy that is gone is not told", inwardOnly, [guestGrabbed()], guestReleased(), []],
    ["in only: a session that goes is not told", inwardOnly, [guestGrabbed()], sessionLeft, []],
    ["out only: a viewer's copy is not offered", outwardOnly, [], hostGrabbed(0), [inward("direction")]],
    [
      "out only: a paste is refused",
      outwardOnly,
      [hostGrabbed(0)],
      guestRequested(1),
      [refuse(1), inward("direction")],
    ],
    [
      "out only: the viewer's copy is counted, so that the guest's is taken",
      outwardOnly,
      [hostGrabbed(0)],
      guestGrabbed(),
      [sendGrab(1)],
    ],
    ["text only: a picture is not told", textOnly, [], guestGrabbed(CLIPBOARD, [PNG]), [outward("type")]],
    ["text only: of a picture with text the text", textOnly, [], guestGrabbed(CLIPBOARD, [PNG, TEXT]), [sendGrab(0)]],
    [
      "text only: a viewer's picture is not offered",
      textOnly,
      [],
      hostGrabbed(0, CLIPBOARD, [PNG]),
      [withdraw(), inward("type")],
    ],
    [
      "text only: a request for a picture is answered NONE",
      textOnly,
      [guestGrabbed()],
      hostRequested(PNG),
      [sendEmpty(NONE), outward("type")],
    ],
    [
      "a body larger than comes in is read over, and the paste refused",
      policy,
      [hostGrabbed(0), guestRequested(1)],
      hostAnswered(7, TEXT, 1001),
      [refuseBody(7), refuse(1), inward("size")],
    ],
    [
      "a body larger than goes out is answered empty",
      policy,
      [guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      failed(9, true),
      [sendEmpty(TEXT), outward("size")],
    ],
    [
      "a locked session's copy is not given",
      policy,
      [guestGrabbed(), sessionShut],
      hostRequested(),
      [sendEmpty(NONE), outward("locked")],
    ],
    [
      "nothing is pasted into a locked session",
      policy,
      [hostGrabbed(0), sessionShut],
      guestRequested(1),
      [refuse(1), inward("locked")],
    ],
    ["a password is not told", policy, [], { kind: "guest-copied-secret", selection: CLIPBOARD }, [outward("secret")]],
    [
      "a password takes back what was told before",
      policy,
      [guestGrabbed()],
      { kind: "guest-copied-secret", selection: CLIPBOARD },
      [{ kind: "send-release", selection: CLIPBOARD }, outward("secret")],
    ],
    [
      "and the viewer that asks for it is answered NONE",
      policy,
      [guestGrabbed(), { kind: "guest-copied-secret", selection: CLIPBOARD }],
      hostRequested(),
      [sendEmpty(NONE)],
    ],
  ])("%s", (_, rules, before, input, effects) => {
    const state = [arrived(), ...before].reduce((at, each) => clipboardStep(at, each, rules)[0], openClipboard);
    expect(clipboardStep(state, input, rules)[1]).toEqual(effects);
  });

  test("each direction has a limit of its own", () => {
    const rules = { ...policy, maxToGuestBytes: 10, maxToHostBytes: 20 };
    const state = stateAfter(arrived(), guestGrabbed(), hostRequested());
    expect(clipboardStep(state, guestAnswered(1, 9), rules)[1]).toEqual([collect(9, 20)]);
    const pasting = stateAfter(arrived(), hostGrabbed(0), guestRequested(1));
    expect(clipboardStep(pasting, hostAnswered(7, TEXT, 11), rules)[1]).toContainEqual(inward("size"));
    expect(clipboardStep(pasting, hostAnswered(7, TEXT, 10), rules)[1]).not.toContainEqual(inward("size"));
  });
});

describe("what is counted and told", () => {
  test.each<[string, readonly ClipboardInput[], ClipboardInput, RegExp]>([
    ["a grab that is discarded, with both numbers", [arrived()], hostGrabbed(3), /3 .*discarded.* 0/],
    [
      "a viewer that does not answer",
      [arrived(), hostGrabbed(0), guestRequested(1)],
      hostSilent(1),
      /viewer did not answer/,
    ],
    [
      "a session that does not answer",
      [arrived(), guestGrabbed(), hostRequested()],
      guestSilent(1),
      /session did not answer/,
    ],
  ])("%s", (_, before, input, text) => {
    expect(notesOf(before, input)).toEqual([expect.stringMatching(text)]);
  });

  test.each<[string, readonly ClipboardInput[], ClipboardInput, object]>([
    [
      "what went to the viewer, type and size",
      [arrived(), guestGrabbed(), hostRequested(), guestAnswered(1, 9)],
      finished(9, 1234),
      { kind: "count-transfer", direction: "guest-to-host", type: TEXT, bytes: 1234 },
    ],
    [
      "what went to the guest, type and size",
      [arrived(), hostGrabbed(0), guestRequested(1), hostAnswered(7)],
      finished(7, 4321),
      { kind: "count-transfer", direction: "host-to-guest", type: TEXT, bytes: 4321 },
    ],
  ])("%s", (_, before, input, count) => {
    expect(clipboardStep(stateAfter(...before), input, policy)[1]).toContainEqual(count);
  });
});

describe("row 64: an application takes over what the viewer offers", () => {
  test("the viewer, which has it, is not told", () => {
    expect(effectsOf([arrived(), hostGrabbed(0)], guestKept())).toEqual([]);
  });

  test("nor when it has withdrawn it: what is cleared there does not come back", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept()], hostReleased())).toEqual([withdraw()]);
    expect(effectsOf([arrived(), hostGrabbed(0), hostReleased()], guestKept())).toEqual([]);
  });

  test("nor is it given: it asks for nothing that it was not told of", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(), hostReleased()], hostRequested())).toEqual([
      sendEmpty(NONE),
    ]);
  });

  test("the next viewer is", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(), left], arrived())).toEqual([sendGrab(0)]);
    expect(effectsOf([arrived(), hostGrabbed(0), hostReleased(), guestKept()], arrived())).toEqual([sendGrab(0)]);
  });

  test("not if the application is gone by then, or something else is copied", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(), guestReleased(), left], arrived())).toEqual([]);
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(), left, arrived(), hostGrabbed(1)], left)).toEqual([
      withdraw(),
    ]);
  });

  test("what is copied after it is told", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept()], guestGrabbed())).toEqual([sendGrab(1)]);
  });

  test("a session that is opened again keeps it, and is not offered it anew", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(), sessionShut], sessionOpened)).toEqual([]);
    expect(effectsOf([arrived(), hostGrabbed(0), sessionShut], sessionOpened)).toEqual([offer()]);
  });

  test("what may not pass is of no use to the next viewer either", () => {
    expect(effectsOf([arrived(), hostGrabbed(0), guestKept(CLIPBOARD, [BMP]), left], arrived())).toEqual([]);
  });
});
