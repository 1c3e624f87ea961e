// Locks of RFC 4918, sections 6 and 7: kept in memory, bounded, over when their time is.
import { randomUUID } from "node:crypto";
import type { Clock } from "../../support/clock.ts";
import { DavError } from "./dav-error.ts";
import { hrefOf, isWithin, keyOf, type SharePath } from "./share-path.ts";

const MAX_LOCKS = 1000;
const DEFAULT_TIMEOUT_SECONDS = 600;
const MAX_TIMEOUT_SECONDS = 3600;

export interface DavLock {
  readonly token: string;
  readonly path: SharePath;
  readonly isFolder: boolean;
  readonly isExclusive: boolean;
  readonly isDeep: boolean;
  /** XML of the owner element; empty: none was given. */
  readonly owner: string;
  readonly timeoutSeconds: number;
  readonly endsMs: number;
}

export type NewLock = Omit<DavLock, "token" | "endsMs">;

export class DavLocks {
  readonly #clock: Clock;
  readonly #locks = new Map<string, DavLock>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that cover a path: its own, and deep ones around it. */
  covering(path: SharePath): DavLock[] {
    const key = keyOf(path);
    return this.#all().filter((lock) => {
      const own = keyOf(lock.path);
      return own === key || (lock.isDeep && isWithin(own, key));
    });
  }

  /** Throws a DavError 423 where another stands in the way. */
  add(wanted: NewLock): DavLock {
    const key = keyOf(wanted.path);
    const near = wanted.isDeep ? this.#all().filter(({ path }) => isWithin(key, keyOf(path))) : [];
    const rival = [...this.covering(wanted.path), ...near].find((lock) => lock.isExclusive || wanted.isExclusive);
    if (rival !== undefined) {
      const href = `<D:href>${hrefOf(rival.path, rival.isFolder)}</D:href>`;
      throw new DavError(423, "it is locked", `<D:no-conflicting-lock>${href}</D:no-conflicting-lock>`);
    }
    if (this.#locks.size >= MAX_LOCKS) throw new DavError(503, "there are too many locks");
    return this.#keep({ ...wanted, token: `urn:uuid:${randomUUID()}` });
  }

  /** Throws a DavError 412 when no lock of that token covers the path. */
  refresh(path: SharePath, tokens: ReadonlySet<string>, timeoutSeconds: number): DavLock {
    const lock = this.covering(path).find(({ token }) => tokens.has(token));
    if (lock === undefined) throw new DavError(412, "there is no such lock", "<D:lock-token-matches-request-uri/>");
    return this.#keep({ ...lock, timeoutSeconds });
  }

  /** Throws a DavError 409 when no lock of that token covers the path. */
  remove(path: SharePath, token: string): void {
    if (!this.covering(path).some((lock) => lock.token === token))
      throw new DavError(409, "there is no such lock", "<D:lock-token-matches-request-uri/>");
    this.#locks.delete(token);
  }

  /** What was there is gone, and with it what locked it. */
  forget(path: SharePath): void {
    for (const { token } of this.#within(path)) this.#locks.delete(token);
  }

  /**
   * Throws a DavError 423 when something that is to be changed is locked by nobody of these tokens.
   * `isDeep`: all below it, too; `isMember`: the folder around it, to which it is added or from which it is taken.
   */
  check(
    path: SharePath,
    tokens: ReadonlySet<string>,
    { isDeep = false, isMember = false }: { readonly isDeep?: boolean; readonly isMember?: boolean } = {},
  ): void {
    const groups = [this.covering(path)];
    if (isMember && path.length > 0) groups.push(this.covering(path.slice(0, -1)));
    // Each below has its own to be named.
    if (isDeep) groups.push(...this.#within(path).map((lock) => this.covering(lock.path)));
    for (const locks of groups) {
      const [first] = locks;
      if (first === undefined || locks.some(({ token }) => tokens.has(token))) continue;
      const href = `<D:href>${hrefOf(first.path, first.isFolder)}</D:href>`;
      throw new DavError(423, "it is locked", `<D:lock-token-submitted>${href}</D:lock-token-submitted>`);
    }
  }

  secondsLeft({ endsMs }: DavLock): number {
    return Math.max(1, Math.round((endsMs - this.#clock.nowMs()) / 1000));
  }

  #within(path: SharePath): DavLock[] {
    const key = keyOf(path);
    return this.#all().filter((lock) => isWithin(key, keyOf(lock.path)));
  }

  #all(): DavLock[] {
    const now = this.#clock.nowMs();
    for (const { token, endsMs } of this.#locks.values()) if (endsMs <= now) this.#locks.delete(token);
    return [...this.#locks.values()];
  }

  #keep(lock: NewLock & { readonly token: string }): DavLock {
    const kept = { ...lock, endsMs: this.#clock.nowMs() + lock.timeoutSeconds * 1000 };
    this.#locks.set(lock.token, kept);
    return kept;
  }
}

/** `Second-100`, `Infinite`, or several to choose from. */
export function timeoutSeconds(header: string | undefined): number {
  const wish = header?.split(",")[0]?.trim() ?? "";
  if (/^infinite$/i.test(wish)) return MAX_TIMEOUT_SECONDS;
  const seconds = Number(/^second-(\d{1,10})$/i.exec(wish)?.[1] ?? DEFAULT_TIMEOUT_SECONDS);
  return Math.min(Math.max(seconds, 1), MAX_TIMEOUT_SECONDS);
}
