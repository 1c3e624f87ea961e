// `tsvdagent run`: both halves in one process, joined by a duplex in memory that carries the frames of the link.
import { homedir, setPriority } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { carriedTypes } from "../features/clipboard-targets.ts";
import { systemClock } from "../support/clock.ts";
import { narrowedByUser, readConfig } from "../support/config.ts";
import type { Config } from "../support/config-schema.ts";
import { ConfigError, describeError } from "../support/errors.ts";
import type { Log, LogLevel } from "../support/log.ts";
import { FifoPointer } from "../system/pointer/fifo-pointer.ts";
import { openPort } from "../system/ports/open-port.ts";
import { ClipboardSelection } from "../wire/agent-constants.ts";
import type { CommandLine } from "./command-line.ts";
import { notBuiltYet } from "./command-line.ts";
import { DaemonHalf } from "./daemon-half.ts";
import { PrivilegedStart } from "./privileged-start.ts";
import { SessionHalf } from "./session-half.ts";

export type RunOptions = Extract<CommandLine, { command: "run" }>["options"];

export interface RunContext {
  readonly log: Log;
  /** Takes effect at once. */
  readonly setLogLevel: (level: LogLevel) => void;
  /** Aborted when it is time to go. */
  readonly stop: AbortSignal;
  /** Called back when the configuration is to be read again. */
  readonly onReload: (reload: () => void) => void;
}

const SYSTEM_CONFIG = "/etc/tsvdagent/config.toml";
/** Niceness. */
const PRIORITY = -5;
/** Largest clipboard content either way. */
const MAX_CLIPBOARD_BYTES = 1024 * 1024 * 1024 - 1024;

/** Resolves when the signal is aborted and everything has been given back. Throws a ConfigError before it begins. */
export async function run(options: RunOptions, context: RunContext): Promise<void> {
  const { log, stop, setLogLevel } = context;
  if (options["check-config"] === true) {
    await wholeConfig(options);
    return log.info("configuration: nothing wrong with it");
  }
  askForPriority(log);
  const start = new PrivilegedStart(process.env);
  let running: Running | undefined;
  const starting = startHalves(options, context, start).then((started) => {
    running = started;
  });
  let changing: Promise<void> = starting;
  const reload = async (): Promise<void> => {
    try {
      const next = await wholeConfig(options);
      setLogLevel(next.log.level);
      const same = JSON.stringify({ ...next, log: {} }) === JSON.stringify({ ...running?.config, log: {} });
      if (same) return log.info("configuration: read again: nothing to start anew for");
      // What root has opened could not be opened again.
      if (start.hasGivenUpRoot)
        return log.warn("configuration: read again: end and start by sudo for what has changed");
      log.info("configuration: read again: starting anew with it");
      if (stop.aborted) return;
      await running?.[Symbol.asyncDispose]();
      running = await startHalves(options, context, start, next);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error(`configuration: kept as it was: ${error.message}`);
    }
  };
  context.onReload(() => {
    changing = changing.then(reload);
  });
  await starting;
  for (const name of notBuiltYet) if (options[name] !== undefined) log.warn(`--${name}: not built yet, without effect`);
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve());
  });
  await changing;
  await running?.[Symbol.asyncDispose]();
}

/**
 * A host that finds the port full tries again only after 100 ms (spice-server), so what decides the speed of a paste is
 * how soon we are scheduled. Only root may ask for that; anybody else does without.
 */
function askForPriority(log: Log): void {
  try {
    setPriority(PRIORITY);
  } catch (error) {
    log.debug(`priority: left as it is: ${describeError(error)}`);
  }
}

/** What the system's file says, with the command line over it. */
async function systemConfig(options: RunOptions): Promise<Config> {
  const config = await readConfig(options.config ?? SYSTEM_CONFIG, options.config !== undefined);
  return {
    ...config,
    log: { level: (options.log as LogLevel | undefined) ?? config.log.level },
    port: { path: options.port ?? config.port.path },
    pointer: { device: options.uinput ?? config.pointer.device },
  };
}

/** The same, narrowed by the user who we are by now. */
async function wholeConfig(options: RunOptions): Promise<Config> {
  return narrowedByUser(await systemConfig(options), join(homedir(), ".config/tsvdagent/config.toml"));
}

interface Running extends AsyncDisposable {
  readonly config: Config;
}

async function startHalves(
  options: RunOptions,
  { log, stop, setLogLevel }: RunContext,
  start: PrivilegedStart,
  known?: Config,
): Promise<Running> {
  const asSystem = known ?? (await systemConfig(options));
  setLogLevel(asSystem.log.level);
  const pointer = pointerFor(asSystem.pointer.device, log.of("pointer"));
  await pointer?.open();
  const open = await start.open((signal) => openPort(asSystem.port.path, signal), stop, log);
  // Not before now: what a user may say is read with that user's rights.
  const config = known ?? (await wholeConfig(options));
  const selections = config.clipboard.enabled
    ? [ClipboardSelection.CLIPBOARD, ...(config.clipboard.primary ? [ClipboardSelection.PRIMARY] : [])]
    : [];
  const [daemonEnd, sessionEnd] = duplexPair();
  const daemon = new DaemonHalf({
    openPort: open,
    link: daemonEnd,
    pointer,
    abilities: {
      pointer: pointer !== undefined,
      clipboard: config.clipboard.enabled,
      display: config.display.resize,
    },
    clipboardPolicy: { selections, types: carriedTypes, maxBytes: MAX_CLIPBOARD_BYTES },
    clock: systemClock,
    log,
  });
  const session = new SessionHalf(
    sessionEnd,
    { display: options.display ?? process.env.DISPLAY, selections, resize: config.display.resize },
    systemClock,
    log,
  );
  daemon.start();
  return {
    config,
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
      await pointer?.[Symbol.asyncDispose]();
    },
  };
}

function pointerFor(device: string, log: Log): FifoPointer | undefined {
  if (device.startsWith("fifo:")) return new FifoPointer(device.slice("fifo:".length), log);
  if (device !== "none") log.warn(`${device}: uinput is not built yet: start the viewer's host with agent-mouse=off`);
  return undefined;
}
