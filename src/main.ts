#!/usr/bin/env node
// From the command line to a program, from its errors to an exit code: 0 done, 1 failed at run time, 2 wrong words.
import { parseCommandLine } from "./programs/command-line.ts";
import type { DaemonContext } from "./programs/daemon.ts";
import { BackendError, ConfigError, describeError, RunError } from "./support/errors.ts";
import { createLog, type LogLevel } from "./support/log.ts";
import { RecentFaults } from "./support/recent-faults.ts";
import { VERSION } from "./version.ts";

// Whoever read our words may stop to; that is no reason to end.
process.stderr.on("error", () => {});

const FAILED = 1;
const WRONG_WORDS = 2;

/** Each program's code is loaded only when it is the one that was asked for. */
async function main(): Promise<void> {
  const line = parseCommandLine(process.argv.slice(2));
  switch (line.command) {
    case "help":
      process.stdout.write(line.text);
      return;
    case "version":
      process.stdout.write(`tsvdagent ${VERSION}\n`);
      return;
    case "daemon":
      return (await import("./programs/daemon.ts")).daemon(line.options, programContext());
    case "session":
      return (await import("./programs/session.ts")).session(line.options, programContext());
    case "run":
      return (await import("./programs/run.ts")).run(line.options, programContext());
    case "status": {
      const { status } = await import("./programs/status.ts");
      return status(line.options, (text) => void process.stdout.write(text), programContext().stop);
    }
    default:
      line satisfies never;
  }
}

function programContext(): DaemonContext {
  let level: LogLevel = "info";
  const faults = new RecentFaults();
  const log = createLog({
    level: () => level,
    write: (line) => void process.stderr.write(line),
    onFault: (line) => faults.add(line),
    // systemd sets it where stderr goes to the journal.
    journal: process.env.JOURNAL_STREAM !== undefined,
  });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  return {
    log,
    faults,
    setLogLevel: (wanted) => {
      level = wanted;
    },
    stop: stop.signal,
    onReload: (reload) => process.on("SIGHUP", reload),
  };
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const isTold = error instanceof ConfigError || error instanceof RunError || error instanceof BackendError;
  process.stderr.write(`tsvdagent: ${isTold ? describeError(error) : (error as Error).stack}\n`);
  process.exit(error instanceof ConfigError ? WRONG_WORDS : FAILED);
}
