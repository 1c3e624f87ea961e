// The settings of the user's that are switched off at the moment, on the disk: their desktop keeps "off" for good, and an agent
// that is killed, or a guest that is, has no time to put them back.
import { readFile, unlink } from "node:fs/promises";
import { bootId, isAlive } from "../process-mark.ts";
import { writeWhole } from "../whole-file.ts";

/** One setting of a desktop, by its tool. */
export interface Setting {
  readonly tool: "gsettings" | "xfconf-query";
  /** Schema or channel. */
  readonly group: string;
  readonly key: string;
  /** As the tool names it; empty with gsettings, which knows it. */
  readonly type: string;
}

export interface SwitchedOff {
  /** A DisplayConfigFlag. */
  readonly effect: number;
  readonly setting: Setting;
  /** The value as the tool prints it; null: it was not set. */
  readonly before: string | null;
}

/** Larger is no file of ours. */
const MAX_FILE_CHARACTERS = 1024 * 1024;

/** What a process that is no more has left so; none, if there is no such file, or nothing of it can be understood. */
export async function leftSwitchedOff(path: string): Promise<readonly SwitchedOff[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  if (text === "" || text.length > MAX_FILE_CHARACTERS) return [];
  try {
    const { boot, pid, settings } = JSON.parse(text) as Record<string, unknown>;
    if (!Array.isArray(settings) || typeof pid !== "number") return [];
    if (boot === (await bootId()) && pid !== process.pid && isAlive(pid)) return [];
    return settings.filter(isSwitchedOff);
  } catch {
    return [];
  }
}

/** None: the file goes. Throws what Node throws. */
export async function keepSwitchedOff(path: string, settings: readonly SwitchedOff[]): Promise<void> {
  if (settings.length === 0) return await unlink(path).catch(() => {});
  await writeWhole(path, JSON.stringify({ boot: await bootId(), pid: process.pid, settings }));
}

function isSwitchedOff(entry: unknown): entry is SwitchedOff {
  const { effect, setting, before } = (entry ?? {}) as Record<string, unknown>;
  const { tool, group, key, type } = (setting ?? {}) as Record<string, unknown>;
  const texts = [group, key, type].every((text) => typeof text === "string");
  const isTool = tool === "gsettings" || tool === "xfconf-query";
  return typeof effect === "number" && isTool && texts && (before === null || typeof before === "string");
}
