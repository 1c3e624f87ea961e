/** What one has to know about the machine, and the two programs, to make something of the figures. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { run } from "../integration/peers/processes.ts";

export interface MachineFacts {
  readonly node: string;
  readonly kernel: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryMib: number;
  /** Runnable processes, mean of the last minute, before anything was started. */
  readonly load: number;
  readonly root: boolean;
}

export function machineFacts(): MachineFacts {
  return {
    node: process.version,
    kernel: release(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryMib: Math.round(totalmem() / 1024 / 1024),
    load: loadavg()[0] ?? 0,
    root: process.getuid?.() === 0,
  };
}

export async function versions(): Promise<{ readonly ours: string; readonly theirs: string }> {
  const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  // The programs themselves do not tell.
  const listed = await run("dpkg-query", ["-W", "spice-vdagent"]).catch(() => "");
  const theirs = listed.trim().split("	")[1] ?? "unknown";
  return { ours: own.version, theirs };
}
