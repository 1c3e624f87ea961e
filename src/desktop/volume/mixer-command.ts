// What a sound server's command-line tool says of a change.
import { BackendError } from "../../support/errors.ts";
import type { CommandResult } from "../command.ts";

const MAX_FAULT = 200;

/** Throws a BackendError with what the tool complains of, unless it was content. */
export function checkResult({ code, stderr }: CommandResult, nobodyThere: RegExp): void {
  if (code === 0) return;
  const complaint = stderr.trim().split("\n", 1).join("").slice(0, MAX_FAULT) || `exit code ${code}`;
  throw new BackendError(nobodyThere.test(stderr) ? "volume.unavailable" : "volume.refused", complaint);
}
