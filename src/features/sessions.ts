// Which session agent is let in, and which one is on the screen. Section 6.3 of the protocol; design, "Security".

/** Connections at once, of all users and of one. */
const MAX_CONNECTIONS = 128;
const MAX_CONNECTIONS_OF_USER = 16;

/** A login session as logind describes it. */
export interface LoginSession {
  readonly id: string;
  readonly uid: number;
  /** `user`, `greeter`, `lock-screen`, … */
  readonly class: string;
  /** `x11`, `wayland`, `tty`, … */
  readonly type: string;
  /** Empty: a session without a screen of this machine. */
  readonly seat: string;
  readonly isLocked: boolean;
}

/** Who is behind a connection. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
}

export interface Agent {
  readonly agentId: number;
  readonly peer: Peer;
  /** Undefined until it is known, and where nobody is asked. */
  readonly sessionId: string | undefined;
  readonly isAccepted: boolean;
}

/** The agent on the screen; `isShut`: its user may not be there, so nothing is to be exchanged with it. */
export interface ActiveAgent {
  readonly agentId: number;
  readonly isShut: boolean;
  /** Of a person, not of a login screen. */
  readonly isOfUser: boolean;
}

export interface SessionsState {
  readonly agents: readonly Agent[];
  /** What logind says is on the screen; `nobody-asked`: the first agent that comes is. */
  readonly screen: LoginSession | undefined | "nobody-asked";
  readonly active: ActiveAgent | undefined;
}

export type SessionsInput =
  | { readonly kind: "agent-connected"; readonly agentId: number; readonly peer: Peer }
  /** Logind's answer to `identify`; undefined: the process belongs to no session of its user. */
  | { readonly kind: "agent-identified"; readonly agentId: number; readonly session: LoginSession | undefined }
  | { readonly kind: "agent-left"; readonly agentId: number }
  | { readonly kind: "screen-changed"; readonly session: LoginSession | undefined };

export type SessionsEffect =
  /** Find out whose session it is. */
  | { readonly kind: "identify"; readonly agentId: number }
  | { readonly kind: "accept"; readonly agentId: number }
  | { readonly kind: "refuse"; readonly agentId: number; readonly reason: string }
  | { readonly kind: "activate"; readonly agent: ActiveAgent }
  | { readonly kind: "deactivate" }
  /** The same agent, now open or shut. */
  | { readonly kind: "shut"; readonly isShut: boolean; readonly isOfUser: boolean };

export const withLogind: SessionsState = { agents: [], screen: undefined, active: undefined };
export const withoutLogind: SessionsState = { agents: [], screen: "nobody-asked", active: undefined };

type Step = readonly [SessionsState, readonly SessionsEffect[]];

export function sessionsStep(state: SessionsState, input: SessionsInput): Step {
  switch (input.kind) {
    case "agent-connected":
      return connected(state, input.agentId, input.peer);
    case "agent-identified":
      return identified(state, input.agentId, input.session);
    case "agent-left":
      return chosen({ ...state, agents: state.agents.filter((agent) => agent.agentId !== input.agentId) });
    case "screen-changed":
      return screenChanged(state, input.session);
    default:
      return input satisfies never;
  }
}

function connected(state: SessionsState, agentId: number, peer: Peer): Step {
  const reason = reasonAgainst(state, peer);
  if (reason !== undefined) return [state, [{ kind: "refuse", agentId, reason }]];
  const agents = [...state.agents, { agentId, peer, sessionId: undefined, isAccepted: false }];
  if (state.screen !== "nobody-asked") return [{ ...state, agents }, [{ kind: "identify", agentId }]];
  return accepted({ ...state, agents }, agentId, undefined);
}

function reasonAgainst({ agents, screen }: SessionsState, peer: Peer): string | undefined {
  if (agents.length >= MAX_CONNECTIONS) return `more than ${MAX_CONNECTIONS} connections`;
  if (agents.filter((agent) => agent.peer.uid === peer.uid).length >= MAX_CONNECTIONS_OF_USER)
    return `more than ${MAX_CONNECTIONS_OF_USER} connections of user ${peer.uid}`;
  if (screen === "nobody-asked" && agents.length > 0) return "there is an agent already";
  return undefined;
}

/** An agent of the user manager outlives the login session it was met in, and is the next one's too. */
function screenChanged(before: SessionsState, session: LoginSession | undefined): Step {
  const [state, effects] = chosen({ ...before, screen: session });
  if (session === undefined || state.agents.some((agent) => agent.sessionId === session.id)) return [state, effects];
  const ofUser = state.agents.filter((agent) => agent.isAccepted && agent.peer.uid === session.uid);
  return [state, [...effects, ...ofUser.map(({ agentId }) => ({ kind: "identify", agentId }) as const)]];
}

function identified(state: SessionsState, agentId: number, session: LoginSession | undefined): Step {
  const agent = state.agents.find((open) => open.agentId === agentId);
  if (agent === undefined) return [state, []];
  if (agent.isAccepted) return movedTo(state, agent, session);
  const refused = (reason: string): Step => [
    { ...state, agents: state.agents.filter((open) => open !== agent) },
    [{ kind: "refuse", agentId, reason }],
  ];
  if (session === undefined) return refused("it belongs to no session of its user");
  if (session.uid !== agent.peer.uid) return refused(`session ${session.id} is of user ${session.uid}`);
  if (session.seat === "") return refused(`session ${session.id} has no seat`);
  const other = state.agents.find((open) => open.isAccepted && open.sessionId === session.id);
  if (other !== undefined) return refused(`session ${session.id} has an agent already, process ${other.peer.pid}`);
  return accepted(state, agentId, session.id);
}

/** Its user's session is another one now; what cannot be told or is taken changes nothing. */
function movedTo(state: SessionsState, agent: Agent, session: LoginSession | undefined): Step {
  if (session === undefined || session.uid !== agent.peer.uid || session.seat === "") return [state, []];
  if (state.agents.some((other) => other.sessionId === session.id)) return [state, []];
  const agents = state.agents.map((other) => (other === agent ? { ...agent, sessionId: session.id } : other));
  return chosen({ ...state, agents });
}

function accepted(state: SessionsState, agentId: number, sessionId: string | undefined): Step {
  const agents = state.agents.map((agent) =>
    agent.agentId === agentId ? { ...agent, sessionId, isAccepted: true } : agent,
  );
  const [next, effects] = chosen({ ...state, agents });
  return [next, [{ kind: "accept", agentId }, ...effects]];
}

/** The same state with the right agent active. */
function chosen(state: SessionsState): Step {
  const before = state.active;
  const active = rightOne(state);
  const next = { ...state, active };
  if (before?.agentId === active?.agentId) {
    if (active === undefined || before === undefined) return [next, []];
    const { isShut, isOfUser } = active;
    if (before.isShut === isShut && before.isOfUser === isOfUser) return [next, []];
    return [next, [{ kind: "shut", isShut, isOfUser }]];
  }
  const effects: SessionsEffect[] = before === undefined ? [] : [{ kind: "deactivate" }];
  if (active !== undefined) effects.push({ kind: "activate", agent: active });
  return [next, effects];
}

function rightOne({ agents, screen }: SessionsState): ActiveAgent | undefined {
  if (screen === undefined) return undefined;
  const isOnScreen = ({ sessionId }: Agent): boolean => screen === "nobody-asked" || sessionId === screen.id;
  const agent = agents.find((open) => open.isAccepted && isOnScreen(open));
  if (agent === undefined) return undefined;
  if (screen === "nobody-asked") return { agentId: agent.agentId, isShut: false, isOfUser: true };
  const isOfUser = isClassOfUser(screen.class);
  return { agentId: agent.agentId, isShut: screen.isLocked || !isOfUser, isOfUser };
}

/** `name`: logind's class of a session. Greeters and lock screens are of no user; newer logind has `user-early` and more. */
export function isClassOfUser(name: string): boolean {
  return name.startsWith("user");
}
