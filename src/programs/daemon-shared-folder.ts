// The viewer's folder at the daemon: the rules' effects on port, listeners and mount.
import {
  type MountState,
  noSharedFolder,
  type SharedFolderEffect,
  type SharedFolderInput,
  type SharedFolderPolicy,
  type SharedFolderState,
  type ShareMount,
  sharedFolderStep,
} from "../features/shared-folder.ts";
import { type Clock, sleep } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { mountTable } from "../support/mount-table.ts";
import type { HostLine } from "../system/ports/host-line.ts";
import type { Announcement } from "../system/shared-folder/announcement.ts";
import type { DavProxy, ListenAddress } from "../system/shared-folder/dav-proxy.ts";
import { davfsUser, MountService } from "../system/shared-folder/mount-service.ts";
import { MuxConnections } from "../system/shared-folder/mux-connections.ts";
import { SharePort } from "../system/shared-folder/share-port.ts";
import { mountedUsers } from "../system/shared-folder/user-mounts.ts";
import type { MountReport, SharedFolderReport } from "./status-report.ts";

/** Before what has failed is tried again, doubling. */
const RETRY_MIN_MS = 10_000;
const RETRY_MAX_MS = 5 * 60_000;
/** What the viewer allows is asked again when it is used after so long, and no sooner after it has refused a change. */
const OLD_ANSWER_MS = 30_000;
const NEW_ANSWER_MS = 2000;
/** For the viewer to answer when time has jumped. */
const ANEW_MS = 2000;
/** For the mount to go when we do. */
const END_MS = 3000;
/** For a session to mount it. */
const SESSION_MS = 30_000;
/** Between looks at what a session has left mounted. */
const LOOK_MS = 2000;
const MAY_BE_MOUNTED: ReadonlySet<MountState["kind"]> = new Set(["changing", "mounted", "stuck"]);
/** Then the session may. */
const NOBODY_MOUNTS: ReadonlySet<string> = new Set(["mount.no-service", "mount.no-davfs"]);

export interface SharedFolderOptions {
  readonly device: string;
  readonly listen: readonly ListenAddress[];
  readonly policy: SharedFolderPolicy;
  /** By mDNS, too. */
  readonly announce: boolean;
  /** Of root's helper for mounts; undefined: it cannot mount what is served here. */
  readonly mountSocket: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

type SessionAnswer = Pick<Extract<LinkControlMessage, { kind: "shared-folder-mounted" }>, "path" | "fault">;

type SessionLink = Pick<LinkConnection, "dialect" | "send">;

/** The one on the screen. */
interface Session {
  readonly uid: number;
  readonly link: SessionLink;
  toldPath: string;
}

/** As long as one viewer shares. */
interface Share {
  readonly mux: MuxConnections;
  readonly over: AbortController;
}

export class DaemonSharedFolder implements AsyncDisposable {
  readonly #options: SharedFolderOptions;
  readonly #log: Log;
  readonly #port: SharePort;
  #state: SharedFolderState;
  #share: Share | undefined;
  #proxy: DavProxy | undefined;
  #announcement: Announcement | undefined;
  /** Listeners come and go one after the other. */
  #listening: Promise<void> = Promise.resolve();
  /** So do mounts. */
  #mounting: Promise<void> = Promise.resolve();
  #mountClient: number | undefined;
  #lastConnection = 0n;
  #isToldOfScreen = false;
  #session: Session | undefined;
  /** Where the session on the screen has mounted it; it takes that away itself. */
  #sessionsPath: string | undefined;
  /** Where those that have left the screen had: what they have left there is served still. */
  #leftPaths: readonly string[] = [];
  #look: Disposable | undefined;
  #asked: { readonly requestId: number; readonly answered: (answer: SessionAnswer) => void } | undefined;
  #nextRequestId = 1;
  #askedMs = 0;
  #entries: number | undefined;
  #retry: Disposable | undefined;
  #isEnding = false;

  constructor(options: SharedFolderOptions) {
    this.#options = options;
    this.#log = options.log.of("shared folder");
    this.#port = new SharePort(
      options.device,
      {
        hostCame: (line) => this.#hostCame(line),
        data: (bytes) => {
          this.#share?.mux.push(bytes);
          if (this.#state.isFrozen) this.#input({ kind: "viewer-spoke" });
        },
        isHeld: () => this.#share?.mux.isHolding === true,
        hostLeft: () => this.#hostLeft(),
      },
      options.clock,
      this.#log,
    );
    const { mount } = options.policy;
    this.#state = mount ? { ...noSharedFolder, mount: { kind: "changing", to: undefined } } : noSharedFolder;
    if (mount) this.#afterMounts(() => this.#clearUp());
  }

  /** Resolves when the port is held for the first time, or cannot be yet. */
  get tried(): Promise<void> {
    return this.#port.tried;
  }

  /**
   * After a sleep, or in a snapshot that was loaded: what has come of a frame may be of another time. A viewer that answers
   * is let be, and with it what is mounted and open.
   */
  beginAnew(): void {
    const share = this.#share;
    if (share === undefined) return;
    const { answers } = share.mux;
    share.mux.provoke(true);
    const late = this.#options.clock.after(ANEW_MS, () => {
      if (share === this.#share && share.mux.answers === answers) this.#port.beginAnew();
    });
    share.over.signal.addEventListener("abort", () => late[Symbol.dispose]());
  }

  /** By logind's word, whose programs may use it; undefined: nobody is in front of the screen. */
  screenChanged(user: number | undefined): void {
    this.#isToldOfScreen = true;
    this.#userChanged(user);
  }

  /** An agent is on the screen; where nobody asks logind, its user is, too. */
  attach(uid: number, link: SessionLink): void {
    this.#session = { uid, link, toldPath: "" };
    this.#tellSession();
    if (!this.#isToldOfScreen) this.#userChanged(uid);
    // It may be its user's agent that was killed.
    if (this.#leftPaths.length > 0) this.#demand(link, "", false);
    // It may be the one who can.
    const { kind } = this.#state.mount;
    if (kind === "failed" || kind === "stuck") this.#input({ kind: "retry-due", epoch: this.#state.epoch });
  }

  detach(): void {
    const link = this.#session?.link;
    const path = this.#sessionsPath;
    this.#session = undefined;
    this.#sessionsPath = undefined;
    if (link !== undefined && (path !== undefined || this.#asked !== undefined)) this.#demand(link, "", false);
    this.#asked?.answered({ path: "", fault: "the session has left" });
    if (!this.#isToldOfScreen) this.#userChanged(undefined);
    if (path === undefined) return;
    this.#isLeft(path);
    this.#input({ kind: "mount-gone" });
  }

  /** It has mounted what it was asked to, or not, or has taken it away. */
  sessionSaid(answer: SessionAnswer & { readonly requestId: number }): void {
    if (answer.requestId === this.#asked?.requestId) this.#asked.answered(answer);
  }

  get report(): SharedFolderReport {
    const { hasHost, isReadOnly, isListening, fault, user } = this.#state;
    const { isHeld, fault: portFault, path } = this.#port;
    return {
      port: {
        path,
        state: isHeld ? "held" : "waiting",
        fault: portFault === undefined ? null : describeError(portFault),
      },
      viewer: !hasHost ? "none" : isReadOnly === undefined ? "silent" : isReadOnly ? "read-only" : "read-write",
      listening: isListening ? (this.#proxy?.addresses.map(addressText) ?? []) : [],
      connections: this.#proxy?.connections ?? 0,
      user: user ?? null,
      entries: this.#entries ?? null,
      mount: mountReport(this.#state.mount),
      announced: (isListening ? this.#announcement?.report : undefined) ?? null,
      fault: fault ?? null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#retry?.[Symbol.dispose]();
    this.#look?.[Symbol.dispose]();
    await this.#port[Symbol.asyncDispose]();
    this.#hostLeft();
    await this.#listening;
    await this.#announcement?.[Symbol.asyncDispose]();
    const over = new AbortController();
    await Promise.race([this.#settled(), sleep(this.#options.clock, END_MS, over.signal)]);
    over.abort();
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#listening;
  }

  /** All mounts are as they are wanted, also those that another has made necessary. */
  async #settled(): Promise<void> {
    for (let last: Promise<void> | undefined; last !== this.#mounting; ) {
      last = this.#mounting;
      await last;
    }
  }

  #afterMounts(work: () => Promise<void>): void {
    this.#mounting = this.#mounting.then(work);
  }

  #userChanged(user: number | undefined): void {
    if (user !== this.#state.user) this.#input({ kind: "user-changed", user });
  }

  #input(input: SharedFolderInput): void {
    const before = this.#state;
    const [state, effects] = sharedFolderStep(before, input, this.#options.policy);
    this.#state = state;
    for (const effect of effects) this.#act(effect);
    if (state.user !== before.user || state.mount !== before.mount) this.#proxy?.judgeAnew();
    this.#giveUpAddresses();
    this.#tellSession();
  }

  /** Where it is, as often as that changes. */
  #tellSession(): void {
    const session = this.#session;
    const { mount } = this.#state;
    const isTheirs = mount.kind === "mounted" && mount.mount.uid === session?.uid;
    const path = isTheirs ? mount.path : "";
    if (session === undefined || session.toldPath === path) return;
    session.toldPath = path;
    session.link.send({ kind: "shared-folder", path, readOnly: isTheirs && mount.mount.readOnly });
  }

  #act(effect: SharedFolderEffect): void {
    switch (effect.kind) {
      case "ask-viewer":
        void this.#ask(effect.epoch);
        return;
      case "listen":
        this.#listening = this.#listening.then(() => this.#listen(effect.epoch));
        return;
      case "fall-silent":
        return this.#fallSilent();
      case "fall-quiet":
        this.#log.warn("the viewer has stopped answering: refused until it goes on");
        this.#share?.mux.provoke();
        return this.#fallQuiet();
      case "mount":
        return this.#afterMounts(() => this.#mount(effect.mount));
      case "unmount":
        return this.#afterMounts(() => this.#unmount(effect.mount));
      case "retry-later":
        this.#retry?.[Symbol.dispose]();
        if (this.#isEnding) return;
        this.#retry = this.#options.clock.after(Math.min(RETRY_MIN_MS * 2 ** effect.failures, RETRY_MAX_MS), () =>
          this.#input({ kind: "retry-due", epoch: effect.epoch }),
        );
        return;
      default:
        effect satisfies never;
    }
  }

  #hostCame(line: HostLine): void {
    const mux = new MuxConnections(line, () => ++this.#lastConnection, this.#log);
    this.#share = { mux, over: new AbortController() };
    this.#log.info("a viewer has the channel open");
    this.#input({ kind: "host-came" });
  }

  #hostLeft(): void {
    if (this.#share === undefined) return;
    this.#log.info("the viewer is gone");
    this.#share.over.abort();
    this.#input({ kind: "host-left" });
  }

  async #ask(epoch: number): Promise<void> {
    const share = this.#share;
    if (share === undefined) return;
    const { clock } = this.#options;
    this.#askedMs = clock.nowMs();
    try {
      const { countEntries, isReadOnly } = await import("../system/shared-folder/share-questions.ts");
      const readOnly = await isReadOnly(share.mux, clock, share.over.signal);
      if (this.#state.isReadOnly !== readOnly) this.#log.info(`shared ${readOnly ? "read-only" : "read-write"}`);
      this.#input({ kind: "viewer-answered", epoch, readOnly });
      this.#entries = await countEntries(share.mux, clock, share.over.signal);
    } catch (error) {
      if (share.over.signal.aborted) return;
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      this.#input({ kind: "viewer-silent", epoch, fault: describeError(error) });
    }
  }

  async #listen(epoch: number): Promise<void> {
    const share = this.#share;
    const { isListening, isFrozen } = this.#state;
    // One that was wanted for a viewer who has left meanwhile would keep the place of the next.
    if (share === undefined || isListening || isFrozen || epoch !== this.#state.epoch) return;
    try {
      this.#proxy ??= await this.#openProxy();
      const proxy = this.#proxy;
      if (share !== this.#share) return this.#giveUpAddresses();
      proxy.serve(share.mux);
      this.#log.info(`served at ${proxy.addresses.map(addressText).join(", ")}`);
      this.#input({ kind: "listening-began", epoch });
      if (this.#options.announce) await this.#announce();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      this.#input({ kind: "listening-failed", epoch, fault: describeError(error) });
    }
  }

  async #openProxy(): Promise<DavProxy> {
    const { clock, listen, policy } = this.#options;
    const { DavProxy } = await import("../system/shared-folder/dav-proxy.ts");
    this.#mountClient = policy.mount ? await davfsUser() : undefined;
    return DavProxy.listen(listen, {
      mayConnect: (uid) => this.#mayConnect(uid),
      connected: () => this.#doubtAfter(OLD_ANSWER_MS),
      changeRefused: () => this.#doubtAfter(NEW_ANSWER_MS),
      unanswered: () => this.#input({ kind: "viewer-froze" }),
      clock,
      log: this.#log,
    });
  }

  /** As long as it is served. */
  async #announce(): Promise<void> {
    this.#announcement ??= await systemAnnouncement(this.#options);
    if (this.#state.isListening) this.#announcement.set(this.#proxy?.addresses ?? []);
  }

  #mayConnect(uid: number): boolean {
    if (uid === 0 || uid === this.#state.user) return true;
    // davfs2 gives up root for a user of its own.
    const { kind } = this.#state.mount;
    return uid === this.#mountClient && (kind === "changing" || kind === "mounted");
  }

  #doubtAfter(ageMs: number): void {
    if (this.#options.clock.nowMs() - this.#askedMs < ageMs) return;
    this.#askedMs = this.#options.clock.nowMs();
    this.#input({ kind: "doubt-arose" });
  }

  /** In this turn: whoever comes from here on is refused at once. */
  #fallSilent(): void {
    const share = this.#share;
    this.#share = undefined;
    this.#entries = undefined;
    this.#fallQuiet();
    share?.mux.cutAll();
  }

  #fallQuiet(): void {
    this.#proxy?.quiet();
    this.#announcement?.set([]);
  }

  /** Not before the mount is gone: another's server at them would be taken for the viewer's folder. */
  #giveUpAddresses(): void {
    if (this.#share !== undefined || this.#leftPaths.length > 0 || MAY_BE_MOUNTED.has(this.#state.mount.kind)) return;
    const closed = this.#proxy?.[Symbol.asyncDispose]();
    this.#proxy = undefined;
    this.#listening = this.#listening.then(() => closed);
  }

  async #mount(mount: ShareMount): Promise<void> {
    try {
      const path = await this.#service().mount(mount);
      this.#log.info(`mounted ${mount.readOnly ? "read-only" : "read-write"} at ${path}`);
      this.#input({ kind: "mount-made", mount, path, driver: "davfs2" });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (
        NOBODY_MOUNTS.has(error.code) &&
        this.#session?.uid === mount.uid &&
        this.#session.link.dialect === "extended"
      )
        return this.#mountBySession(this.#session, mount);
      // The viewer may have left meanwhile, which is no fault.
      if (this.#state.isListening) this.#log.about(mount.uid).warn(`not mounted: ${describeError(error)}`);
      this.#input({ kind: "mount-failed", mount, fault: describeError(error) });
    }
  }

  /** The fallback: by the user's own program, with the user's rights. */
  async #mountBySession(session: Session, mount: ShareMount): Promise<void> {
    const { path, fault } = await this.#askSession(session, this.#url(), mount.readOnly);
    if (path === "") {
      if (this.#state.isListening) this.#log.about(mount.uid).warn(`not mounted by the session: ${fault}`);
      return this.#input({ kind: "mount-failed", mount, fault });
    }
    if (session !== this.#session) {
      this.#isLeft(path);
      return this.#input({ kind: "mount-failed", mount, fault: "the session has left" });
    }
    this.#sessionsPath = path;
    this.#log.info(`mounted ${mount.readOnly ? "read-only" : "read-write"} at ${path} by the session`);
    this.#input({ kind: "mount-made", mount, path, driver: "rclone" });
  }

  async #askSession({ link }: Session, url: string, readOnly: boolean): Promise<SessionAnswer> {
    const over = new AbortController();
    const answered = new Promise<SessionAnswer>((resolve) => {
      this.#asked = { requestId: this.#demand(link, url, readOnly), answered: resolve };
    });
    const late = sleep(this.#options.clock, SESSION_MS, over.signal).then(() => undefined);
    const answer = await Promise.race([answered, late]);
    over.abort();
    this.#asked = undefined;
    if (answer !== undefined) return answer;
    // What it mounts after all nobody would know of.
    if (url !== "") this.#demand(link, "", false);
    return { path: "", fault: "the session does not answer" };
  }

  /** An empty address: what is mounted is to go. What it is answered by. */
  #demand(link: SessionLink, url: string, readOnly: boolean): number {
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffff_ffff) + 1;
    link.send({ kind: "mount-shared-folder", requestId, url, readOnly });
    return requestId;
  }

  #url(): string {
    const [address] = this.#proxy?.addresses ?? this.#options.listen;
    return address === undefined ? "" : `http://${addressText(address)}/`;
  }

  async #unmount(mount: ShareMount): Promise<void> {
    await this.#listening;
    if (this.#session !== undefined && this.#sessionsPath !== undefined)
      return this.#unmountBySession(this.#session, mount);
    const fault = await this.#unmountByHelper(mount.uid);
    this.#input(fault === undefined ? { kind: "mount-gone" } : { kind: "unmount-failed", mount, fault });
  }

  async #unmountBySession(session: Session, mount: ShareMount): Promise<void> {
    const { fault } = await this.#askSession(session, "", false);
    // Then all is said: it was left.
    if (session !== this.#session) return;
    if (fault !== "") {
      this.#log.about(mount.uid).warn(`not unmounted by the session: ${fault}`);
      return this.#input({ kind: "unmount-failed", mount, fault: `still mounted: ${fault}` });
    }
    this.#sessionsPath = undefined;
    this.#log.info("no longer mounted");
    this.#input({ kind: "mount-gone" });
  }

  /** Why it may be there still; undefined: it is gone. */
  async #unmountByHelper(uid: number): Promise<string | undefined> {
    try {
      await this.#service().unmount(uid);
      this.#log.info("no longer mounted");
      return undefined;
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.about(uid).warn(`not unmounted: ${describeError(error)}`);
      return `still mounted: ${describeError(error)}`;
    }
  }

  /** What a daemon before us has left, which may have had no time to say so. */
  async #clearUp(): Promise<void> {
    const users = await mountedUsers();
    // It asks here for the viewer's folder all the while.
    if (users.length > 0) this.#listening = this.#listening.then(() => this.#holdAddresses());
    await this.#listening;
    let stuck: SharedFolderInput | undefined;
    for (const uid of users) {
      const fault = await this.#unmountByHelper(uid);
      if (fault !== undefined) stuck = { kind: "unmount-failed", mount: { uid, readOnly: false }, fault };
    }
    this.#input(stuck ?? { kind: "mount-gone" });
  }

  async #holdAddresses(): Promise<void> {
    try {
      this.#proxy ??= await this.#openProxy();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
    }
  }

  #isLeft(path: string): void {
    this.#leftPaths = [...new Set([...this.#leftPaths, path])];
    void this.#lookAtLeft();
  }

  /** Until it is gone. */
  async #lookAtLeft(): Promise<void> {
    const mounted = new Set((await mountTable()).map(({ path }) => path));
    this.#leftPaths = this.#leftPaths.filter((path) => mounted.has(path));
    this.#look?.[Symbol.dispose]();
    if (this.#isEnding) return;
    if (this.#leftPaths.length === 0) return this.#giveUpAddresses();
    this.#look = this.#options.clock.after(LOOK_MS, () => void this.#lookAtLeft());
  }

  #service(): MountService {
    const { mountSocket } = this.#options;
    if (mountSocket === undefined) throw new BackendError("mount.no-service", "it is served at another address");
    return new MountService(mountSocket);
  }
}

function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function mountReport(mount: MountState): MountReport {
  const nothing = { path: null, driver: null, fault: null };
  switch (mount.kind) {
    case "none":
      return { state: "none", ...nothing };
    case "changing":
      return { state: "changing", ...nothing };
    case "mounted":
      return {
        ...nothing,
        state: mount.mount.readOnly ? "read-only" : "read-write",
        path: mount.path,
        driver: mount.driver,
      };
    case "failed":
    case "stuck":
      return { ...nothing, state: "failed", fault: mount.fault };
    default:
      return mount satisfies never;
  }
}

async function systemAnnouncement({ clock, log }: SharedFolderOptions): Promise<Announcement> {
  const [{ Announcement }, { MessageBus }, { systemBusAddress }] = await Promise.all([
    import("../system/shared-folder/announcement.ts"),
    import("../support/bus/message-bus.ts"),
    import("../support/bus/bus-address.ts"),
  ]);
  const bus = new MessageBus({ address: systemBusAddress(), clock, log });
  return new Announcement(bus, clock, log);
}
