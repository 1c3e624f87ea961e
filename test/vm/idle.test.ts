// What it costs when nobody wants anything of it: systemd's watchdog, a viewer that looks on, and nothing else.
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../integration/peers/processes.ts";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { sleep } from "../integration/peers/until.ts";
import type { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import { copyBothWays, daemonPid, readStatus, startViewedGuest, type ViewedGuest } from "./product.ts";

/** The promises. */
const CPU_MS = 20;
const SWITCHES = 30;
const TOGETHER_BYTES = 65_000_000;
const PRIVATE_BYTES = 16_000_000;
const QUIET_MS = 60_000;
const MEASURED_S = 60;

/** CPU time in ns and voluntary switches of each process, all its threads, before and after so many seconds. */
const ACTIVITY = `
import glob, json, re, sys, time


def look(pid):
    ns = switches = 0
    for task in glob.glob("/proc/%s/task/*" % pid):
        ns += int(open(task + "/schedstat").read().split()[0])
        switches += int(re.search(r"^voluntary_ctxt_switches:\\s+(\\d+)", open(task + "/status").read(), re.M)[1])
    return ns, switches


pids = sys.argv[2:]
before = [look(pid) for pid in pids]
time.sleep(int(sys.argv[1]))
after = [look(pid) for pid in pids]
print(json.dumps([{"cpuMs": (a[0] - b[0]) / 1e6, "switches": a[1] - b[1]} for b, a in zip(before, after)]))
`;

/** CPU time in ms of a Node that does nothing but start and end, the median of some. */
const EMPTY_NODE = `
import resource, subprocess, sys

times = []
for _ in range(7):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.argv[1], "-e", "0"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
print(1000 * sorted(times)[3])
`;

interface Activity {
  readonly cpuMs: number;
  readonly switches: number;
}

interface Memory {
  readonly pss: number;
  readonly private: number;
}

/** For what is printed. */
const MIB = 1024 * 1024;

let viewed: ViewedGuest;
let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;

beforeAll(async () => {
  viewed = await startViewedGuest();
  ({ guest, desktop, viewer } = viewed);
  await copyBothWays(viewer, desktop, "before it is quiet");
});

afterAll(async () => {
  await viewed?.[Symbol.asyncDispose]();
});

/** Of all that we run: the daemon, the session's agent, and whatever these have started. */
async function ours(): Promise<readonly number[]> {
  const session = (await readStatus(guest)).sessions.find(({ active }) => active)?.pid ?? 0;
  const own = [await daemonPid(guest), session];
  for (const pid of own) expect(await guest.run(["pgrep", "-P", String(pid)])).toMatchObject({ stdout: "" });
  return own;
}

async function memoryOf(pid: number): Promise<Memory> {
  const text = await guest.output(["cat", `/proc/${pid}/smaps_rollup`]);
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]) * 1024;
  return { pss: bytes("Pss"), private: bytes("Private_Clean") + bytes("Private_Dirty") };
}

const together = (all: readonly Memory[]): number => all.reduce((sum, { pss }) => sum + pss, 0);
const inMib = (bytes: number): string => (bytes / MIB).toFixed(1);

/** How many times as long the same takes an emulated processor. */
async function emulationFactor(): Promise<number> {
  const inGuest = Number(await guest.output(["python3", "-c", EMPTY_NODE, "node"], { timeoutMs: 120_000 }));
  const here = Number(await run("python3", ["-c", EMPTY_NODE, process.execPath]));
  const factor = inGuest / here;
  console.log(
    `an empty Node: ${inGuest.toFixed(0)} ms of CPU in the guest, ${here.toFixed(0)} here: ${factor.toFixed(1)} times`,
  );
  return factor;
}

test("a minute, after one of quiet: at most 20 ms of a processor's time and 30 voluntary switches each", async () => {
  const factor = await emulationFactor();
  const pids = await ours();
  await sleep(QUIET_MS);
  const said = await guest.output(["python3", "-c", ACTIVITY, String(MEASURED_S), ...pids.map(String)], {
    timeoutMs: 2 * MEASURED_S * 1000,
  });
  const [daemon, session] = JSON.parse(said) as Activity[];
  console.log(`idle for ${MEASURED_S} s: daemon ${JSON.stringify(daemon)}, session ${JSON.stringify(session)}`);
  for (const activity of [daemon, session]) {
    expect((activity?.cpuMs ?? 0) / factor).toBeLessThanOrEqual(CPU_MS);
    expect(activity?.switches).toBeLessThanOrEqual(SWITCHES);
  }
  expect(await ours()).toEqual(pids);
}, 400_000);

test("memory: at most 65 MB together (PSS), 16 MB private each", async () => {
  const all = await Promise.all((await ours()).map(memoryOf));
  const text = all.map((each) => `PSS ${inMib(each.pss)}, private ${inMib(each.private)}`);
  console.log(`memory, MiB: daemon ${text[0]}; session ${text[1]}; together ${inMib(together(all))}`);
  // What is given back when they are gone: with two empty Node processes in their place.
  await guest.output([
    "systemctl",
    "stop",
    "tsvdagentd.service",
    "tsvdagentd-session.socket",
    "tsvdagentd-control.socket",
  ]);
  await desktop.output(["systemctl", "--user", "stop", "tsvdagent.service"]);
  const empty = await Promise.all([1, 2].map(() => guest.start(["node", "-e", "setInterval(() => {}, 1e9)"])));
  await sleep(10_000);
  const floor = await Promise.all(empty.map(({ pid }) => memoryOf(pid)));
  console.log(`two empty Node processes: together ${inMib(together(floor))} MiB`);
  expect(together(all)).toBeLessThanOrEqual(TOGETHER_BYTES);
  for (const each of all) expect(each.private).toBeLessThanOrEqual(PRIVATE_BYTES);
});
