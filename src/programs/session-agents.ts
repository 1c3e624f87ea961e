// The session agents at the daemon: who may connect, which of them is on the screen, and what the others have told meanwhile.
import type { Duplex } from "node:stream";
import {
  type LoginSession,
  type Peer,
  type SessionsEffect,
  type SessionsInput,
  type SessionsState,
  sessionsStep,
  withLogind,
  withoutLogind,
} from "../features/sessions.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { ClipboardType } from "../wire/agent-constants.ts";
import type { DesktopGeometry, FeatureReport } from "../wire/link/messages.ts";
import { SessionSelections } from "./daemon-clipboard.ts";
import type { DaemonHalf } from "./daemon-half.ts";

/** For logind to say whose session a connection is of; nothing of it is read before. */
const IDENTIFY_MS = 2000;
/** For an agent that was let in to say its first words: until then it keeps its session's place from a better one. */
const FIRST_WORDS_MS = 10_000;

/** Whom to ask about sessions. */
export interface LoginSessions {
  /** The session a process belongs to, of its own user only; undefined: none. Rejects when nobody can tell. */
  sessionOfPeer(peer: Peer, signal: AbortSignal): Promise<LoginSession | undefined>;
}

export interface SessionAgentsOptions {
  readonly daemon: DaemonHalf;
  /** Undefined: nobody is asked; the first agent that comes is on the screen. */
  readonly logins: LoginSessions | undefined;
  /** What we call ourselves on the link. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** One session's agent as `status` shows it. */
export interface AgentStatus {
  readonly sessionId: string | undefined;
  readonly peer: Peer;
  readonly isActive: boolean;
  readonly isShut: boolean;
  readonly version: string | undefined;
  readonly dialect: "extended" | "plain" | undefined;
  readonly features: readonly FeatureReport[];
}

interface Connection {
  readonly duplex: Duplex;
  readonly peer: Peer;
  link: LinkConnection | undefined;
  isReady: boolean;
  geometry: DesktopGeometry | undefined;
  readonly selections: SessionSelections;
  features: readonly FeatureReport[];
}

export class SessionAgents implements AsyncDisposable {
  readonly #options: SessionAgentsOptions;
  readonly #log: Log;
  readonly #connections = new Map<number, Connection>();
  #state: SessionsState;
  #nextId = 1;
  /** The agent that the daemon's half is joined to. */
  #attached: number | undefined;

  constructor(options: SessionAgentsOptions) {
    this.#options = options;
    this.#log = options.log.of("session");
    this.#state = options.logins === undefined ? withoutLogind : withLogind;
  }

  /** Takes a connection over, to keep or to close; the duplex must not be flowing. */
  connect(duplex: Duplex, peer: Peer): void {
    const agentId = this.#nextId;
    this.#nextId += 1;
    this.#connections.set(agentId, {
      duplex,
      peer,
      link: undefined,
      isReady: false,
      geometry: undefined,
      selections: new SessionSelections(),
      features: [],
    });
    duplex.on("error", () => {});
    duplex.once("close", () => this.#gone(agentId));
    this.#input({ kind: "agent-connected", agentId, peer });
  }

  /** Another session is on the screen, or the same one is locked or open now. */
  screenChanged(session: LoginSession | undefined): void {
    this.#input({ kind: "screen-changed", session });
  }

  get status(): readonly AgentStatus[] {
    return this.#state.agents.flatMap(({ agentId, peer, sessionId, isAccepted }) => {
      const connection = this.#connections.get(agentId);
      if (!isAccepted || connection === undefined) return [];
      const isActive = this.#state.active?.agentId === agentId;
      const isShut = isActive && this.#state.active?.isShut === true;
      const { link, features } = connection;
      return [{ sessionId, peer, isActive, isShut, version: link?.peerVersion, dialect: link?.dialect, features }];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { link, duplex } of this.#connections.values()) {
      await link?.[Symbol.asyncDispose]();
      duplex.destroy();
    }
  }

  #input(input: SessionsInput): void {
    const [state, effects] = sessionsStep(this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#act(effect);
  }

  #act(effect: SessionsEffect): void {
    switch (effect.kind) {
      case "identify":
        void this.#identify(effect.agentId);
        return;
      case "accept":
        return this.#accept(effect.agentId);
      case "refuse":
        return this.#refuse(effect.agentId, effect.reason);
      case "activate":
        return this.#attach(effect.agent.agentId);
      case "deactivate":
        return this.#detach();
      case "shut":
        this.#log.info(effect.isShut ? "shut: locked or not of a user" : "open");
        if (this.#attached !== undefined) this.#options.daemon.shut(effect);
        return;
      default:
        effect satisfies never;
    }
  }

  async #identify(agentId: number): Promise<void> {
    const peer = this.#connections.get(agentId)?.peer;
    const { logins } = this.#options;
    if (peer === undefined || logins === undefined) return;
    let session: LoginSession | undefined;
    const signal = AbortSignal.timeout(IDENTIFY_MS);
    try {
      session = await logins.sessionOfPeer(peer, signal);
    } catch (error) {
      if (!(error instanceof BackendError || signal.aborted)) throw error;
      this.#log
        .about(peer.uid)
        .warn(`process ${peer.pid} of user ${peer.uid}: whose session it is cannot be told: ${describeError(error)}`);
    }
    this.#input({ kind: "agent-identified", agentId, session });
  }

  #accept(agentId: number): void {
    const connection = this.#connections.get(agentId);
    if (connection === undefined) return;
    const { version, clock } = this.#options;
    const log = this.#log.about(connection.peer.uid);
    const silence = clock.after(FIRST_WORDS_MS, () => {
      log.warn(`${this.#describe(agentId)}: not a word of its agent, process ${connection.peer.pid}: let go`);
      connection.duplex.destroy();
    });
    connection.link = new LinkConnection(
      connection.duplex,
      { role: "daemon", version, clock, log: log.of("link") },
      {
        ready: () => {
          silence[Symbol.dispose]();
          connection.isReady = true;
          this.#log.info(`agent of ${this.#describe(agentId)} connected, ${connection.link?.dialect}`);
          if (this.#state.active?.agentId === agentId) this.#attach(agentId);
        },
        message: (message) => this.#received(agentId, connection, message),
        closed: () => {
          silence[Symbol.dispose]();
          this.#gone(agentId);
        },
      },
    );
    connection.duplex.resume();
  }

  #refuse(agentId: number, reason: string): void {
    const connection = this.#connections.get(agentId);
    this.#connections.delete(agentId);
    if (connection === undefined) return;
    const { duplex, peer } = connection;
    this.#log.about(peer.uid).warn(`process ${peer.pid} of user ${peer.uid} refused: ${reason}`);
    duplex.destroy();
  }

  #gone(agentId: number): void {
    if (!this.#connections.has(agentId)) return;
    this.#log.info(`agent of ${this.#describe(agentId)} gone`);
    this.#connections.delete(agentId);
    this.#input({ kind: "agent-left", agentId });
  }

  #attach(agentId: number): void {
    const connection = this.#connections.get(agentId);
    // Not before its first words: until then we do not know how to speak to it.
    if (connection?.link === undefined || !connection.isReady || this.#attached === agentId) return;
    this.#attached = agentId;
    const { link, peer, geometry, selections } = connection;
    const { isShut = false, isOfUser = true } = this.#state.active ?? {};
    this.#log.info(`${this.#describe(agentId)} is on the screen${isShut ? ", locked or not of a user" : ""}`);
    this.#options.daemon.attach({ link, uid: peer.uid, isShut, isOfUser, geometry, selections });
  }

  #detach(): void {
    if (this.#attached === undefined) return;
    this.#attached = undefined;
    this.#options.daemon.detach();
  }

  #received(agentId: number, connection: Connection, message: LinkControlMessage): void {
    switch (message.kind) {
      case "desktop-geometry":
        connection.geometry = message.geometry;
        break;
      case "clipboard-grab":
      case "clipboard-kept":
        if (!connection.selections.grab(message.selection, message.types, message.offer)) return;
        break;
      case "clipboard-release":
      case "clipboard-secret":
        connection.selections.release(message.selection);
        break;
      case "session-report":
        connection.features = message.features;
        return;
      default:
    }
    if (agentId === this.#attached) this.#options.daemon.sessionSaid(message);
    else if (message.kind === "content-request") this.#refuseContent(agentId, connection, message.requestId);
    else if (message.kind === "content-answer" && message.bodyId !== undefined)
      connection.link?.incomingBody(message.bodyId).cancel();
  }

  #refuseContent(agentId: number, { link }: Connection, requestId: number): void {
    this.#log.info(`${this.#describe(agentId)} is not on the screen: its paste is refused`);
    link?.send({ kind: "content-answer", requestId, type: ClipboardType.NONE });
  }

  #describe(agentId: number): string {
    const agent = this.#state.agents.find((open) => open.agentId === agentId);
    if (agent?.sessionId !== undefined) return `session ${agent.sessionId}`;
    return `process ${this.#connections.get(agentId)?.peer.pid}`;
  }
}
