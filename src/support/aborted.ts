/** Resolves when the signal is aborted, or when `sooner` is settled: of whoever waits, nothing stays on the signal then. */
export function aborted(signal: AbortSignal, sooner?: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", done);
    sooner?.then(done, done);
  });
}
