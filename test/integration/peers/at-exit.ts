/** Cleaning up when the test process ends without having disposed of what it started. */

const actions = new Set<() => void>();

process.on("exit", () => {
  // Newest first: a process must be gone before the folder it writes to is removed.
  for (const action of [...actions].reverse()) {
    try {
      action();
    } catch {
      // The others still need their turn.
    }
  }
});

/** Runs `action`, which must be synchronous, when this process exits. Returns the function that takes it back. */
export function atExit(action: () => void): () => void {
  actions.add(action);
  return () => actions.delete(action);
}
