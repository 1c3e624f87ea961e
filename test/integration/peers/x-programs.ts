/** Running the small X programs (xclip, xrandr, xdotool, xev, xsetroot, import) on a display. */
import { type PeerProcess, type RunOptions, run, type SpawnOptions, startProcess } from "./processes.ts";

export function runOn(
  display: string,
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return run(command, args, { ...options, env: { ...options.env, DISPLAY: display } });
}

export function startOn(
  display: string,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<PeerProcess> {
  return startProcess(command, args, { ...options, env: { ...options.env, DISPLAY: display } });
}
