// From the command line to a program, from its errors to an exit code: 0 done, 1 failed at run time, 2 wrong words.
import { basename } from "node:path";
import { isatty } from "node:tty";
import { parseCommandLine } from "./programs/command-line.ts";
import type { DaemonContext } from "./programs/daemon.ts";
import { upstreamProgram } from "./programs/upstream-names.ts";
import { BackendError, ConfigError, describeError, RunError } from "./support/errors.ts";
import { createLog, type LogLevel } from "./support/log.ts";
import { RecentFaults } from "./support/recent-faults.ts";
import { VERSION } from "./version.ts";

// Whoever read our words may stop to; that is no reason to end.
process.stderr.on("error", () => {});

const STDIN = 0;
const FAILED = 1;
const WRONG_WORDS = 2;
const upstream = upstreamProgram(basename(process.argv[1] ?? ""));

/** Each program's code is loaded only when it is the one that was asked for. */
async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const { line, ignored } = upstream?.parse(args) ?? { line: parseCommandLine(args), ignored: [] };
  switch (line.command) {
    case "help":
      say(line.text);
      return;
    case "version":
      say(`tsvdagent ${VERSION}\n`);
      return;
    case "daemon":
      return (await import("./programs/daemon.ts")).daemon(line.options, programContext(line.options.log, ignored));
    case "session":
      return (await import("./programs/session.ts")).session(line.options, programContext(line.options.log, ignored));
    case "run":
      return (await import("./programs/run.ts")).run(line.options, programContext());
    case "mount-helper": {
      const { mountHelper } = await import("./programs/mount-helper.ts");
      return mountHelper(line.options, programContext(line.options.log).log);
    }
    case "send": {
      const { send } = await import("./programs/send.ts");
      const tell = (text: string): void => void process.stderr.write(text);
      const isTerminal = process.stderr.isTTY === true;
      return send(line.options, line.operands, { say: tell, isTerminal, stop: programContext().stop });
    }
    case "share-proxy": {
      const { shareProxy } = await import("./programs/share-proxy.ts");
      return shareProxy(line.options, programContext(line.options.log));
    }
    case "status": {
      const { status } = await import("./programs/status.ts");
      return status(line.options, say, programContext().stop);
    }
    default:
      line satisfies never;
  }
}

/** On stdout. Whoever has read enough of it, as `head`, ends us, and nothing is wrong with that. */
function say(text: string): void {
  if (process.stdout.listenerCount("error") === 0)
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      process.stderr.write(`tsvdagent: stdout: ${describeError(error)}\n`);
      process.exit(FAILED);
    });
  process.stdout.write(text);
}

function programContext(wanted?: string, ignored: readonly string[] = []): DaemonContext {
  let level = (wanted as LogLevel | undefined) ?? "info";
  const faults = new RecentFaults();
  const log = createLog({
    level: () => level,
    write: (line) => void process.stderr.write(line),
    onFault: (line, uid) => faults.add(line, uid),
    // systemd sets it where stderr goes to the journal.
    journal: process.env.JOURNAL_STREAM !== undefined,
  });
  for (const option of ignored) log.debug(`--${option}: without effect`);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, end);
  const hasTerminal = isatty(STDIN);
  return {
    log,
    faults,
    setLogLevel: (next) => {
      level = next;
    },
    stop: stop.signal,
    onReload: (reload) =>
      process.on("SIGHUP", () => {
        // Upstream's end by it, and a terminal that is closed says its end so, too.
        if (upstream !== undefined || (hasTerminal && !isatty(STDIN))) end();
        else reload();
      }),
  };
}

function failed(error: unknown): void {
  const isTold = error instanceof ConfigError || error instanceof RunError || error instanceof BackendError;
  process.stderr.write(`${upstream?.name ?? "tsvdagent"}: ${isTold ? describeError(error) : (error as Error).stack}\n`);
  process.exit(error instanceof ConfigError ? (upstream?.wrongWords ?? WRONG_WORDS) : FAILED);
}

main().then(() => process.exit(0), failed);
