// The clipboard's rules between two peers that do whatever they like, in any order and with anything under way: what holds
// of every such conversation. The viewer keeps its own counters and ownership, as spice-gtk does (protocol 3.4).
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ClipboardEffect,
  type ClipboardInput,
  type ClipboardState,
  type ClipboardViewer,
  clipboardStep,
  emptyClipboard,
  type GuestPresence,
} from "../../../src/features/clipboard.ts";
import { ClipboardSelection, ClipboardType } from "../../../src/wire/agent-constants.ts";
import { openPolicy } from "../../fakes/clipboard-policy.ts";

const { CLIPBOARD, PRIMARY, SECONDARY } = ClipboardSelection;
const { NONE, UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP } = ClipboardType;
/** SECONDARY and BMP are what one side may try and the policy leaves out. */
const policy = openPolicy({ types: [TEXT, PNG], maxToGuestBytes: 100, maxToHostBytes: 100 });
const selections = Object.values(ClipboardSelection);

/** `local`: the desktop holds something that is of no concern to the viewer. */
type Owner = "nobody" | "host" | "guest" | "local";
type Owners = Record<ClipboardSelection, Owner>;
const nobody = (): Owners => ({ [CLIPBOARD]: "nobody", [PRIMARY]: "nobody", [SECONDARY]: "nobody" });
const zeros = (): Record<ClipboardSelection, number> => ({ [CLIPBOARD]: 0, [PRIMARY]: 0, [SECONDARY]: 0 });

const spiceGtk: ClipboardViewer = { clipboard: true, selection: true, serial: true };
const bare: ClipboardViewer = { clipboard: true, selection: false, serial: false };
const deaf: ClipboardViewer = { clipboard: false, selection: true, serial: true };
const viewers = [spiceGtk, spiceGtk, spiceGtk, bare, deaf];

/** What somebody does, and how often compared to the rest. */
const deeds = {
  "deliver to daemon": 30,
  "deliver to viewer": 30,
  "viewer copies": 5,
  "viewer copies what cannot be carried": 1,
  "viewer clears": 2,
  "viewer requests": 15,
  "viewer answers": 15,
  "viewer answers NONE": 2,
  "viewer answers unasked": 2,
  "viewer sets a limit": 1,
  "guest copies": 5,
  "guest copies what cannot be carried": 1,
  "guest keeps": 4,
  "guest clears": 2,
  "guest pastes": 15,
  "guest cancels": 3,
  "guest answers": 15,
  "guest refuses": 2,
  "body ends": 8,
  "body fails": 2,
  "time is up": 2,
  "viewer arrives": 1,
  "viewer leaves": 1,
  "viewer announces again": 1,
  "session changes": 1,
  "session shuts": 2,
  "session opens": 3,
} as const;
type What = keyof typeof deeds;

interface Deed {
  readonly what: What;
  readonly selection: ClipboardSelection;
  readonly type: number;
  readonly index: number;
}

const anyDeed: fc.Arbitrary<Deed> = fc.record({
  what: fc.constantFrom(...(Object.keys(deeds) as What[]).flatMap((what) => new Array<What>(deeds[what]).fill(what))),
  selection: fc.constantFrom(CLIPBOARD, CLIPBOARD, CLIPBOARD, CLIPBOARD, PRIMARY, PRIMARY, SECONDARY),
  type: fc.constantFrom(TEXT, TEXT, TEXT, TEXT, PNG, BMP),
  index: fc.nat(6),
});
/** Begins with a viewer, for without one nothing happens at all. */
const anyDeeds = fc
  .array(anyDeed, { minLength: 40, maxLength: 120, size: "max" })
  .map((rest): Deed[] => [{ what: "viewer arrives", selection: CLIPBOARD, type: TEXT, index: 0 }, ...rest]);

type Message = Extract<ClipboardEffect, { kind: `send-${string}` }>;
interface Body {
  /** What became of it when it came in. */
  taken: "no" | "opened" | "collected" | "refused";
  ended: boolean;
}

/** What a guest can only do while its session is on the screen. */
const needsSession: ReadonlySet<What> = new Set([
  "guest copies",
  "guest copies what cannot be carried",
  "guest keeps",
  "guest clears",
  "guest pastes",
  "guest cancels",
  "guest answers",
  "guest refuses",
  "session shuts",
  "session opens",
]);

/** Mostly what the other side has, for that is what people ask for; now and then anything. */
function aimed(owners: Owners, other: Owner, selection: ClipboardSelection, index: number): ClipboardSelection {
  const there = selections.filter((each) => owners[each] === other);
  return (index === 0 ? undefined : there[index % (there.length || 1)]) ?? selection;
}

/** As expect, but for what is looked at thousands of times. */
function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** A session is there, and its user may be seen. */
const openClipboard: ClipboardState = { ...emptyClipboard, guest: "open" };

class Conversation {
  state: ClipboardState = openClipboard;

  /** The viewer as it sees itself. */
  viewer: ClipboardViewer | undefined;
  readonly viewerOwns = nobody();
  readonly viewerSerial = zeros();
  /** Requests that have reached it and that it has not answered. */
  #viewerAsked: { selection: ClipboardSelection; type: number }[] = [];
  #viewerEpoch = 0;

  readonly guestOwns = nobody();
  /** Where it has taken over what the viewer offers: of no concern to this viewer, and perhaps to the next. */
  readonly #kept = new Set<ClipboardSelection>();
  /** The session on the screen, as it is told the rules. */
  presence: GuestPresence = "open";
  /** Pastes by number: how often each was answered. */
  readonly #pastes = new Map<number, { answers: number; waits: boolean }>();
  readonly #asks = new Set<number>();
  /** Asks of which the guest has not heard yet that nobody wants them any more. */
  readonly #cancelledAsks = new Set<number>();

  /** Messages under way on the port; what goes between daemon and session is there at once. */
  #toDaemon: { input: ClipboardInput; epoch: number }[] = [];
  #toViewer: { message: Message; epoch: number }[] = [];
  #daemonEpoch = 0;

  readonly #bodies = new Map<number, Body>();
  #timers: ClipboardInput[] = [];
  #requests = zeros();
  #answers = zeros();
  #nextId = 1;
  /** Without serials two grabs that cross cannot be told apart. */
  agrees = true;
  readonly seen = new Map<string, number>();

  do({ what, selection, type, index }: Deed): void {
    const chosen = this.viewer?.selection === false ? CLIPBOARD : selection;
    if (this.presence === "away" && needsSession.has(what)) return;
    switch (what) {
      case "deliver to daemon": {
        const next = this.#toDaemon.shift();
        if (next !== undefined) this.#step(next.input, next.epoch);
        return;
      }
      case "deliver to viewer":
        return this.#viewerReceives(this.#toViewer.shift());
      case "viewer arrives": {
        const viewer = viewers[index % viewers.length] ?? spiceGtk;
        this.#forgetViewer();
        this.viewer = viewer;
        this.#viewerEpoch += 1;
        this.agrees = viewer.serial && viewer.clipboard;
        return this.#viewerSends({ kind: "viewer-arrived", viewer });
      }
      case "viewer leaves":
        this.#viewerSends({ kind: "viewer-left" });
        return this.#forgetViewer();
      case "viewer announces again": {
        if (this.viewer === undefined) return;
        const viewer = viewers[index % viewers.length] ?? spiceGtk;
        // What it has under way it said under its old word; whether both still agree is no longer ours to tell.
        while (this.#toDaemon.length > 0) this.do({ what: "deliver to daemon", selection, type, index });
        if (viewer !== this.viewer) this.agrees = false;
        this.viewer = viewer;
        return this.#viewerSends({ kind: "viewer-changed", viewer });
      }
      case "viewer copies":
        return this.#viewerCopies(chosen, type === TEXT ? [TEXT, BMP] : [type, TEXT]);
      case "viewer copies what cannot be carried":
        return this.#viewerCopies(chosen, [BMP]);
      case "viewer clears":
        if (this.viewerOwns[chosen] !== "host") return;
        this.viewerOwns[chosen] = "nobody";
        return this.#viewerSends({ kind: "host-released", selection: chosen });
      case "viewer requests":
        return this.#viewerSends({
          kind: "host-requested",
          selection: aimed(this.viewerOwns, "guest", chosen, index),
          type,
        });
      case "viewer answers":
      case "viewer answers NONE": {
        const [asked] = this.#viewerAsked.splice(index % (this.#viewerAsked.length || 1), 1);
        if (asked !== undefined)
          this.#viewerAnswers(asked.selection, what === "viewer answers" ? asked.type : NONE, index);
        return;
      }
      case "viewer answers unasked":
        return this.#viewerAnswers(chosen, index === 0 ? NONE : type, index);
      case "viewer sets a limit":
        return this.#viewerSends({ kind: "viewer-limited", maxBytes: index - 1 });
      case "guest copies":
        this.guestOwns[selection] = policy.selections.includes(selection) ? "guest" : "local";
        this.#kept.delete(selection);
        return this.#step({ kind: "guest-grabbed", selection, types: type === BMP ? [BMP, TEXT] : [type] });
      case "guest copies what cannot be carried":
        this.guestOwns[selection] = "local";
        this.#kept.delete(selection);
        return this.#step({ kind: "guest-grabbed", selection, types: [BMP] });
      case "guest keeps":
        if (this.guestOwns[selection] !== "host") return;
        this.guestOwns[selection] = "local";
        this.#kept.add(selection);
        return this.#step({ kind: "guest-kept", selection, types: [TEXT] });
      case "guest clears":
        if (this.guestOwns[selection] === "host") return;
        this.#kept.delete(selection);
        this.guestOwns[selection] = this.guestOwns[selection] === "guest" ? "nobody" : "local";
        return this.#step({ kind: "guest-released", selection });
      case "guest pastes": {
        const requestId = this.#id();
        this.#pastes.set(requestId, { answers: 0, waits: true });
        const wanted = aimed(this.guestOwns, "host", selection, index);
        return this.#step({ kind: "guest-requested", requestId, selection: wanted, type });
      }
      case "guest cancels": {
        const open = [...this.#pastes].filter(([, paste]) => paste.waits);
        const [requestId, paste] = open[index % (open.length || 1)] ?? [];
        if (requestId === undefined || paste === undefined) return;
        paste.waits = false;
        return this.#step({ kind: "guest-cancelled", requestId });
      }
      case "guest answers":
      case "guest refuses": {
        // It may answer what nobody wants any more: the two have crossed.
        const open = [...this.#asks, ...this.#cancelledAsks];
        const askId = open[index % (open.length || 1)];
        if (askId === undefined) return;
        this.#asks.delete(askId);
        this.#cancelledAsks.delete(askId);
        if (what === "guest refuses") return this.#step({ kind: "guest-refused", askId });
        return this.#step({ kind: "guest-answered", askId, bodyId: this.#body() });
      }
      case "body ends":
      case "body fails": {
        const live = [...this.#bodies].filter(([, body]) => !body.ended && body.taken !== "no");
        const [bodyId, body] = live[index % (live.length || 1)] ?? [];
        if (bodyId === undefined || body === undefined) return;
        body.ended = true;
        if (what === "body ends") return this.#step({ kind: "body-finished", bodyId, bytes: 7 });
        return this.#step({ kind: "body-failed", bodyId, tooLarge: index % 2 === 1 });
      }
      case "time is up": {
        const [input] = this.#timers.splice(index % (this.#timers.length || 1), 1);
        if (input !== undefined) this.#step(input);
        return;
      }
      case "session changes":
        if (this.presence !== "away") this.#sessionLeaves();
        // Now and then nobody comes for a while.
        if (index > 0 || this.presence === "away") this.#sessionComes(selection, index);
        return;
      case "session shuts":
        if (this.presence === "shut") return;
        this.presence = "shut";
        return this.#step({ kind: "session-shut" });
      case "session opens":
        if (this.presence === "open") return;
        this.presence = "open";
        return this.#step({ kind: "session-opened" });
      default:
        return what satisfies never;
    }
  }

  /** Lets everything under way arrive and everything that waits run out of time, until nothing is left to happen. */
  settle(): void {
    const plain = { selection: CLIPBOARD, type: TEXT, index: 0 };
    if (this.presence === "away") this.do({ ...plain, what: "session changes", index: 1 });
    this.do({ ...plain, what: "session opens" });
    for (let round = 0; round < 1000; round += 1) {
      if (this.#toDaemon.length > 0) this.do({ ...plain, what: "deliver to daemon" });
      else if (this.#toViewer.length > 0) this.do({ ...plain, what: "deliver to viewer" });
      else if (this.#timers.length > 0) this.do({ ...plain, what: "time is up" });
      else if ([...this.#bodies.values()].some((body) => !body.ended)) this.do({ ...plain, what: "body ends" });
      else return;
    }
    throw new Error("it never comes to rest");
  }

  /** What must be true when nothing is left to happen. */
  expectSettled(): void {
    for (const { answers, waits } of this.#pastes.values()) if (waits) expect(answers).toBe(1);
    expect(this.#answers).toEqual(this.#requests);
    expect(this.state.guestRequests).toEqual([]);
    expect(this.state.hostRequests).toEqual([]);
    for (const { taken, ended } of this.#bodies.values()) expect([taken, ended]).not.toContain("no");
    if (this.viewer === undefined) {
      for (const selection of selections) expect(this.guestOwns[selection]).not.toBe("host");
    } else if (this.agrees) {
      for (const selection of policy.selections) {
        const both = [this.viewerOwns[selection], this.guestOwns[selection]];
        expect(
          this.guestOwns[selection] === "local"
            ? [
                ["host", "local"],
                ["nobody", "local"],
              ]
            : [[both[0], both[0]]],
        ).toContainEqual(both);
        expect(this.state.selections[selection].serial).toBe(this.viewerSerial[selection]);
      }
    }
  }

  #sessionLeaves(): void {
    // Nothing may come of its leaving that may not while it is shut.
    this.presence = "shut";
    this.#step({ kind: "session-left" });
    this.presence = "away";
    this.#asks.clear();
    this.#cancelledAsks.clear();
    this.#kept.clear();
    for (const each of selections) {
      must(this.guestOwns[each] !== "host", "it is left with an offer of the viewer's");
      this.guestOwns[each] = "local";
    }
  }

  /** Open or shut, and mostly with something that was copied there before. */
  #sessionComes(selection: ClipboardSelection, index: number): void {
    this.presence = index % 2 === 1 ? "open" : "shut";
    const copied = new Map<ClipboardSelection, readonly number[]>(index > 2 ? [[selection, [BMP, TEXT]]] : []);
    const isTaken = copied.has(selection) && policy.selections.includes(selection);
    if (isTaken && this.state.selections[selection].owner !== "host") this.guestOwns[selection] = "guest";
    this.#step({ kind: "session-arrived", guest: this.presence, copied });
  }

  #viewerCopies(selection: ClipboardSelection, offered: readonly number[]): void {
    if (this.viewer === undefined) return;
    this.viewerOwns[selection] = "host";
    const serial = this.viewerSerial[selection];
    if (this.viewer.serial) this.viewerSerial[selection] = (serial + 1) >>> 0;
    this.#viewerSends({ kind: "host-grabbed", selection, serial: this.viewer.serial ? serial : 0, types: offered });
  }

  #viewerAnswers(selection: ClipboardSelection, type: number, index: number): void {
    // Now and then more than the policy takes.
    this.#viewerSends({ kind: "host-answered", selection, type, bodyId: this.#body(), bytes: index === 6 ? 101 : 100 });
  }

  #viewerSends(input: ClipboardInput): void {
    if (this.viewer === undefined) {
      if (input.kind === "host-answered") this.#bodies.delete(input.bodyId);
      return;
    }
    this.#toDaemon.push({ input, epoch: this.#viewerEpoch });
  }

  #viewerReceives(next: { message: Message; epoch: number } | undefined): void {
    // spice-server throws away what was for a viewer that has gone.
    if (next === undefined || this.viewer === undefined || next.epoch !== this.#viewerEpoch) return;
    const { message } = next;
    const { selection } = message;
    switch (message.kind) {
      case "send-grab":
        if (this.viewer.serial) {
          if (message.serial !== this.viewerSerial[selection]) return this.#count("grab discarded by the viewer");
          this.viewerSerial[selection] = (message.serial + 1) >>> 0;
        }
        this.viewerOwns[selection] = "guest";
        return;
      case "send-release":
        if (this.viewerOwns[selection] === "guest") this.viewerOwns[selection] = "nobody";
        return;
      case "send-request":
        this.#viewerAsked.push({ selection, type: message.type });
        return;
      default:
        return;
    }
  }

  #forgetViewer(): void {
    Object.assign(this.viewerOwns, nobody());
    Object.assign(this.viewerSerial, zeros());
    this.#viewerAsked = [];
    this.viewer = undefined;
  }

  #step(input: ClipboardInput, epoch?: number): void {
    const before = this.state;
    const [state, effects] = clipboardStep(before, input, policy);
    this.state = state;
    if (input.kind === "viewer-arrived") this.#daemonEpoch = epoch ?? 0;
    if (input.kind === "viewer-arrived" || input.kind === "viewer-left")
      [this.#requests, this.#answers] = [zeros(), zeros()];
    if (input.kind === "host-requested" && this.#understood(input.selection)) this.#requests[input.selection] += 1;
    for (const effect of effects) this.#effect(effect, input);
    if (input.kind === "viewer-changed") {
      // What was asked about a selection of which no word passes any more is dropped.
      for (const selection of selections) {
        if (!this.#understood(selection)) [this.#requests[selection], this.#answers[selection]] = [0, 0];
      }
    }
    if ("bodyId" in input && input.kind.endsWith("-answered"))
      must(this.#bodies.get(input.bodyId)?.taken !== "no", `body of ${input.kind} left alone`);
    for (const selection of selections) must(this.#answers[selection] <= this.#requests[selection], "answered unasked");
    const asked = state.guestRequests
      .filter(({ phase }) => phase === "asked")
      .map((open) => `${open.selection} ${open.type}`);
    must(new Set(asked).size === asked.length, "the viewer is asked for the same twice at once");
    // Nobody waits for content that its owner no longer offers.
    for (const { phase, selection, type } of state.guestRequests) {
      if (typeof phase !== "object")
        must(
          state.selections[selection].owner === "host" && state.selections[selection].types.includes(type),
          "waits in vain",
        );
    }
  }

  #effect(effect: ClipboardEffect, cause: ClipboardInput): void {
    this.#count(effect.kind);
    switch (effect.kind) {
      case "send-empty":
      case "send-body":
        this.#answers[effect.selection] += 1;
        if (effect.kind === "send-body") {
          must(cause.kind === "body-finished" && cause.bodyId === effect.bodyId, "sent before it is whole");
          must(this.#bodies.get(effect.bodyId)?.taken === "collected", "sent without being gathered");
        }
        return this.#send(effect);
      case "send-grab":
        if (this.#kept.delete(effect.selection)) this.guestOwns[effect.selection] = "guest";
        must(this.guestOwns[effect.selection] !== "local", "the viewer is told of what is no news to it");
        return this.#send(effect);
      case "send-release":
      case "send-request":
        return this.#send(effect);
      case "offer-in-guest":
        must(this.presence === "open", "offered to a session that is shut, or away");
        this.guestOwns[effect.selection] = "host";
        this.#kept.delete(effect.selection);
        return;
      case "withdraw-in-guest": {
        must(this.presence !== "away", "withdrawn from nobody");
        // What an application has it keeps, but the viewer has taken the selection from it.
        const owner = this.guestOwns[effect.selection];
        this.guestOwns[effect.selection] = owner === "host" ? "nobody" : "local";
        if (owner === "host" && this.viewerOwns[effect.selection] === "host")
          this.guestOwns[effect.selection] = "local";
        return;
      }
      case "ask-guest":
        must(this.presence === "open", "a session that is shut, or away, is asked");
        must(this.guestOwns[effect.selection] === "guest", "the guest is asked for what it has not");
        this.#asks.add(effect.askId);
        return;
      case "cancel-ask":
        if (this.#asks.delete(effect.askId)) this.#cancelledAsks.add(effect.askId);
        return;
      case "refuse-guest":
        return this.#answered(effect.requestId);
      case "open-body":
        must(this.presence === "open", "content goes to a session that is shut, or away");
        this.#answered(effect.requestId);
        return this.#take(effect.bodyId, "opened", cause);
      case "collect-body":
        return this.#take(effect.bodyId, "collected", cause);
      case "refuse-body":
        return this.#take(effect.bodyId, "refused", cause);
      case "abort-body": {
        const body = this.#bodies.get(effect.bodyId);
        must(body?.taken === "opened" || body?.taken === "collected", "stopped before it began");
        must(!body.ended, "stopped after its end");
        body.ended = true;
        return;
      }
      case "await-host":
        this.#timers.push({ kind: "host-silent", requestId: effect.requestId });
        return;
      case "await-guest":
        this.#timers.push({ kind: "guest-silent", askId: effect.askId });
        return;
      case "note":
      case "count-refusal":
      case "count-transfer":
        return;
      default:
        return effect satisfies never;
    }
  }

  #send(message: Message): void {
    const isNoNews = message.kind === "send-release" || (message.kind === "send-empty" && message.type === NONE);
    must(this.presence === "open" || isNoNews, `${message.kind} while the session is ${this.presence}`);
    if (this.presence === "shut") this.#count(`${message.kind} while shut`);
    must(this.#understood(message.selection), `${message.kind} to nobody who understands it`);
    this.#toViewer.push({ message, epoch: this.#daemonEpoch });
  }

  /** The viewer the daemon knows of announced what a message about this selection takes. */
  #understood(selection: ClipboardSelection): boolean {
    const { viewer } = this.state;
    return viewer?.clipboard === true && (viewer.selection || selection === CLIPBOARD);
  }

  #answered(requestId: number): void {
    const paste = this.#pastes.get(requestId);
    must(paste?.waits === true && paste.answers === 0, "a paste is answered twice, or does not wait");
    paste.answers += 1;
  }

  #take(bodyId: number, taken: Body["taken"], cause: ClipboardInput): void {
    must("bodyId" in cause && cause.kind.endsWith("-answered") && cause.bodyId === bodyId, "a body out of nowhere");
    const body = this.#bodies.get(bodyId);
    must(body?.taken === "no", "a body has two fates");
    body.taken = taken;
    body.ended = taken === "refused";
  }

  #body(): number {
    const bodyId = this.#id();
    this.#bodies.set(bodyId, { taken: "no", ended: false });
    return bodyId;
  }

  #id(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }
}

test("whatever both sides do, every question has one answer, every body one fate, and in the end both agree who owns", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(anyDeeds, (all) => {
      const conversation = new Conversation();
      for (const deed of all) conversation.do(deed);
      conversation.settle();
      conversation.expectSettled();
      for (const [what, count] of conversation.seen) seen.set(what, (seen.get(what) ?? 0) + count);
    }),
    { numRuns: 3000 },
  );
  // Without these the property would hold of conversations in which nothing happens.
  for (const what of [
    "send-grab",
    "send-release",
    "send-request",
    "send-empty",
    "send-body",
    "open-body",
    "refuse-body",
  ])
    expect(seen.get(what), what).toBeGreaterThan(50);
  for (const what of [
    "refuse-guest",
    "cancel-ask",
    "abort-body",
    "grab discarded by the viewer",
    "send-empty while shut",
    "send-release while shut",
  ])
    expect(seen.get(what), what).toBeGreaterThan(50);
});

test("row 53: when both sides copy in the same moment, the viewer owns on both sides, whatever was before", () => {
  const order = fc.array(fc.boolean(), { maxLength: 6 });
  fc.assert(
    fc.property(
      anyDeeds,
      fc.constantFrom(CLIPBOARD, PRIMARY),
      fc.boolean(),
      order,
      (all, selection, viewerFirst, deliveries) => {
        const conversation = new Conversation();
        for (const deed of all) conversation.do(deed);
        conversation.settle();
        const plain = { selection, type: TEXT, index: 0 };
        if (!conversation.agrees || conversation.viewer === undefined)
          conversation.do({ ...plain, what: "viewer arrives" });
        conversation.settle();
        const copies = ["viewer copies", "guest copies"] as const;
        for (const what of viewerFirst ? copies : copies.toReversed()) conversation.do({ ...plain, what });
        for (const toDaemon of deliveries) {
          conversation.do({ ...plain, what: toDaemon ? "deliver to daemon" : "deliver to viewer" });
        }
        conversation.settle();
        conversation.expectSettled();
        expect([conversation.viewerOwns[selection], conversation.guestOwns[selection]]).toEqual(["host", "host"]);
      },
    ),
    { numRuns: 500 },
  );
});
