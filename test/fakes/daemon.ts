// The daemon's half between a fake host and a fake session, on a port in memory and with time that stands still.
import { duplexPair } from "node:stream";
import type { InputEvent } from "../../src/features/pointer.ts";
import type { Peer } from "../../src/features/sessions.ts";
import { DaemonHalf } from "../../src/programs/daemon-half.ts";
import { type LoginSessions, SessionAgents } from "../../src/programs/session-agents.ts";
import { PortError } from "../../src/support/errors.ts";
import type { DesktopGeometry } from "../../src/wire/link/messages.ts";
import { openPolicy } from "./clipboard-policy.ts";
import { FakeHost, type FakeHostOptions } from "./fake-host.ts";
import { FakeSession } from "./fake-session.ts";
import { ManualClock } from "./manual-clock.ts";
import { recordingLog } from "./recording-log.ts";

export interface DaemonUnderTest extends AsyncDisposable {
  readonly daemon: DaemonHalf;
  readonly agents: SessionAgents;
  /** The first session; it is not connected where somebody is asked about sessions. */
  readonly session: FakeSession;
  /** Another session's agent connects. */
  connects(peer?: Peer, geometry?: DesktopGeometry | null): FakeSession;
  readonly clock: ManualClock;
  readonly logged: readonly string[];
  readonly loggedOfUsers: readonly (readonly [number, string])[];
  readonly pointerEvents: readonly InputEvent[];
  /** Width and height that the pointer's device was given, oldest first. */
  readonly pointerRanges: readonly (readonly [number, number])[];
  /** How often the port has been opened. */
  readonly openings: number;
  /** The host of the present opening; waits for one, moving time on. */
  host(): Promise<FakeHost>;
}

export interface DaemonOptions extends FakeHostOptions {
  readonly pointer?: boolean;
  readonly maxBytes?: number;
  /** Of the first session; null: not known yet. */
  readonly geometry?: DesktopGeometry | null;
  /** Who is asked about sessions. */
  readonly logins?: LoginSessions;
}

const ourselves: Peer = { pid: process.pid, uid: 0 };

export async function daemonUnderTest(options: DaemonOptions = {}): Promise<DaemonUnderTest> {
  const clock = new ManualClock();
  const { log, lines, ofUsers } = recordingLog();
  const { session, daemonEnd } = FakeSession.inMemory(options.geometry);
  const pointerEvents: InputEvent[] = [];
  const pointerRanges: (readonly [number, number])[] = [];
  const waiting: FakeHost[] = [];
  let openings = 0;
  const daemon = new DaemonHalf({
    openPort: async (signal) => {
      if (signal.aborted) throw new PortError("port.failed", "stopped");
      const [guestEnd, hostEnd] = duplexPair();
      openings += 1;
      hostEnd.on("close", () => guestEnd.destroy());
      guestEnd.on("close", () => hostEnd.destroy());
      waiting.push(new FakeHost(hostEnd, options));
      return { stream: guestEnd, [Symbol.asyncDispose]: async () => void guestEnd.destroy() };
    },
    pointer:
      options.pointer === false
        ? undefined
        : {
            open: async () => {},
            setRange: (width, height) => void pointerRanges.push([width, height]),
            emit: (events) => pointerEvents.push(...events) > 0,
            [Symbol.asyncDispose]: async () => {},
          },
    abilities: {
      pointer: options.pointer !== false,
      clipboard: true,
      display: true,
      effects: true,
      volume: true,
      files: true,
    },
    clipboardPolicy: openPolicy(
      options.maxBytes === undefined ? {} : { maxToGuestBytes: options.maxBytes, maxToHostBytes: options.maxBytes },
    ),
    clock,
    log,
  });
  const agents = new SessionAgents({ daemon, logins: options.logins, version: "0.0.0-test", clock, log });
  if (options.logins === undefined) {
    agents.connect(daemonEnd, ourselves);
    await session.ready;
  }
  return {
    daemon,
    agents,
    session,
    connects: (peer = ourselves, geometry) => {
      const next = FakeSession.inMemory(geometry);
      agents.connect(next.daemonEnd, peer);
      return next.session;
    },
    clock,
    logged: lines,
    loggedOfUsers: ofUsers,
    pointerEvents,
    pointerRanges,
    get openings() {
      return openings;
    },
    host: async () => {
      for (let turn = 0; turn < 1000; turn += 1) {
        const host = waiting.shift();
        if (host !== undefined) return host;
        await new Promise((resolve) => setImmediate(resolve));
        if (turn % 10 === 9) clock.advance(100);
      }
      throw new Error("the port was not opened");
    },
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      await agents[Symbol.asyncDispose]();
    },
  };
}

/** Lets everything happen that only waits for its turn. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
