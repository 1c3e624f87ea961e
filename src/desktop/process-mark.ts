// Whose something is that a process has left on the disk: pids are given anew, after a start of the machine above all.
import { readFile } from "node:fs/promises";

const hiddenName = /^\.tsvdagent-([0-9a-f]+)-(\d+)-[0-9a-f-]+\.part$/;

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

/** Of something that is on its way to the disk; nobody else's. */
export async function newHiddenName(): Promise<string> {
  const { randomUUID } = await import("node:crypto");
  return `.tsvdagent-${await bootId()}-${process.pid}-${randomUUID()}.part`;
}

/** Whose hidden name that is; "unknown": of another start of the machine, or of another machine. Undefined: it is none. */
export async function makerOf(name: string): Promise<"alive" | "dead" | "unknown" | undefined> {
  const [, boot, pid] = hiddenName.exec(name) ?? [];
  if (pid === undefined) return undefined;
  if (boot !== (await bootId())) return "unknown";
  return isAlive(Number(pid)) ? "alive" : "dead";
}
