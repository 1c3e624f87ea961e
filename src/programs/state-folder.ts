import { homedir } from "node:os";
import { join } from "node:path";

/** Where the user's programs keep what outlives them (XDG Base Directory Specification); it may not be there yet. */
export function stateFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), ".local/state"), "tsvdagent");
}
