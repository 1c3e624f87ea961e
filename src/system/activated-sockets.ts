// Listening sockets that systemd has opened for us before we were started: sd_listen_fds(3).
import { fstatSync } from "node:fs";
import { ConfigError } from "../support/errors.ts";

const FIRST_FD = 3;
const MAX_SOCKETS = 64;
/** systemd's word for a socket without a name. */
const NO_NAME = "unknown";

/**
 * Name of each socket → its descriptor, for `server.listen({ fd })`. Nothing when they are meant for another process.
 * Takes the variables out of `env`, so that no child believes them to be its own; the descriptors themselves are kept from
 * children by Node, which does so at its start. Throws a ConfigError.
 */
export function activatedSockets(env: NodeJS.ProcessEnv, isSocket = isSocketHere): ReadonlyMap<string, number> {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  if (pid === undefined || count === undefined) return new Map();
  if (numberIn("LISTEN_PID", pid, 2 ** 31) !== process.pid) return new Map();
  const sockets = new Map<string, number>();
  const nameOf = namesOf(names, numberIn("LISTEN_FDS", count, MAX_SOCKETS));
  for (const [index, name] of nameOf.entries()) {
    const fd = FIRST_FD + index;
    if (sockets.has(name))
      throw wrong("LISTEN_FDNAMES", names, `a name for one socket only, but there are two ${name}`);
    if (!isSocket(fd)) throw wrong("LISTEN_FDS", count, `sockets from ${FIRST_FD} on, but ${fd} is none`);
    sockets.set(name, fd);
  }
  return sockets;
}

function namesOf(text: string | undefined, count: number): readonly string[] {
  if (text === undefined) return Array.from({ length: count }, () => NO_NAME);
  const names = text === "" ? [] : text.split(":");
  if (names.length !== count) throw wrong("LISTEN_FDNAMES", text, `${count} names with colons between them`);
  return names;
}

function numberIn(name: string, text: string, max: number): number {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number > max) throw wrong(name, text, `a number up to ${max}`);
  return number;
}

function wrong(name: string, value: string | undefined, allowed: string): ConfigError {
  return new ConfigError(`${name}=${JSON.stringify(value ?? "")}: expected is ${allowed}`);
}

function isSocketHere(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
