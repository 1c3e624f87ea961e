// Which session agent is let in and which is on the screen: rows 84 to 87 one by one, and what holds whatever happens.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ActiveAgent,
  type LoginSession,
  type SessionsEffect,
  type SessionsInput,
  type SessionsState,
  sessionsStep,
  withLogind,
  withoutLogind,
} from "../../../src/features/sessions.ts";

const ANNA = 1000;
const BERT = 1001;

function session(id: string, change: Partial<LoginSession> = {}): LoginSession {
  return { id, uid: ANNA, class: "user", type: "x11", seat: "seat0", isLocked: false, ...change };
}

const pidOf = (agentId: number): number => 5000 + agentId;
const connected = (agentId: number, uid = ANNA): SessionsInput => ({
  kind: "agent-connected",
  agentId,
  peer: { pid: pidOf(agentId), uid },
});
const identified = (agentId: number, as: LoginSession | undefined): SessionsInput => ({
  kind: "agent-identified",
  agentId,
  session: as,
});
const left = (agentId: number): SessionsInput => ({ kind: "agent-left", agentId });
const screen = (on: LoginSession | undefined): SessionsInput => ({ kind: "screen-changed", session: on });

const identify = (agentId: number): SessionsEffect => ({ kind: "identify", agentId });
const accept = (agentId: number): SessionsEffect => ({ kind: "accept", agentId });
const refuse = (agentId: number, reason: string): SessionsEffect => ({ kind: "refuse", agentId, reason });
const activate = (agentId: number, isShut = false, isOfUser = true): SessionsEffect => ({
  kind: "activate",
  agent: { agentId, isShut, isOfUser },
});
const deactivate: SessionsEffect = { kind: "deactivate" };
const shut = (isShut: boolean): SessionsEffect => ({ kind: "shut", isShut, isOfUser: true });

function stateAfter(start: SessionsState, ...inputs: readonly SessionsInput[]): SessionsState {
  return inputs.reduce((state, input) => sessionsStep(state, input)[0], start);
}

/** What the last of these leads to. */
function effectsOf(start: SessionsState, before: readonly SessionsInput[], input: SessionsInput): unknown {
  return sessionsStep(stateAfter(start, ...before), input)[1];
}

type Row = readonly [string, readonly SessionsInput[], SessionsInput, readonly SessionsEffect[]];

describe("row 84: who is let in", () => {
  const three = session("3");
  const second = "session 3 has an agent already, process 5001";
  test.each<Row>([
    ["whoever connects is asked after first", [], connected(1), [identify(1)]],
    ["an agent of a session of its own user is let in", [connected(1)], identified(1, three), [accept(1)]],
    [
      "a second one of the same session is not, and the first stays",
      [connected(1), identified(1, three), connected(2)],
      identified(2, three),
      [refuse(2, second)],
    ],
    [
      "a second one that is known before the first is the first",
      [connected(1), connected(2), identified(2, three)],
      identified(1, three),
      [refuse(1, "session 3 has an agent already, process 5002")],
    ],
    [
      "one after the first has left is",
      [connected(1), identified(1, three), left(1), connected(2)],
      identified(2, three),
      [accept(2)],
    ],
    [
      "one of another session of the same user is",
      [connected(1), identified(1, three), connected(2)],
      identified(2, session("4")),
      [accept(2)],
    ],
    [
      "a session of another user is not its own",
      [connected(1, BERT)],
      identified(1, three),
      [refuse(1, "session 3 is of user 1000")],
    ],
    ["not even root's", [connected(1, 0)], identified(1, three), [refuse(1, "session 3 is of user 1000")]],
    [
      "no session at all",
      [connected(1)],
      identified(1, undefined),
      [refuse(1, "it belongs to no session of its user")],
    ],
    [
      "a session without a seat, as over ssh",
      [connected(1)],
      identified(1, session("c1", { seat: "", type: "tty" })),
      [refuse(1, "session c1 has no seat")],
    ],
    [
      "a session of another seat is let in, and is not on the screen",
      [connected(1)],
      identified(1, session("9", { seat: "seat1" })),
      [accept(1)],
    ],
    [
      "a session from a text console is let in: startx is one",
      [connected(1)],
      identified(1, session("5", { type: "tty" })),
      [accept(1)],
    ],
    [
      "a greeter's agent is let in",
      [connected(1, 120)],
      identified(1, session("c2", { class: "greeter", uid: 120 })),
      [accept(1)],
    ],
    ["one that has left before it was known is forgotten", [connected(1), left(1)], identified(1, three), []],
    ["one that never was is unknown", [], identified(7, three), []],
    ["one that was refused is unknown afterwards", [connected(1), identified(1, undefined)], identified(1, three), []],
    ["one that leaves and never was goes unnoticed", [connected(1)], left(9), []],
    ["one that leaves while it is asked after goes unnoticed", [connected(1), screen(three)], left(1), []],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(withLogind, before, input)).toEqual(effects);
  });

  test("one refused for its session frees the place it took", () => {
    const state = stateAfter(withLogind, connected(1), identified(1, undefined));
    expect(state).toEqual(withLogind);
  });

  /** Connections of as many users as it takes, from this number on. */
  const crowd = (count: number, firstId = 1): SessionsInput[] =>
    Array.from({ length: count }, (_, index) => connected(firstId + index, 2000 + Math.floor(index / 16)));

  test("128 connections are kept, the 129th is refused, and one that leaves makes room", () => {
    const full = crowd(128);
    expect(stateAfter(withLogind, ...full).agents).toHaveLength(128);
    expect(effectsOf(withLogind, full.slice(1), connected(500))).toEqual([identify(500)]);
    expect(effectsOf(withLogind, full, connected(500))).toEqual([refuse(500, "more than 128 connections")]);
    expect(effectsOf(withLogind, [...full, left(77)], connected(500))).toEqual([identify(500)]);
  });

  test("16 of one user are kept, known or not; the 17th is refused, and another user's is not", () => {
    const full = Array.from({ length: 16 }, (_, index) => connected(index + 1));
    expect(effectsOf(withLogind, full.slice(1), connected(99))).toEqual([identify(99)]);
    expect(effectsOf(withLogind, full, connected(99))).toEqual([refuse(99, "more than 16 connections of user 1000")]);
    expect(effectsOf(withLogind, full, connected(99, BERT))).toEqual([identify(99)]);
    const known = [...full, ...full.map((_, index) => identified(index + 1, session(`s${index}`)))];
    expect(effectsOf(withLogind, known, connected(99))).toEqual([refuse(99, "more than 16 connections of user 1000")]);
    expect(effectsOf(withLogind, [...known, left(3)], connected(99))).toEqual([identify(99)]);
  });

  test("one that is refused at once leaves nothing behind", () => {
    const full = stateAfter(withLogind, ...crowd(128));
    expect(sessionsStep(full, connected(500))[0]).toBe(full);
  });
});

describe("row 85: which one is on the screen", () => {
  const one = session("1");
  const two = session("2", { uid: BERT });
  const both = [connected(1), identified(1, one), connected(2, BERT), identified(2, two)];
  test.each<Row>([
    ["none, while nobody knows of a screen", [connected(1)], identified(1, one), [accept(1)]],
    [
      "the one that is let in while its session is there",
      [screen(one), connected(1)],
      identified(1, one),
      [accept(1), activate(1)],
    ],
    ["not one of another session", [screen(two), connected(1)], identified(1, one), [accept(1)]],
    ["the one that is there when its session comes", both, screen(two), [activate(2)]],
    ["at a switch the one goes before the other comes", [...both, screen(one)], screen(two), [deactivate, activate(2)]],
    [
      "none, when a session without an agent comes; its user's agents are asked for anew, they may have moved",
      [...both, screen(one)],
      screen(session("3")),
      [deactivate, { kind: "identify", agentId: 1 }],
    ],
    [
      "the one that has moved there, in its user's next session",
      [...both, screen(one), screen(session("3"))],
      identified(1, session("3")),
      [activate(1)],
    ],
    [
      "none, when the one that was asked for has not moved",
      [...both, screen(one), screen(session("3"))],
      identified(1, one),
      [],
    ],
    [
      "none, when whose it is cannot be told any more",
      [...both, screen(one), screen(session("3"))],
      identified(1, undefined),
      [],
    ],
    ["none, while the seat switches", [...both, screen(one)], screen(undefined), [deactivate]],
    ["and the same again after it", [...both, screen(one), screen(undefined)], screen(one), [activate(1)]],
    ["the same, when the same session is told again", [...both, screen(one)], screen(session("1")), []],
    ["none, when it leaves", [...both, screen(one)], left(1), [deactivate]],
    ["the same, when another leaves", [...both, screen(one)], left(2), []],
    [
      "its successor, when it leaves and comes again",
      [...both, screen(one), left(1), connected(3)],
      identified(3, one),
      [accept(3), activate(3)],
    ],
    [
      "the same, when another of its session is refused",
      [...both, screen(one), connected(3)],
      identified(3, one),
      [refuse(3, "session 1 has an agent already, process 5001")],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(withLogind, before, input)).toEqual(effects);
  });
});

describe("row 86, and a session that is locked: on the screen, but shut", () => {
  const one = session("1");
  const greeter = session("c1", { class: "greeter", uid: 120 });
  const agent = [connected(1), identified(1, one)];
  test.each<Row>([
    ["a greeter", [connected(1, 120), identified(1, greeter)], screen(greeter), [activate(1, true, false)]],
    [
      "a greeter whose agent comes later",
      [screen(greeter), connected(1, 120)],
      identified(1, greeter),
      [accept(1), activate(1, true, false)],
    ],
    [
      "a lock screen of its own",
      [connected(1), identified(1, session("7", { class: "lock-screen" }))],
      screen(session("7", { class: "lock-screen" })),
      [activate(1, true, false)],
    ],
    ["a manager's session", agent, screen(session("1", { class: "manager" })), [activate(1, true, false)]],
    ["a background session", agent, screen(session("1", { class: "background" })), [activate(1, true, false)]],
    ["a session that is locked already", agent, screen(session("1", { isLocked: true })), [activate(1, true)]],
    ["one that is locked now", [...agent, screen(one)], screen(session("1", { isLocked: true })), [shut(true)]],
    ["one that is unlocked", [...agent, screen(session("1", { isLocked: true }))], screen(one), [shut(false)]],
    [
      "told twice is once",
      [...agent, screen(session("1", { isLocked: true }))],
      screen(session("1", { isLocked: true })),
      [],
    ],
    [
      "a switch to it says so",
      [...agent, screen(one), connected(2, BERT), identified(2, session("2", { uid: BERT }))],
      screen(session("2", { uid: BERT, isLocked: true })),
      [deactivate, activate(2, true)],
    ],
    [
      "newer kinds of user's sessions are open: early",
      agent,
      screen(session("1", { class: "user-early" })),
      [activate(1)],
    ],
    [
      "newer kinds of user's sessions are open: light",
      agent,
      screen(session("1", { class: "user-light" })),
      [activate(1)],
    ],
    [
      "a session on another screen that is locked is none of its business",
      [...agent, screen(one), connected(2)],
      identified(2, session("2", { isLocked: true })),
      [accept(2)],
    ],
    [
      "what it was when it was asked after does not count",
      [screen(one), connected(1)],
      identified(1, session("1", { isLocked: true })),
      [accept(1), activate(1)],
    ],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(withLogind, before, input)).toEqual(effects);
  });
});

describe("row 87: without logind", () => {
  const second = "there is an agent already";
  test.each<Row>([
    ["the first is on the screen, whosever it is, and open", [], connected(1, BERT), [accept(1), activate(1)]],
    ["a second is refused, and the first stays", [connected(1)], connected(2), [refuse(2, second)]],
    [
      "the next after the first has left takes its place",
      [connected(1), left(1)],
      connected(2),
      [accept(2), activate(2)],
    ],
    ["the first leaves", [connected(1), connected(2)], left(1), [deactivate]],
    ["the second, which was refused, leaves", [connected(1), connected(2)], left(2), []],
    ["an answer nobody asked for changes nothing", [], identified(1, session("1")), []],
  ])("%s", (_, before, input, effects) => {
    expect(effectsOf(withoutLogind, before, input)).toEqual(effects);
  });

  test("nobody is asked about", () => {
    const [, effects] = sessionsStep(withoutLogind, connected(1));
    expect(effects.map(({ kind }) => kind)).not.toContain("identify");
  });
});

/** Users, their sessions, and what logind may make of a process. */
const anySession: fc.Arbitrary<LoginSession> = fc.record({
  id: fc.constantFrom("1", "2", "3", "c1"),
  uid: fc.constantFrom(ANNA, ANNA, BERT),
  class: fc.constantFrom("user", "user", "greeter", "user-light", "lock-screen"),
  type: fc.constantFrom("x11", "wayland", "tty"),
  seat: fc.constantFrom("seat0", "seat0", "seat1", ""),
  isLocked: fc.boolean(),
});
const anyDeed = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant("connects" as const), uid: fc.constantFrom(ANNA, BERT) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("is identified" as const),
      index: fc.nat(50),
      session: fc.option(anySession, { nil: undefined, freq: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("leaves" as const), index: fc.nat(50) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("screen" as const),
      session: fc.option(anySession, { nil: undefined, freq: 6 }),
    }),
  },
);

test("whatever happens, at most one agent is active, it is always the one of the screen, and nobody is let in who may not", () => {
  let activations = 0;
  fc.assert(
    fc.property(fc.boolean(), fc.array(anyDeed, { maxLength: 60, size: "max" }), (asksLogind, deeds) => {
      let state: SessionsState = asksLogind ? withLogind : withoutLogind;
      // What one sees from outside, told by the effects alone.
      const uids = new Map<number, number>();
      const unknown: number[] = [];
      const inside = new Map<number, LoginSession | undefined>();
      let active: ActiveAgent | undefined;
      let onScreen: LoginSession | undefined;
      let nextId = 1;

      const step = (input: SessionsInput): void => {
        const [next, effects] = sessionsStep(state, input);
        state = next;
        for (const effect of effects) {
          switch (effect.kind) {
            case "identify":
              // A new one, or one whose user has a session on the screen that nobody serves.
              if (input.kind !== "agent-connected") {
                expect(input.kind).toBe("screen-changed");
                expect(uids.get(effect.agentId)).toBe(onScreen?.uid);
                expect(inside.has(effect.agentId)).toBe(true);
                expect([...inside.values()].map((its) => its?.id)).not.toContain(onScreen?.id);
              }
              unknown.push(effect.agentId);
              break;
            case "accept":
              expect(inside.has(effect.agentId)).toBe(false);
              inside.set(effect.agentId, input.kind === "agent-identified" ? input.session : undefined);
              break;
            case "refuse":
              expect(inside.has(effect.agentId)).toBe(false);
              uids.delete(effect.agentId);
              break;
            case "activate":
              activations += 1;
              expect(active).toBeUndefined();
              expect(inside.has(effect.agent.agentId)).toBe(true);
              active = effect.agent;
              break;
            case "deactivate":
              expect(active).toBeDefined();
              active = undefined;
              break;
            case "shut":
              expect(active).not.toMatchObject({ isShut: effect.isShut, isOfUser: effect.isOfUser });
              if (active !== undefined) active = { ...active, isShut: effect.isShut, isOfUser: effect.isOfUser };
              break;
            default:
              effect satisfies never;
          }
        }
      };

      for (const deed of deeds) {
        if (deed.what === "connects") {
          uids.set(nextId, deed.uid);
          step(connected(nextId, deed.uid));
          nextId += 1;
        } else if (deed.what === "is identified") {
          const [agentId] = unknown.splice(deed.index % (unknown.length || 1), 1);
          if (agentId === undefined) continue;
          const isTaken = [...inside].some(([other, its]) => other !== agentId && its?.id === deed.session?.id);
          const isTheirs = deed.session !== undefined && deed.session.uid === uids.get(agentId);
          // It may have moved to another session of its user that is free.
          if (inside.has(agentId) && isTheirs && !isTaken && deed.session?.seat !== "")
            inside.set(agentId, deed.session);
          step(identified(agentId, deed.session));
        } else if (deed.what === "leaves") {
          const all = [...uids.keys()];
          const agentId = all[deed.index % (all.length || 1)];
          if (agentId === undefined) continue;
          uids.delete(agentId);
          inside.delete(agentId);
          // Logind may still be asked after it: its answer comes later.
          step(left(agentId));
        } else if (asksLogind) {
          onScreen = deed.session;
          step(screen(deed.session));
        }

        const right = [...inside].filter(
          ([, its]) => !asksLogind || (onScreen !== undefined && its?.id === onScreen.id),
        );
        expect(right.length).toBeLessThanOrEqual(1);
        const isOfUser = onScreen?.class.startsWith("user") ?? true;
        const isShut = onScreen !== undefined && (onScreen.isLocked || !isOfUser);
        expect(active).toEqual(right[0] === undefined ? undefined : { agentId: right[0][0], isShut, isOfUser });
        expect(state.active).toEqual(active);
        expect(new Set(state.agents.map(({ agentId }) => agentId))).toEqual(new Set(uids.keys()));
        for (const [agentId, its] of inside) {
          if (asksLogind) expect([its?.uid, its?.seat === ""]).toEqual([uids.get(agentId), false]);
        }
        for (const uid of [ANNA, BERT])
          expect([...uids.values()].filter((each) => each === uid).length).toBeLessThanOrEqual(asksLogind ? 16 : 1);
      }
    }),
    { numRuns: 300 },
  );
  // Without these it would hold of a house that nobody enters.
  expect(activations).toBeGreaterThan(200);
});
