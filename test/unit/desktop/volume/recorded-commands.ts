// Tools that only note how they are called, and answer as the test says.
import type { CommandResult, RunCommand } from "../../../../src/desktop/command.ts";

export interface RecordedCommands {
  readonly run: RunCommand;
  /** Command and arguments, joined by spaces. */
  readonly calls: string[];
}

export const done: CommandResult = { code: 0, stdout: "", stderr: "" };

export const complaint = (code: number, stderr: string): CommandResult => ({ code, stdout: "", stderr });

/** Answers in turn; when there are no more, everything is done. */
export function recordedCommands(...answers: readonly CommandResult[]): RecordedCommands {
  const calls: string[] = [];
  const left = [...answers];
  const run: RunCommand = async (command, args) => {
    calls.push([command, ...args].join(" "));
    return left.shift() ?? done;
  };
  return { run, calls };
}
