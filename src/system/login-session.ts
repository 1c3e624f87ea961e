// A login session as logind describes it (org.freedesktop.login1(5), interface Session).
import type { LoginSession as SessionOfUser } from "../features/sessions.ts";
import { asCount, asFlag, asList, asPath, asText, type BusValue } from "../support/bus/bus-values.ts";

/** The seat whose screens a SPICE guest shows. */
export const CONSOLE_SEAT = "seat0";

/** `isLocked` is the last of the Lock and Unlock signals and of LockedHint. `startx` from a console login stays a "tty". */
export interface LoginSession extends SessionOfUser {
  /** Its object. Escaped by logind's rules, so it is only ever taken from logind. */
  readonly path: string;
  /** "online", "active", "closing", …: logind's word. */
  readonly state: string;
  /** The unit its processes are in, `session-N.scope`; empty if it has none. */
  readonly scope: string;
}

/** Its properties and its lock as logind has it. Throws a BackendError `bus.bad-answer`. */
export function readSession(
  path: string,
  properties: Readonly<Record<string, BusValue>>,
): LoginSession & { readonly lockedHint: boolean } {
  const { Id, User, Class, Type, Seat, State, Scope, LockedHint } = properties;
  const [uid] = asList(User, "Session.User");
  const [seat] = asList(Seat, "Session.Seat");
  // systemd has it since 230.
  const lockedHint = LockedHint === undefined ? false : asFlag(LockedHint, "Session.LockedHint");
  return {
    id: asText(Id, "Session.Id"),
    path,
    uid: asCount(uid, "Session.User"),
    class: asText(Class, "Session.Class"),
    type: asText(Type, "Session.Type"),
    seat: asText(seat, "Session.Seat"),
    state: asText(State, "Session.State"),
    isLocked: lockedHint,
    scope: asText(Scope, "Session.Scope"),
    lockedHint,
  };
}

/** The object of an `(so)`, a name and its path; undefined if it names nothing, which is "" and "/". */
export function readReference(value: BusValue | undefined, what: string): string | undefined {
  const [id, path] = asList(value, what);
  return asText(id, what) === "" ? undefined : asPath(path, what);
}

/** It can have a screen of this machine or of its own: an agent may belong to it. */
export function canHaveScreen({ type, seat }: LoginSession): boolean {
  return seat === CONSOLE_SEAT || type === "x11" || type === "wayland" || type === "mir";
}
