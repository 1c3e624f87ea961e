// The viewer's folder at the daemon: the rules' effects on port, listeners and mount.
import {
  noSharedFolder,
  type SharedFolderEffect,
  type SharedFolderInput,
  type SharedFolderPolicy,
  type SharedFolderState,
  type ShareMount,
  sharedFolderStep,
} from "../features/shared-folder.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { HostLine } from "../system/ports/host-line.ts";
import type { DavProxy, ListenAddress } from "../system/shared-folder/dav-proxy.ts";
import { MuxConnections } from "../system/shared-folder/mux-connections.ts";
import { SharePort } from "../system/shared-folder/share-port.ts";
import type { SharedFolderReport } from "./status-report.ts";

/** Before what has failed is tried again. */
const RETRY_MS = 10_000;
/** What the viewer allows is asked again when it is used after so long, and no sooner after it has refused a change. */
const OLD_ANSWER_MS = 30_000;
const NEW_ANSWER_MS = 2000;

export interface SharedFolderOptions {
  readonly device: string;
  readonly listen: readonly ListenAddress[];
  readonly policy: SharedFolderPolicy;
  readonly clock: Clock;
  readonly log: Log;
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
  #state: SharedFolderState = noSharedFolder;
  #share: Share | undefined;
  #proxy: DavProxy | undefined;
  /** Listeners come and go one after the other. */
  #listening: Promise<void> = Promise.resolve();
  #lastConnection = 0n;
  #isToldOfScreen = false;
  #askedMs = 0;
  #entries: number | undefined;
  #retry: Disposable | undefined;

  constructor(options: SharedFolderOptions) {
    this.#options = options;
    this.#log = options.log.of("shared folder");
    this.#port = new SharePort(
      options.device,
      {
        hostCame: (line) => this.#hostCame(line),
        data: (bytes) => this.#share?.mux.push(bytes),
        hostLeft: () => this.#hostLeft(),
      },
      options.clock,
      this.#log,
    );
  }

  /** Resolves when the port is held for the first time, or cannot be yet. */
  get tried(): Promise<void> {
    return this.#port.tried;
  }

  /** By logind's word, whose programs may use it; undefined: nobody is in front of the screen. */
  screenChanged(user: number | undefined): void {
    this.#isToldOfScreen = true;
    this.#userChanged(user);
  }

  /** An agent is on the screen; where nobody asks logind, its user is, too. */
  attach(uid: number): void {
    if (!this.#isToldOfScreen) this.#userChanged(uid);
  }

  detach(): void {
    if (!this.#isToldOfScreen) this.#userChanged(undefined);
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
      listening: isListening ? this.#options.listen.map(({ host, port }) => `${host}:${port}`) : [],
      connections: this.#proxy?.connections ?? 0,
      user: user ?? null,
      entries: this.#entries ?? null,
      fault: fault ?? null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#retry?.[Symbol.dispose]();
    await this.#port[Symbol.asyncDispose]();
    this.#hostLeft();
    await this.#listening;
  }

  #userChanged(user: number | undefined): void {
    if (user !== this.#state.user) this.#input({ kind: "user-changed", user });
  }

  #input(input: SharedFolderInput): void {
    const [state, effects] = sharedFolderStep(this.#state, input, this.#options.policy);
    this.#state = state;
    for (const effect of effects) this.#act(effect);
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
      case "mount":
        return this.#mount(effect.mount);
      case "unmount":
        return this.#unmount(effect.mount);
      case "retry-later":
        this.#retry?.[Symbol.dispose]();
        this.#retry = this.#options.clock.after(RETRY_MS, () =>
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
    this.#askedMs = this.#options.clock.nowMs();
    try {
      const { countEntries, isReadOnly } = await import("../system/shared-folder/share-questions.ts");
      const readOnly = await isReadOnly(share.mux, share.over.signal);
      if (this.#state.isReadOnly !== readOnly) this.#log.info(`shared ${readOnly ? "read-only" : "read-write"}`);
      this.#input({ kind: "viewer-answered", epoch, readOnly });
      this.#entries = await countEntries(share.mux, share.over.signal);
    } catch (error) {
      if (share.over.signal.aborted) return;
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      this.#input({ kind: "viewer-silent", epoch, fault: describeError(error) });
    }
  }

  async #listen(epoch: number): Promise<void> {
    const share = this.#share;
    if (share === undefined || this.#proxy !== undefined) return;
    const { clock, listen } = this.#options;
    try {
      const { DavProxy } = await import("../system/shared-folder/dav-proxy.ts");
      const proxy = await DavProxy.listen(share.mux, listen, {
        mayConnect: (uid) => uid === 0 || uid === this.#state.user,
        connected: () => this.#doubtAfter(OLD_ANSWER_MS),
        changeRefused: () => this.#doubtAfter(NEW_ANSWER_MS),
        clock,
        log: this.#log,
      });
      if (share.over.signal.aborted) return await proxy[Symbol.asyncDispose]();
      this.#proxy = proxy;
      this.#log.info(`served at ${listen.map(({ host, port }) => `${host}:${port}`).join(", ")}`);
      this.#input({ kind: "listening-began", epoch });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#log.warn(describeError(error));
      this.#input({ kind: "listening-failed", epoch, fault: describeError(error) });
    }
  }

  #doubtAfter(ageMs: number): void {
    if (this.#options.clock.nowMs() - this.#askedMs < ageMs) return;
    this.#askedMs = this.#options.clock.nowMs();
    this.#input({ kind: "doubt-arose" });
  }

  /** In this turn: whoever comes from here on is refused at once. */
  #fallSilent(): void {
    const proxy = this.#proxy;
    const share = this.#share;
    this.#proxy = undefined;
    this.#share = undefined;
    this.#entries = undefined;
    const closed = proxy?.[Symbol.asyncDispose]();
    share?.mux.cutAll();
    this.#listening = this.#listening.then(() => closed);
  }

  #mount(_mount: ShareMount): void {}

  #unmount(_mount: ShareMount): void {}
}
