// Where the message buses of this machine and of this user listen (D-Bus specification, "Server addresses").
import { BackendError } from "../errors.ts";

/** $DBUS_SYSTEM_BUS_ADDRESS, or the place every distribution has it in. */
export function systemBusAddress(env: NodeJS.ProcessEnv = process.env): string {
  return env.DBUS_SYSTEM_BUS_ADDRESS || "unix:path=/run/dbus/system_bus_socket";
}

/** $DBUS_SESSION_BUS_ADDRESS, or the user bus of systemd. Throws a BackendError `bus.unreachable` if there is neither. */
export function sessionBusAddress(env: NodeJS.ProcessEnv = process.env): string {
  if (env.DBUS_SESSION_BUS_ADDRESS) return env.DBUS_SESSION_BUS_ADDRESS;
  if (env.XDG_RUNTIME_DIR) return `unix:path=${env.XDG_RUNTIME_DIR}/bus`;
  throw new BackendError("bus.unreachable", "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
}

/**
 * The first unix socket of an address, as an address of its own that dbus-next understands: of a list it takes the first
 * entry only, it knows no escapes, and it would run a program named by `unixexec:`. Throws a BackendError
 * `bus.unreachable` if there is none.
 */
export function unixAddress(address: string): string {
  for (const entry of address.split(";")) {
    const match = /^unix:(?:.*,)?(path|abstract)=([^,]+)/.exec(entry);
    const path = unescaped(match?.[2] ?? "");
    // A comma or a colon would end the path for the library.
    if (path !== undefined && /^[^,:;\0]+$/.test(path)) return `unix:${match?.[1]}=${path}`;
  }
  throw new BackendError("bus.unreachable", `${JSON.stringify(address)} names no unix socket: unix:path=/… does`);
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
