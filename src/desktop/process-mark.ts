// Whose something is that a process has left on the disk: pids are given anew, after a start of the machine above all.
import { readFile } from "node:fs/promises";

const hiddenName = /^\.tsvdagent-([0-9a-f]+)-(\d+)-[0-9a-f-]+\.(part|aside)$/;

/** "part": on its way in, and nobody's yet. "aside": the user's own, which is to come back. */
export type Hidden = "part" | "aside";

/** The first letters of this start's number; hexadecimal. */
export async function bootId(): Promise<string> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => "0");
  return text.replace(/[^0-9a-f]/g, "").slice(0, 12);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Nobody else's. */
export async function newHiddenName(kind: Hidden = "part"): Promise<string> {
  const { randomUUID } = await import("node:crypto");
  return `.tsvdagent-${await bootId()}-${process.pid}-${randomUUID()}.${kind}`;
}

/** Whose hidden name that is; "unknown": of another start of the machine, or of another machine. Undefined: it is none of those kinds. */
export async function makerOf(name: string, ...kinds: Hidden[]): Promise<"alive" | "dead" | "unknown" | undefined> {
  const [, boot, pid, kind] = hiddenName.exec(name) ?? [];
  if (pid === undefined || !kinds.some((one) => one === kind)) return undefined;
  if (boot !== (await bootId())) return "unknown";
  return isAlive(Number(pid)) ? "alive" : "dead";
}
