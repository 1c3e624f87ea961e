import type { Writable } from "node:stream";

const waiting = new WeakMap<Writable, Promise<void>>();

/** Resolves with the stream's next `drain`, or when it is closed. One listener serves all who wait. */
export function nextDrain(stream: Writable): Promise<void> {
  const known = waiting.get(stream);
  if (known !== undefined) return known;
  const next = new Promise<void>((resolve) => {
    const done = (): void => {
      waiting.delete(stream);
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
  waiting.set(stream, next);
  return next;
}
