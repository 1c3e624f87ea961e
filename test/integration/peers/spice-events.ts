/** The events of spice-client.py. `atMs` is CLOCK_MONOTONIC in ms, as `monotonicMs()` in until.ts. */

/** What the client saw of one head. Pixels. */
export interface Monitor {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type ChannelName = "main" | "display" | "inputs" | "webdav";

interface EventFields {
  readonly ready: object;
  readonly disconnected: object;
  /** A channel opened, closed or failed; `state` is spice-gtk's own word ("opened", "closed", "error-io", …). */
  readonly channel: { readonly type: ChannelName; readonly id: number; readonly state: string };
  /** The agent's port was opened or closed, or (`announced`) its capabilities arrived; `caps` is their first word. */
  readonly agent: { readonly connected: boolean; readonly announced: boolean; readonly caps: number };
  /** 1: the server moves the pointer, 2: the client does. */
  readonly "mouse-mode": { readonly mode: number };
  /** The primary surface was created, or (0 by 0) destroyed. */
  readonly primary: { readonly channel: number; readonly width: number; readonly height: number };
  readonly monitors: { readonly channel: number; readonly monitors: readonly Monitor[] };
  readonly "clipboard-grab": { readonly selection: number; readonly types: readonly number[] };
  readonly "clipboard-release": { readonly selection: number };
  /** The guest wants our clipboard; `mode` is what we do about it. */
  readonly "clipboard-request": { readonly selection: number; readonly type: number; readonly mode: AnswerMode };
  /** Our answer was handed to spice-gtk, which sends it as fast as the guest takes it. */
  readonly "clipboard-answered": { readonly selection: number; readonly type: number; readonly bytes: number };
  /** The guest's clipboard arrived; not `requested` if nobody waits for it (any more). */
  /** A dropped file's transfer is over; `file` is its name without folders, `error` null if the guest has it. */
  readonly "file-finished": { readonly file: string; readonly error: string | null };
  readonly "clipboard-data": ClipboardFacts & { readonly requested: boolean };
}

/** Answer with data, with an empty NONE, or not at all. */
export type AnswerMode = "data" | "none" | "never";

export interface ClipboardFacts {
  readonly selection: number;
  /** 0 (NONE) if the guest has nothing to give. */
  readonly type: number;
  readonly bytes: number;
  readonly md5: string;
}

export type ClientEventName = keyof EventFields;
type AnyEvent = {
  readonly [K in ClientEventName]: { readonly event: K; readonly atMs: number } & EventFields[K];
}[ClientEventName];
export type ClientEvent<N extends ClientEventName = ClientEventName> = Extract<AnyEvent, { readonly event: N }>;

export function isEvent<N extends ClientEventName>(event: ClientEvent, name: N): event is ClientEvent<N> {
  return event.event === name;
}
