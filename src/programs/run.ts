// `tsvdagent run`: both halves in one process, joined by a duplex in memory that carries the frames of the link.
import { aborted } from "../support/aborted.ts";
import { systemClock } from "../support/clock.ts";
import type { Config } from "../support/config-schema.ts";
import { ConfigError } from "../support/errors.ts";
import { joinedPair } from "../support/link/joined-pair.ts";
import type { Log } from "../support/log.ts";
import { openPort } from "../system/ports/open-port.ts";
import { VERSION } from "../version.ts";
import type { CommandLine } from "./command-line.ts";
import { askForPriority, type ProgramContext } from "./context.ts";
import { DaemonGuestShare } from "./daemon-guest-share.ts";
import { DaemonHalf } from "./daemon-half.ts";
import { DaemonSharedFolder } from "./daemon-shared-folder.ts";
import { watchForOtherTimes } from "./other-times.ts";
import { PrivilegedStart } from "./privileged-start.ts";
import { SessionAgents } from "./session-agents.ts";
import { SessionHalf } from "./session-half.ts";
import { joinLink } from "./session-link.ts";
import {
  abilitiesOf,
  clipboardPolicyOf,
  openPointer,
  sameButLog,
  sessionSettings,
  shareDevice,
  sharedFolderSettings,
  systemConfig,
  userConfig,
} from "./settings.ts";

export type RunOptions = Extract<CommandLine, { command: "run" }>["options"];

/** Resolves when the signal is aborted and everything has been given back. Throws a ConfigError before it begins. */
export async function run(options: RunOptions, context: ProgramContext): Promise<void> {
  const { log, stop, setLogLevel } = context;
  if (options["check-config"] === true) {
    await userConfig(options);
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
      const next = await userConfig(options);
      setLogLevel(next.log.level);
      if (running !== undefined && sameButLog(next, running.config))
        return log.info("configuration: read again: nothing to start anew for");
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
  using _times = watchForOtherTimes({ wakeUps: undefined, clock: systemClock, log }, (why) => {
    // What root has opened could not be opened again.
    if (!start.hasGivenUpRoot) running?.beginAnew(why);
  });
  await starting;
  await aborted(context.stop);
  await changing;
  await running?.[Symbol.asyncDispose]();
}

interface Running extends AsyncDisposable {
  readonly config: Config;
  readonly beginAnew: (why: string) => void;
}

async function startHalves(
  options: RunOptions,
  { log, stop, setLogLevel }: ProgramContext,
  start: PrivilegedStart,
  known?: Config,
): Promise<Running> {
  const asSystem = known ?? (await systemConfig(options));
  setLogLevel(asSystem.log.level);
  const pointer = await openPointer(asSystem.pointer.device, log.of("pointer"));
  const folder = sharedFolderSettings(asSystem, options);
  const sharedFolder = folder && new DaemonSharedFolder({ ...folder, clock: systemClock, log });
  // What root has opened stays ours.
  const device = shareDevice(asSystem, options);
  const guestShare = device === undefined ? undefined : new DaemonGuestShare({ device, clock: systemClock, log });
  await sharedFolder?.tried;
  await guestShare?.tried;
  const open = await start.open((signal) => openPort(asSystem.port.path, signal), stop, log);
  // Not before now: what a user may say is read with that user's rights.
  const config = known ?? (await userConfig(options));
  const daemon = new DaemonHalf({
    openPort: open,
    pointer,
    abilities: abilitiesOf(config, pointer),
    clipboardPolicy: clipboardPolicyOf(config),
    sharedFolder,
    guestShare,
    clock: systemClock,
    log,
  });
  const agents = new SessionAgents({ daemon, logins: undefined, version: VERSION, clock: systemClock, log });
  const session = new SessionHalf(
    sessionSettings(config, options.display ?? process.env.DISPLAY, options),
    systemClock,
    log,
  );
  joinInMemory(agents, session, log);
  return {
    config,
    beginAnew: (why) => daemon.beginAnew(why),
    [Symbol.asyncDispose]: async () => {
      await sharedFolder?.[Symbol.asyncDispose]();
      await guestShare?.[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      await agents[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
      await pointer?.[Symbol.asyncDispose]();
    },
  };
}

function joinInMemory(agents: SessionAgents, session: SessionHalf, log: Log): void {
  const [daemonEnd, sessionEnd] = joinedPair();
  agents.connect(daemonEnd, { pid: process.pid, uid: process.getuid?.() ?? 0 });
  joinLink(sessionEnd, session, log);
}
