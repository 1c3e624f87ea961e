// What a fault of ours does: nobody handles it, and the process ends by it.
import { until } from "../integration/peers/until.ts";

/** The first that nobody has handled of this work. Throws when there is none. */
export async function unhandledIn(work: () => Promise<void>): Promise<unknown> {
  const others = process.listeners("unhandledRejection");
  const faults: unknown[] = [];
  const note = (fault: unknown): void => void faults.push(fault);
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", note);
  try {
    await work();
    await until("a fault that nobody handles", () => faults.length > 0, 2000, 2);
  } finally {
    process.off("unhandledRejection", note);
    for (const other of others) process.on("unhandledRejection", other);
  }
  return faults[0];
}
