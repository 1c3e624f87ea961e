#!/usr/bin/env node
// From the command line to a program, from its errors to an exit code: 0 done, 1 failed at run time, 2 wrong words.
import { parseCommandLine } from "./programs/command-line.ts";
import { run } from "./programs/run.ts";
import { ConfigError } from "./support/errors.ts";
import { createLog, type LogLevel } from "./support/log.ts";
import { VERSION } from "./version.ts";

// Whoever read our words may stop to; that is no reason to end.
process.stderr.on("error", () => {});

const FAILED = 1;
const WRONG_WORDS = 2;

async function main(): Promise<void> {
  let level: LogLevel = "info";
  const log = createLog({
    level: () => level,
    write: (line) => void process.stderr.write(line),
    // systemd sets it where stderr goes to the journal.
    journal: process.env.JOURNAL_STREAM !== undefined,
  });
  const line = parseCommandLine(process.argv.slice(2));
  switch (line.command) {
    case "help":
      process.stdout.write(line.text);
      return;
    case "version":
      process.stdout.write(`tsvdagent ${VERSION}\n`);
      return;
    case "run": {
      const stop = new AbortController();
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
      return run(line.options, {
        log,
        setLogLevel: (wanted) => {
          level = wanted;
        },
        stop: stop.signal,
        onReload: (reload) => process.on("SIGHUP", reload),
      });
    }
    default:
      line satisfies never;
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`tsvdagent: ${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exit(error instanceof ConfigError ? WRONG_WORDS : FAILED);
}
