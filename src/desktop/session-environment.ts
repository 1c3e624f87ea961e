// What a desktop session tells its programs in their environment, looked for where a program started early can find it.
import { readdir, readFile, stat } from "node:fs/promises";
import type { MessageBus } from "../support/bus/message-bus.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";

/** The variables that lead to a desktop; absent ones are absent. */
export interface SessionEnvironment {
  readonly DISPLAY?: string;
  readonly XAUTHORITY?: string;
  readonly WAYLAND_DISPLAY?: string;
}

const NAMES = ["DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY"] as const;
const USER_MANAGER = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;
/** No process has more; what is beyond is not looked at. */
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;

/** The environment of the user's systemd, where desktops put theirs; empty if there is none. */
export async function environmentOfUserManager(bus: MessageBus, log: Log): Promise<SessionEnvironment> {
  try {
    const value = await bus.property(USER_MANAGER, "Environment");
    if (!Array.isArray(value)) return {};
    return environmentOf(value.filter((entry) => typeof entry === "string"));
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    log.debug(`the user manager's environment cannot be read: ${describeError(error)}`);
    return {};
  }
}

/**
 * The environments of our user's own processes that name a display, each once, the latest process last. `scope`: only
 * those of this session, `session-N.scope`; empty: all.
 */
export async function environmentsOfProcesses(uid: number, scope: string): Promise<readonly SessionEnvironment[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = new Map<string, SessionEnvironment>();
  for (const pid of pids) {
    const environment = await environmentOfProcess(pid, uid, scope);
    if (environment?.DISPLAY === undefined && environment?.WAYLAND_DISPLAY === undefined) continue;
    found.set(JSON.stringify(environment), environment);
  }
  return [...found.values()];
}

async function environmentOfProcess(pid: string, uid: number, scope: string): Promise<SessionEnvironment | undefined> {
  try {
    if ((await stat(`/proc/${pid}`)).uid !== uid) return undefined;
    if (scope !== "" && !(await readFile(`/proc/${pid}/cgroup`, "utf8")).includes(`/${scope}`)) return undefined;
    const bytes = await readFile(`/proc/${pid}/environ`);
    return environmentOf(bytes.subarray(0, MAX_ENVIRONMENT_BYTES).toString("utf8").split("\0"));
  } catch {
    // It ended meanwhile, or is not ours to look at.
    return undefined;
  }
}

/** Of lines like `NAME=value`. */
export function environmentOf(entries: readonly string[]): SessionEnvironment {
  const found: Partial<Record<(typeof NAMES)[number], string>> = {};
  for (const entry of entries) {
    const at = entry.indexOf("=");
    const name = NAMES.find((each) => each === entry.slice(0, at));
    const value = entry.slice(at + 1);
    if (name !== undefined && value !== "") found[name] = value;
  }
  return found;
}
