// Who is on the other side: what is answered, what is announced, and when all of it is forgotten.
import { describe, expect, test } from "vitest";
import {
  type CapabilitiesInput,
  type CapabilitiesState,
  capabilitiesStep,
  guestCaps,
  layoutOf,
  noViewer,
  type ViewerCaps,
} from "../../../src/features/capabilities.ts";
import { AgentCap } from "../../../src/wire/agent-constants.ts";
import { capWords } from "../../../src/wire/announce-capabilities.ts";
import { bareLayout } from "../../../src/wire/codec.ts";

/** What spice-gtk announces (protocol 2.5), and what a viewer without any of it would. */
const spiceGtkWords = [0x00035077];
const spiceGtk: ViewerCaps = { clipboard: true, layout: { selection: true, serial: true }, detailedFileErrors: true };
const plain: ViewerCaps = { clipboard: false, layout: bareLayout, detailedFileErrors: false };
const ours = [0x1234];

const asked = { kind: "host-announced", request: true, words: spiceGtkWords } as const;
const told = { kind: "host-announced", request: false, words: spiceGtkWords } as const;
const silent = { kind: "host-silent" } as const;
const sendOurs = { kind: "send-announce", request: false, words: ours };
const askOurs = { kind: "send-announce", request: true, words: ours };
const known: CapabilitiesState = { epoch: 7, viewer: spiceGtk, hasAsked: false };
const forgotten: CapabilitiesState = { epoch: 7, viewer: undefined, hasAsked: false };
/** Nobody is known, and we have asked who is there. */
const asking: CapabilitiesState = { ...forgotten, hasAsked: true };

const rows: readonly {
  readonly name: string;
  readonly before: CapabilitiesState;
  readonly input: CapabilitiesInput;
  readonly after: CapabilitiesState;
  readonly effects: readonly unknown[];
}[] = [
  {
    name: "row 2: the first viewer that asks is answered once, before anything is begun for it",
    before: noViewer,
    input: asked,
    after: { epoch: 1, viewer: spiceGtk, hasAsked: false },
    effects: [sendOurs, { kind: "begin-viewer", caps: spiceGtk }],
  },
  {
    name: "a viewer that asks while one is known is a new one: answered once, begun anew, under the next number",
    before: known,
    input: { ...asked, words: [0] },
    after: { epoch: 8, viewer: plain, hasAsked: false },
    effects: [{ kind: "end-viewer" }, sendOurs, { kind: "begin-viewer", caps: plain }],
  },
  {
    name: "a viewer after one that left gets the next number",
    before: forgotten,
    input: asked,
    after: { epoch: 8, viewer: spiceGtk, hasAsked: false },
    effects: [sendOurs, { kind: "begin-viewer", caps: spiceGtk }],
  },
  {
    name: "row 3: an announce that does not ask is not answered, and with no viewer known it does nothing",
    before: noViewer,
    input: told,
    after: noViewer,
    effects: [],
  },
  {
    name: "row 3: an announce that does not ask only updates the viewer that is known",
    before: known,
    input: { ...told, words: [] },
    after: { epoch: 7, viewer: plain, hasAsked: false },
    effects: [{ kind: "update-viewer", caps: plain }],
  },
  {
    name: "row 12: a viewer that disconnects is forgotten",
    before: known,
    input: { kind: "viewer-disconnected" },
    after: forgotten,
    effects: [{ kind: "end-viewer" }],
  },
  {
    name: "row 11: a port that closes takes the viewer with it",
    before: known,
    input: { kind: "port-closed" },
    after: forgotten,
    effects: [{ kind: "end-viewer" }],
  },
  {
    name: "a viewer that leaves twice ends once",
    before: forgotten,
    input: { kind: "viewer-disconnected" },
    after: forgotten,
    effects: [],
  },
  {
    name: "row 13: a port that closes before anybody spoke ends nothing, and nothing is announced unasked",
    before: noViewer,
    input: { kind: "port-closed" },
    after: noViewer,
    effects: [],
  },
  {
    name: "a host that stays silent is asked who is there",
    before: forgotten,
    input: silent,
    after: asking,
    effects: [askOurs],
  },
  {
    name: "a host that has a viewer is not asked, whatever it has said last",
    before: known,
    input: silent,
    after: known,
    effects: [],
  },
  {
    name: "whoever answers our question is a viewer, and is not answered in turn",
    before: asking,
    input: told,
    after: { epoch: 8, viewer: spiceGtk, hasAsked: false },
    effects: [{ kind: "begin-viewer", caps: spiceGtk }],
  },
  {
    name: "whoever asks after our question is answered as ever",
    before: asking,
    input: asked,
    after: { epoch: 8, viewer: spiceGtk, hasAsked: false },
    effects: [sendOurs, { kind: "begin-viewer", caps: spiceGtk }],
  },
  {
    name: "our question is void when the port closes: the host behind it was never asked",
    before: asking,
    input: { kind: "port-closed" },
    after: forgotten,
    effects: [],
  },
  {
    name: "our question is void when a viewer disconnects: what comes then is its late answer",
    before: asking,
    input: { kind: "viewer-disconnected" },
    after: forgotten,
    effects: [],
  },
];

test.each(rows)("$name", ({ before, input, after, effects }) => {
  expect(capabilitiesStep(before, input, ours)).toEqual([after, effects]);
});

test("a request that comes twice is answered twice, each time once", () => {
  const [first, one] = capabilitiesStep(noViewer, asked, ours);
  const [second, two] = capabilitiesStep(first, asked, ours);
  expect([...one, ...two].filter(({ kind }) => kind === "send-announce")).toHaveLength(2);
  expect([first.epoch, second.epoch]).toEqual([1, 2]);
});

describe("what of a viewer's words matters", () => {
  test.each<[string, number[], ViewerCaps]>([
    ["nothing at all", [], plain],
    ["the empty word", [0], plain],
    ["spice-gtk's word", spiceGtkWords, spiceGtk],
    ["qemu-vdagent's word", [0x00020061], { ...spiceGtk, detailedFileErrors: false }],
    ["clipboard alone", capWords([AgentCap.CLIPBOARD_BY_DEMAND]), { ...plain, clipboard: true }],
    ["the old clipboard, which is another thing", capWords([AgentCap.CLIPBOARD]), plain],
    [
      "selections alone",
      capWords([AgentCap.CLIPBOARD_SELECTION]),
      { ...plain, layout: { selection: true, serial: false } },
    ],
    [
      "serials alone",
      capWords([AgentCap.CLIPBOARD_GRAB_SERIAL]),
      { ...plain, layout: { selection: false, serial: true } },
    ],
    ["bits of a second word, which are not those of the first", [0, 0xffffffff], plain],
    ["every bit of many words", [0xffffffff, 0xffffffff, 0xffffffff], spiceGtk],
  ])("%s", (_, words, caps) => {
    const [state] = capabilitiesStep(noViewer, { ...asked, words }, ours);
    expect(state.viewer).toEqual(caps);
    expect(layoutOf(state)).toEqual(caps.layout);
  });

  test("row 54: before anybody announced, messages have no prefixes", () => {
    expect(layoutOf(noViewer)).toEqual(bareLayout);
    expect(layoutOf(forgotten)).toEqual(bareLayout);
  });
});

describe("what is announced is exactly what is there", () => {
  // REPLY, GUEST_LINEEND_LF and FILE_XFER_DETAILED_ERRORS are always there: bits 2, 8 and 14.
  test.each([
    { pointer: false, display: false, clipboard: false, effects: false, volume: false, files: false, word: 0x00006104 },
    { pointer: true, display: false, clipboard: false, effects: false, volume: false, files: false, word: 0x00006105 },
    { pointer: false, display: true, clipboard: false, effects: false, volume: false, files: false, word: 0x0000e186 },
    { pointer: true, display: true, clipboard: false, effects: false, volume: false, files: false, word: 0x0000e187 },
    { pointer: false, display: false, clipboard: true, effects: false, volume: false, files: false, word: 0x00036564 },
    { pointer: true, display: false, clipboard: true, effects: false, volume: false, files: false, word: 0x00036565 },
    { pointer: false, display: true, clipboard: true, effects: false, volume: false, files: false, word: 0x0003e5e6 },
    { pointer: true, display: true, clipboard: true, effects: false, volume: false, files: false, word: 0x0003e5e7 },
    { pointer: false, display: false, clipboard: false, effects: false, volume: true, files: false, word: 0x00006904 },
    { pointer: true, display: true, clipboard: true, effects: true, volume: true, files: false, word: 0x0003edf7 },
    { pointer: true, display: true, clipboard: true, effects: true, volume: true, files: true, word: 0x0003cdf7 },
  ])(
    "row 2: pointer $pointer, display $display, clipboard $clipboard, volume $volume, files $files",
    ({ word, ...abilities }) => {
      expect(guestCaps(abilities)).toEqual([word]);
    },
  );

  test("row 26: without a pointer device the host is not told to send the pointer here", () => {
    const [word = 0] = guestCaps({
      pointer: false,
      clipboard: true,
      display: true,
      effects: true,
      volume: true,
      files: true,
    });
    expect(word & (1 << AgentCap.MOUSE_STATE)).toBe(0);
  });
});
