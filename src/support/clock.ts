// Time as a parameter, so that tests of time-outs and back-off take none.

export interface Clock {
  /** Milliseconds from some fixed moment; never goes back. */
  nowMs(): number;
  /** Calls once, after at least `delayMs`. Disposing cancels. */
  after(delayMs: number, call: () => void): Disposable;
}

/** Not performance.now(): the module behind it is loaded for its sake alone, and takes more memory than all timers. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export const systemClock: Clock = {
  nowMs: monotonicMs,
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs`, or at once when the signal is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = (): void => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = clock.after(delayMs, wake);
    signal.addEventListener("abort", wake);
  });
}
