// `tsvdagent status`: asks the daemon how it is, and shows it.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { aborted } from "../support/aborted.ts";
import { sleep, systemClock } from "../support/clock.ts";
import { RunError } from "../support/errors.ts";
import type { CommandLine } from "./command-line.ts";
import { DEFAULT_CONTROL } from "./settings.ts";
import { describeStatus, type StatusReport } from "./status-report.ts";

export type StatusOptions = Extract<CommandLine, { command: "status" }>["options"];

const WATCH_MS = 1000;
const ANSWER_MS = 5000;

/** Until the signal is aborted. Throws a RunError when there is no daemon, or it does not answer. */
export async function status(options: StatusOptions, write: (text: string) => void, stop: AbortSignal): Promise<void> {
  const path = options.control ?? DEFAULT_CONTROL;
  const socket = await connected(path, stop);
  if (socket === undefined) return;
  try {
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    let before = "";
    do {
      socket.write(`${JSON.stringify({ command: "status" })}\n`);
      const report = await answer(lines, path, stop);
      if (report === undefined) return;
      const text = options.json === true ? `${JSON.stringify(report)}\n` : describeStatus(report);
      // Time passes for everybody: that alone is no news.
      const news = JSON.stringify({ ...report, uptimeSeconds: 0 });
      if (news !== before) write(before === "" || options.json === true ? text : `\n${text}`);
      before = news;
      if (options.watch === true) await sleep(systemClock, WATCH_MS, stop);
    } while (options.watch === true && !stop.aborted);
  } finally {
    socket.destroy();
  }
}

/** Undefined: stopped before. */
async function connected(path: string, stop: AbortSignal): Promise<Socket | undefined> {
  const socket = connect({ path });
  try {
    await once(socket, "connect", { signal: stop });
  } catch (error) {
    socket.destroy();
    if (stop.aborted) return undefined;
    throw new RunError(`no daemon answers at ${path}: ${(error as Error).message}: is tsvdagentd.service running?`);
  }
  socket.on("error", () => {});
  return socket;
}

/** Undefined: stopped before. */
async function answer(
  lines: AsyncIterator<string>,
  path: string,
  stop: AbortSignal,
): Promise<StatusReport | undefined> {
  const over = new AbortController();
  const late = sleep(systemClock, ANSWER_MS, over.signal).then(() => undefined);
  const line = await Promise.race([lines.next(), late, aborted(stop, late)]);
  over.abort();
  if (stop.aborted) return undefined;
  if (line === undefined || line.done === true) throw new RunError(`the daemon at ${path} does not answer`);
  const report = JSON.parse(line.value) as StatusReport & { readonly error?: string };
  if (report.error !== undefined) throw new RunError(`the daemon at ${path} says: ${report.error}`);
  return report;
}
