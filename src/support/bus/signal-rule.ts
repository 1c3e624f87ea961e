// Which signals are wanted: the rule as the bus reads it, and the same rule for what arrives.
import type { BusSignal } from "./bus-connection.ts";

export interface SignalRule {
  /** A well-known or unique name. Required: anybody on a bus may send us any signal, and a rule of the bus prevents none. */
  readonly sender: string;
  readonly interface: string;
  readonly member?: string;
  readonly path?: string;
  /** This path and all below it. */
  readonly pathNamespace?: string;
  /** The first argument, a string. */
  readonly arg0?: string;
}

const keys = {
  sender: "sender",
  interface: "interface",
  member: "member",
  path: "path",
  pathNamespace: "path_namespace",
  arg0: "arg0",
} as const satisfies Record<keyof SignalRule, string>;

/** As AddMatch takes it (D-Bus specification, "Match Rules"). */
export function ruleText(rule: SignalRule): string {
  const parts = ["type='signal'"];
  for (const [name, key] of Object.entries(keys)) {
    const value = rule[name as keyof SignalRule];
    // An apostrophe ends the quotation, stands alone behind a backslash, and begins another.
    if (value !== undefined) parts.push(`${key}='${value.replaceAll("'", "'\\''")}'`);
  }
  return parts.join(",");
}

/** Everything but the sender, whose owner the connection knows. */
export function isWanted(rule: SignalRule, signal: BusSignal): boolean {
  return (
    signal.interface === rule.interface &&
    (rule.member === undefined || signal.member === rule.member) &&
    (rule.path === undefined || signal.path === rule.path) &&
    (rule.pathNamespace === undefined || isWithin(signal.path, rule.pathNamespace)) &&
    (rule.arg0 === undefined || signal.body[0] === rule.arg0)
  );
}

function isWithin(path: string, namespace: string): boolean {
  return path === namespace || namespace === "/" || path.startsWith(`${namespace}/`);
}

/** A unique name belongs to one connection, as does that of the bus itself; any other has an owner, who may change. */
export function hasOwner(sender: string): boolean {
  return !sender.startsWith(":") && sender !== "org.freedesktop.DBus";
}
