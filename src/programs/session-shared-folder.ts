// The viewer's folder in the session: where it is, a bookmark to it, and its mount where root does not see to that.
import { homedir } from "node:os";
import { join } from "node:path";
import type { RcloneMount } from "../desktop/shared-folder/rclone-mount.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { LinkControlMessage } from "../support/link/dialect.ts";
import type { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";

export interface SessionSharedFolderSettings {
  /** Below the home folder. */
  readonly path: string;
  readonly bookmark: boolean;
}

export type SharedFolderMessage = Extract<LinkControlMessage, { kind: "shared-folder" | "mount-shared-folder" }>;

export class SessionSharedFolder implements AsyncDisposable {
  readonly #settings: SessionSharedFolderSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #moved: (path: string | undefined) => void;
  readonly #ended = new AbortController();
  #link: LinkConnection | undefined;
  #path: string | undefined;
  #mount: RcloneMount | undefined;
  /** Mounts and bookmarks come and go one after the other. */
  #work: Promise<void> = Promise.resolve();

  /** `moved` is told where the root of the viewer's folder is, whenever that changes. */
  constructor(
    settings: SessionSharedFolderSettings,
    clock: Clock,
    log: Log,
    moved: (path: string | undefined) => void,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log.of("shared folder");
    this.#moved = moved;
  }

  attach(link: LinkConnection): void {
    this.#link = link;
    // One of an agent that was killed may be there still.
    if (this.#settings.bookmark && this.#path === undefined) this.#afterWork(() => this.#bookmark(this.#path));
  }

  detach(): void {
    this.#link = undefined;
    this.#isAt(undefined);
    this.#afterWork(() => this.#unmount());
  }

  daemonSaid(message: SharedFolderMessage): void {
    if (message.kind === "shared-folder") return this.#isAt(message.path === "" ? undefined : message.path);
    const link = this.#link;
    this.#afterWork(async () => {
      const answer = await this.#obey(message.url, message.readOnly);
      if (this.#link === link) link?.send({ kind: "shared-folder-mounted", requestId: message.requestId, ...answer });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    this.detach();
    await this.#work;
  }

  #isAt(path: string | undefined): void {
    if (path === this.#path) return;
    this.#path = path;
    this.#moved(path);
    if (this.#settings.bookmark) this.#afterWork(() => this.#bookmark(path));
  }

  async #bookmark(path: string | undefined): Promise<void> {
    try {
      const { bookmarksFile, setBookmark } = await import("../desktop/shared-folder/bookmark.ts");
      await setBookmark(bookmarksFile(), path);
    } catch (error) {
      this.#log.warn(`no bookmark: ${describeError(error)}`);
    }
  }

  /** An empty address: it is to go. */
  async #obey(url: string, readOnly: boolean): Promise<{ readonly path: string; readonly fault: string }> {
    await this.#unmount();
    const path = join(homedir(), this.#settings.path);
    try {
      const { mountRclone, unmountRclone } = await import("../desktop/shared-folder/rclone-mount.ts");
      await unmountRclone(path);
      if (url === "") return { path: "", fault: "" };
      this.#mount = await mountRclone({ url, path, readOnly, clock: this.#clock, signal: this.#ended.signal });
      return { path: this.#mount.path, fault: "" };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return { path: "", fault: describeError(error) };
    }
  }

  async #unmount(): Promise<void> {
    const mount = this.#mount;
    this.#mount = undefined;
    await mount?.[Symbol.asyncDispose]();
  }

  #afterWork(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
  }
}
