// DISPLAY_CONFIG in the session: the desktop's own settings, through its own tools, loaded when a viewer first asks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DesktopEffects } from "../desktop/display/desktop-effects.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { stateFolder } from "./state-folder.ts";

type EffectsRequest = Extract<LinkControlMessage, { kind: "effects-request" }>;

export interface SessionEffectsOptions {
  readonly isEnabled: boolean;
  /** What the window manager calls itself, if there is one. */
  readonly windowManager: () => Promise<string | undefined>;
  readonly clock: Clock;
  readonly log: Log;
}

export class SessionEffects implements AsyncDisposable {
  readonly #options: SessionEffectsOptions;
  readonly #ended = new AbortController();
  readonly #path = join(stateFolder(), "switched-off.json");
  #hasLookedBack = false;
  #effects: Promise<DesktopEffects> | undefined;

  constructor(options: SessionEffectsOptions) {
    this.#options = options;
  }

  async request({ requestId, flags }: EffectsRequest, link: LinkConnection | undefined): Promise<void> {
    const { isEnabled, log } = this.#options;
    let isDone = false;
    try {
      if (!isEnabled) throw new BackendError("effects.unavailable", "switched off");
      await (await this.#load()).request(flags);
      isDone = true;
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      log.warn(`not all that the viewer wants: ${describeError(error)}`);
    }
    link?.send({ kind: "effects-answer", requestId, isDone });
  }

  /** There is a desktop: what an agent that was killed has left switched off is put back. */
  async desktopConnected(): Promise<void> {
    if (this.#hasLookedBack) return;
    // Later it is what this agent has switched off itself.
    this.#hasLookedBack = true;
    if (!existsSync(this.#path)) return;
    await (await this.#load()).restoreLeft();
  }

  /** All as the user has it: the viewer is gone. */
  async restore(): Promise<void> {
    await (await this.#effects)?.restore();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.restore();
    this.#ended.abort();
  }

  #load(): Promise<DesktopEffects> {
    const { clock, windowManager, log } = this.#options;
    this.#effects ??= Promise.all([
      import("../desktop/display/desktop-effects.ts"),
      import("../desktop/command.ts"),
    ]).then(
      ([{ DesktopEffects }, { commandRunner }]) =>
        new DesktopEffects({
          run: commandRunner(clock, "effects.unavailable"),
          windowManager,
          path: this.#path,
          log,
          signal: this.#ended.signal,
        }),
    );
    return this.#effects;
  }
}
