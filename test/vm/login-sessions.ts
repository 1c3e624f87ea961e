/** What logind knows of who is logged in. */
import type { Guest } from "./guest.ts";

export interface LoginSession {
  readonly id: string;
  readonly uid: number;
  /** "x11", "wayland", "tty" … */
  readonly type: string;
  readonly class: string;
  /** Empty for a session without one. */
  readonly seat: string;
  /** Number of the virtual terminal, 0 without one. */
  readonly terminal: number;
  readonly active: boolean;
  readonly locked: boolean;
  /** "online", "active", "closing". */
  readonly state: string;
  /** Where its processes are counted, below /sys/fs/cgroup. */
  readonly cgroup: string;
}

// logind's D-Bus answers in one process: a `loginctl` for each takes an emulated CPU half a second.
const SCRIPT = `
for file in /run/systemd/sessions/*; do
  case $file in *.ref|*'*') continue ;; esac
  echo "ID=\${file##*/}"; cat "$file"; echo END
done`;

export async function loginSessions(guest: Guest): Promise<readonly LoginSession[]> {
  const text = await guest.output(["sh", "-c", SCRIPT]);
  return text
    .split("\nEND\n")
    .filter((part) => part.includes("="))
    .map((part) => {
      const fields = new Map(
        part.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      const uid = Number(fields.get("UID"));
      return {
        id: fields.get("ID") ?? "",
        uid,
        type: fields.get("TYPE") ?? "",
        class: fields.get("CLASS") ?? "",
        seat: fields.get("SEAT") ?? "",
        terminal: Number(fields.get("VTNR") ?? 0),
        active: fields.get("ACTIVE") === "1",
        locked: fields.get("LOCKED_HINT") === "1",
        state: fields.get("STATE") ?? "",
        cgroup: `/user.slice/user-${uid}.slice/${fields.get("SCOPE")}`,
      };
    });
}
