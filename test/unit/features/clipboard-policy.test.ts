// Any policy, and anything that either side may do in any order: nothing passes that the policy keeps back, and whoever asks for
// it is answered in the same step.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ClipboardEffect,
  type ClipboardInput,
  type ClipboardState,
  clipboardStep,
  emptyClipboard,
} from "../../../src/features/clipboard.ts";
import type { ClipboardPolicy } from "../../../src/features/clipboard-policy.ts";
import { ClipboardSelection, ClipboardType } from "../../../src/wire/agent-constants.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, NONE } = ClipboardType;
const selection = fc.constantFrom(...Object.values(ClipboardSelection));
const type = fc.constantFrom<number>(TEXT, PNG, BMP);
const types = fc.uniqueArray(type);
const id = fc.integer({ min: 1, max: 5 });
const bytes = fc.integer({ min: 0, max: 40 });

const anyPolicy: fc.Arbitrary<ClipboardPolicy> = fc.record({
  selections: fc.uniqueArray(selection),
  types,
  toGuest: fc.boolean(),
  toHost: fc.boolean(),
  maxToGuestBytes: fc.integer({ min: 1, max: 20 }),
  maxToHostBytes: fc.integer({ min: 1, max: 20 }),
});

const kind = <K extends ClipboardInput["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);
const anyInput: fc.Arbitrary<ClipboardInput> = fc.oneof(
  fc.record({ kind: kind("host-grabbed"), selection, serial: fc.nat(3), types }),
  fc.record({ kind: kind("host-released"), selection }),
  fc.record({ kind: kind("host-requested"), selection, type }),
  fc.record({ kind: kind("host-answered"), selection, type, bodyId: id, bytes }),
  fc.record({ kind: kind("guest-grabbed"), selection, types }),
  fc.record({ kind: kind("guest-copied-secret"), selection }),
  fc.record({ kind: kind("guest-released"), selection }),
  fc.record({ kind: kind("guest-requested"), requestId: id, selection, type }),
  fc.record({ kind: kind("guest-answered"), askId: id, bodyId: id }),
  fc.record({ kind: kind("body-finished"), bodyId: id, bytes }),
  fc.record({ kind: kind("session-shut") }),
  fc.record({ kind: kind("session-opened") }),
);

/** Content, or the word of it, that goes over: which way, on which selection, of which types. */
function passing(effect: ClipboardEffect) {
  switch (effect.kind) {
    case "send-grab":
      return { toHost: true, selection: effect.selection, types: effect.types };
    case "ask-guest":
    case "send-body":
      return { toHost: true, selection: effect.selection, types: [effect.type] };
    case "offer-in-guest":
      return { toHost: false, selection: effect.selection, types: effect.types };
    case "send-request":
      return { toHost: false, selection: effect.selection, types: [effect.type] };
    case "open-body":
      return { toHost: false, selection: undefined, types: [effect.type] };
    default:
      return undefined;
  }
}

test("nothing passes that a policy keeps back, and every question about it is answered no", () => {
  let passed = 0;
  let refused = 0;
  fc.assert(
    fc.property(anyPolicy, fc.array(anyInput, { minLength: 10, maxLength: 60, size: "max" }), (policy, inputs) => {
      const viewer = { clipboard: true, selection: true, serial: false };
      let state: ClipboardState = { ...emptyClipboard, guest: "open", viewer };
      for (const input of inputs) {
        const wasShut = state.guest !== "open";
        const [next, effects] = clipboardStep(state, input, policy);
        state = next;
        const isShut = wasShut && state.guest !== "open";
        for (const effect of effects) {
          if (effect.kind === "count-refusal") refused += 1;
          if (effect.kind === "open-body") expect(effect.bytes).toBeLessThanOrEqual(policy.maxToGuestBytes);
          if (effect.kind === "collect-body") expect(effect.maxBytes).toBeLessThanOrEqual(policy.maxToHostBytes);
          const pass = passing(effect);
          if (pass === undefined) continue;
          passed += 1;
          expect(isShut).toBe(false);
          expect(pass.toHost ? policy.toHost : policy.toGuest).toBe(true);
          if (pass.selection !== undefined) expect(policy.selections).toContain(pass.selection);
          expect(policy.types).toEqual(expect.arrayContaining([...pass.types]));
        }
        if (input.kind === "host-requested") {
          const isAsked = effects.some((effect) => effect.kind === "ask-guest");
          const isRefused = effects.some((effect) => effect.kind === "send-empty" && effect.type === NONE);
          expect([isAsked, isRefused]).toContain(true);
          expect(isAsked && isRefused).toBe(false);
          if (!policy.toHost || !policy.selections.includes(input.selection)) expect(isRefused).toBe(true);
        }
        if (input.kind === "guest-requested" && !policy.toGuest)
          expect(effects).toContainEqual({ kind: "refuse-guest", requestId: input.requestId });
      }
    }),
    { numRuns: 1500 },
  );
  // Without these it would hold of policies under which nothing is tried.
  expect(passed).toBeGreaterThan(500);
  expect(refused).toBeGreaterThan(500);
});
