// Whose something is that a process has left on the disk: pids are given anew, after a start of the machine above all.
import { readFile } from "node:fs/promises";

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
