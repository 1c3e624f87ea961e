// `tsvdagent daemon`: the ports and the rules, for whichever session is on the screen.
import type { Socket } from "node:net";
import { isClassOfUser } from "../features/sessions.ts";
import { aborted } from "../support/aborted.ts";
import { systemClock } from "../support/clock.ts";
import type { Config } from "../support/config-schema.ts";
import { BackendError, ConfigError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { peerCredentials } from "../support/native/peer-credentials.ts";
import type { RecentFaults } from "../support/recent-faults.ts";
import { buffered } from "../support/socket-buffer.ts";
import { activatedSockets } from "../system/activated-sockets.ts";
import { listenAt } from "../system/listening-socket.ts";
import type { LoginSession } from "../system/login-session.ts";
import type { Logind } from "../system/logind.ts";
import type { PointerDevice } from "../system/pointer/pointer-device.ts";
import { openPort } from "../system/ports/open-port.ts";
import { ServiceManager } from "../system/service-manager.ts";
import { VERSION } from "../version.ts";
import { nothingCounted } from "./clipboard-counts.ts";
import type { CommandLine } from "./command-line.ts";
import { askForPriority, type ProgramContext } from "./context.ts";
import { ControlError, ControlServer } from "./control-server.ts";
import { DaemonGuestShare } from "./daemon-guest-share.ts";
import { DaemonHalf } from "./daemon-half.ts";
import { DaemonSharedFolder } from "./daemon-shared-folder.ts";
import { watchForOtherTimes } from "./other-times.ts";
import { SessionAgents } from "./session-agents.ts";
import {
  abilitiesOf,
  clipboardPolicyOf,
  DEFAULT_CONTROL,
  DEFAULT_SOCKET,
  openPointer,
  sameButLog,
  shareDevice,
  sharedFolderSettings,
  systemConfig,
} from "./settings.ts";
import { type StatusReport, sharedFolderFor } from "./status-report.ts";

export type DaemonOptions = Extract<CommandLine, { command: "daemon" }>["options"];

export interface DaemonContext extends ProgramContext {
  readonly faults: RecentFaults;
}

/** Resolves when the signal is aborted and everything has been given back. Throws a ConfigError before it begins. */
export async function daemon(options: DaemonOptions, context: DaemonContext): Promise<void> {
  const { log, setLogLevel } = context;
  const config = await systemConfig(options);
  if (options["check-config"] === true) return log.info("configuration: nothing wrong with it");
  setLogLevel(config.log.level);
  const given = activatedSockets(process.env);
  using service = await ServiceManager.fromEnvironment(process.env, { clock: systemClock, log: log.of("service") });
  askForPriority(log);
  await using watched = options["no-logind"] === true ? undefined : await watchLogind(log);
  await using parts = new Parts(options, watched?.logind, context, (text) => service.status(text));
  await parts.start(config);
  await using _session = await listenAt({
    path: options.socket ?? DEFAULT_SOCKET,
    fd: given.get("session"),
    connected: (socket) => void parts.agentConnected(socket),
  });
  await using _control =
    options.control === "none"
      ? undefined
      : await listenAt({
          path: options.control ?? DEFAULT_CONTROL,
          fd: given.get("control"),
          connected: (socket) => void parts.personConnected(socket),
        });
  let changing = Promise.resolve();
  context.onReload(() => {
    changing = changing.then(async () => {
      service.reloading();
      await parts.reload();
      service.ready();
    });
  });
  service.ready();
  await aborted(context.stop);
  service.stopping();
  await changing;
}

/** The code of the bus is loaded only where it is wanted. */
async function watchLogind(log: Log): Promise<Watched> {
  const [{ Logind }, { MessageBus }, { systemBusAddress }] = await Promise.all([
    import("../system/logind.ts"),
    import("../support/bus/message-bus.ts"),
    import("../support/bus/bus-address.ts"),
  ]);
  const bus = new MessageBus({ address: systemBusAddress(), clock: systemClock, log });
  const logind = new Logind(bus, systemClock, log);
  logind.start();
  return {
    logind,
    [Symbol.asyncDispose]: async () => {
      await logind[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
    },
  };
}

function userOf(session: LoginSession | undefined): number | undefined {
  return session !== undefined && isClassOfUser(session.class) ? session.uid : undefined;
}

interface Watched extends AsyncDisposable {
  readonly logind: Logind;
}

interface Running {
  readonly config: Config;
  readonly pointer: PointerDevice | undefined;
  readonly sharedFolder: DaemonSharedFolder | undefined;
  readonly guestShare: DaemonGuestShare | undefined;
  readonly half: DaemonHalf;
  readonly agents: SessionAgents;
}

/** What is built from the configuration, and built anew when it changes. The sockets stay. */
class Parts implements AsyncDisposable {
  readonly #options: DaemonOptions;
  readonly #logind: Logind | undefined;
  readonly #context: DaemonContext;
  readonly #log: Log;
  readonly #control: ControlServer;
  readonly #subscriptions: readonly Disposable[];
  readonly #startedMs = systemClock.nowMs();
  readonly #tellSystem: (text: string) => void;
  #running: Running | undefined;

  /** `tellSystem`: one line on how things are, as often as that changes. */
  constructor(
    options: DaemonOptions,
    logind: Logind | undefined,
    context: DaemonContext,
    tellSystem: (text: string) => void,
  ) {
    this.#options = options;
    this.#logind = logind;
    this.#context = context;
    this.#log = context.log;
    this.#tellSystem = tellSystem;
    this.#control = new ControlServer(
      ({ command }, uid) => {
        if (command !== "status") throw new ControlError("unknown command: known is status");
        return this.#status(uid);
      },
      systemClock,
      context.log.of("control"),
    );
    const parts = { wakeUps: logind, clock: systemClock, log: this.#log };
    this.#subscriptions = [
      watchForOtherTimes(parts, (why) => this.#running?.half.beginAnew(why)),
      ...(logind === undefined ? [] : [logind.onChange(() => this.#screenChanged(logind))]),
    ];
  }

  async start(config: Config): Promise<void> {
    const log = this.#log;
    this.#context.setLogLevel(config.log.level);
    const pointer = await openPointer(config.pointer.device, log.of("pointer"));
    const folder = sharedFolderSettings(config, this.#options);
    const sharedFolder = folder && new DaemonSharedFolder({ ...folder, clock: systemClock, log });
    const device = shareDevice(config, this.#options);
    const guestShare = device === undefined ? undefined : new DaemonGuestShare({ device, clock: systemClock, log });
    const half = new DaemonHalf({
      openPort: (signal) => openPort(config.port.path, signal),
      pointer,
      abilities: abilitiesOf(config, pointer),
      clipboardPolicy: clipboardPolicyOf(config),
      sharedFolder,
      guestShare,
      viewerChanged: () => this.#tellState(),
      clock: systemClock,
      log,
    });
    const version = config.compat.version === "" ? VERSION : config.compat.version;
    const agents = new SessionAgents({ daemon: half, logins: this.#logind, version, clock: systemClock, log });
    this.#running = { config, pointer, sharedFolder, guestShare, half, agents };
    if (this.#logind !== undefined) this.#screenChanged(this.#logind);
    this.#tellState();
  }

  #screenChanged({ activeSession }: Logind): void {
    this.#running?.agents.screenChanged(activeSession);
    this.#running?.sharedFolder?.screenChanged(userOf(activeSession));
    this.#tellState();
  }

  #tellState(): void {
    const viewer = this.#running?.half.status.viewer === undefined ? "no viewer" : "a viewer is connected";
    const screen = this.#logind?.activeSession;
    const session = screen === undefined ? "" : `, session ${screen.id} is on the screen`;
    this.#tellSystem(`${viewer}${session}`);
  }

  async reload(): Promise<void> {
    try {
      const next = await systemConfig(this.#options);
      this.#context.setLogLevel(next.log.level);
      if (this.#running !== undefined && sameButLog(next, this.#running.config))
        return this.#log.info("configuration: read again: nothing to start anew for");
      this.#log.info("configuration: read again: starting anew with it");
      await this.#end();
      if (!this.#context.stop.aborted) await this.start(next);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#log.error(`configuration: kept as it was: ${error.message}`);
    }
  }

  async agentConnected(socket: Socket): Promise<void> {
    const peer = await this.#peerOf(socket);
    if (peer === undefined || this.#running === undefined) socket.destroy();
    else this.#running.agents.connect(buffered(socket), peer);
  }

  async personConnected(socket: Socket): Promise<void> {
    const peer = await this.#peerOf(socket);
    if (peer === undefined) socket.destroy();
    else this.#control.connect(socket, peer.uid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#control[Symbol.dispose]();
    await this.#end();
  }

  async #end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.sharedFolder?.[Symbol.asyncDispose]();
    await running?.guestShare?.[Symbol.asyncDispose]();
    await running?.half[Symbol.asyncDispose]();
    await running?.agents[Symbol.asyncDispose]();
    await running?.pointer?.[Symbol.asyncDispose]();
  }

  async #peerOf(socket: Socket): Promise<{ readonly pid: number; readonly uid: number } | undefined> {
    // Whoever goes meanwhile goes quietly.
    socket.on("error", () => {});
    try {
      return await peerCredentials(socket);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(`connection refused: ${describeError(error)}`);
      return undefined;
    }
  }

  #status(uid: number): StatusReport {
    const { half, agents, config, pointer, sharedFolder, guestShare } = this.#running ?? {};
    const port = half?.status.port;
    const all = agents?.status ?? [];
    const own = all.filter(({ peer }) => uid === 0 || peer.uid === uid);
    const screen = this.#logind?.activeSession;
    const isOnScreen = uid === screen?.uid || (screen === undefined && own.some(({ isActive }) => isActive));
    const device = config?.pointer.device ?? "none";
    return {
      version: VERSION,
      pid: process.pid,
      uptimeSeconds: Math.floor((systemClock.nowMs() - this.#startedMs) / 1000),
      port: {
        path: config?.port.path ?? "",
        state: port?.isOpen === true ? "open" : port?.isWanted === true ? "opening" : "closed",
        fault: port?.fault === undefined ? null : describeError(port.fault),
      },
      viewer: { connected: half?.status.viewer !== undefined, number: half?.status.viewer ?? 0 },
      clipboard: half?.status.clipboard ?? nothingCounted,
      files: half?.status.files ?? { underWay: 0, waiting: 0, saved: 0, failed: {} },
      pointer: { device, state: device === "none" ? "off" : pointer === undefined ? "unavailable" : "working" },
      sharedFolder: sharedFolder === undefined ? null : sharedFolderFor(uid, sharedFolder.report),
      guestShare: guestShare?.report ?? null,
      logind: this.#logind === undefined ? "unused" : this.#logind.available ? "watched" : "unavailable",
      screen:
        screen === undefined
          ? null
          : {
              id: screen.id,
              class: screen.class,
              hasAgent: all.some(({ sessionId }) => sessionId === screen.id),
            },
      sessions: own.map(({ sessionId, peer, isActive, isShut, version, dialect, features }) => ({
        id: sessionId ?? null,
        uid: peer.uid,
        pid: peer.pid,
        active: isActive,
        shut: isShut,
        version: version ?? null,
        link: dialect ?? null,
        features,
      })),
      otherSessions: all.length - own.length,
      errors: this.#context.faults.for(uid, isOnScreen),
    };
  }
}
