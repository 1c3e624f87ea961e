/** Waiting for something to become true, with a time limit and an error that names what was awaited. */

/** Thrown when a peer did not do in time what a test waited for. */
export class PeerTimeout extends Error {
  constructor(what: string, timeoutMs: number, detail?: string, options?: ErrorOptions) {
    super(`waited ${timeoutMs} ms for ${what}${detail === undefined ? "" : `: ${detail}`}`, options);
    this.name = "PeerTimeout";
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds of CLOCK_MONOTONIC: the same clock, and so the same numbers, as the SPICE client's `atMs`. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * Calls `probe` every `intervalMs` until it returns something other than false, null or undefined, and returns that.
 * A probe that throws counts as "not yet"; its last error becomes the cause of the `PeerTimeout`.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs: number,
  intervalMs = 20,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = monotonicMs() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (monotonicMs() >= deadline) {
      throw new PeerTimeout(what, timeoutMs, cause instanceof Error ? cause.message : undefined, { cause });
    }
    await sleep(intervalMs);
  }
}

/** The promise's outcome, or a `PeerTimeout` naming `what` if it has none after `timeoutMs`. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  timeoutMs: number,
  detail?: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PeerTimeout(what, timeoutMs, detail?.())), timeoutMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
