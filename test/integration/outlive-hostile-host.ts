// The built agent, on a real X server, at the port of a host that means ill: shared by the short run and the long one.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { hostSocket } from "../fakes/host-socket.ts";
import { type HostileOutcome, outliveHostileHost } from "../fakes/hostile-session.ts";
import { startAgent } from "./peers/agent.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

/** Above what it had after a tenth of the messages. */
const MOST_GROWTH_KIB = 60 * 1024;

/** Fails, naming the seed, unless the agent lives, answers a good message after each new opening, and does not grow. */
export async function agentOutlivesHostileHost(seed: number, messages: number): Promise<HostileOutcome> {
  await using xorg = await startXorgDummy();
  await using port = await hostSocket();
  const quiet = ["--uinput", "none", "--log", "error"];
  await using agent = await startAgent(["run", ...quiet, "--port", port.path, "--display", xorg.display]);
  const warm = await outliveHostileHost(port, seed, messages / 10);
  const beforeKib = residentKib(agent.pid);
  const outcome = await outliveHostileHost(port, seed + 1, messages - warm.sent);
  expect(agent.process.exit).toBeUndefined();
  expect(residentKib(agent.pid) - beforeKib).toBeLessThan(MOST_GROWTH_KIB);
  return outcome;
}

function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
