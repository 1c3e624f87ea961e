/** The viewer's folder in a guest in QEMU, beside upstream's spice-webdavd in the same guest. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "../vm/desktop.ts";
import { type Guest, type GuestProcess, startGuest } from "../vm/guest.ts";
import { installProduct, waitForStatus } from "../vm/product.ts";
import { machineFacts } from "./machine.ts";
import { orderOfRun } from "./pairs.ts";
import { type AgentName, judge, newSeries, type Series } from "./series.ts";
import { resultTable } from "./table.ts";

const MIB = 1024 * 1024;
const URL = "http://127.0.0.1:9843";
const UPSTREAM = "/usr/sbin/spice-webdavd";
const ENTRIES = 5000;

interface Task {
  readonly name: string;
  readonly what: string;
  readonly script: string;
  /** What it prints, so that nothing is fast by failing. */
  readonly printed: string;
  readonly wanted?: number;
}

const TASKS: readonly Task[] = [
  {
    name: "folder-get",
    what: "GET of 100 MiB",
    script: `curl -sS ${URL}/large.bin | wc -c`,
    printed: String(100 * MIB),
    wanted: 1,
  },
  {
    name: "folder-small",
    what: "20 small GETs at once",
    script: `for n in $(seq 20); do curl -sS ${URL}/small/$n & done | wc -c; wait`,
    printed: "20000",
    wanted: 1,
  },
  {
    name: "folder-ranges",
    what: "20 ranges of 5 MB",
    script: `for n in $(seq 0 19); do curl -sS -r $((n * 5000000))-$((n * 5000000 + 4999999)) ${URL}/large.bin; done | wc -c`,
    printed: "100000000",
    wanted: 1,
  },
  {
    name: "folder-propfind",
    what: `PROPFIND of ${ENTRIES} entries`,
    script: `curl -sS -X PROPFIND -H 'Depth: 1' ${URL}/many | grep -o '</[^ <]*:response>' | wc -l`,
    printed: String(ENTRIES + 1),
  },
];

/** Prints and writes what it finds. */
export async function benchGuestFolder({
  runs,
  json,
}: {
  readonly runs: number;
  readonly json: string;
}): Promise<number> {
  const results = await measureGuestFolder(runs);
  console.log(`
${resultTable(results)}

Medians (smallest..largest); theirs is spice-webdavd. Of the guest's own time, in one emulated guest: only the ratios are meant.
The listing goes through the folder as it is mounted (davfs2), which theirs does not do.`);
  for (const { what, failures } of results)
    for (const { agent, run, message } of failures)
      console.log(`FAILED: ${what}, ${agent}, run ${run + 1}: ${message}`);
  const judged = results.map((series) => ({ ...series, ...judge(series) }));
  writeFileSync(
    json,
    `${JSON.stringify({ date: new Date().toISOString(), machine: machineFacts(), results: judged }, null, 2)}\n`,
  );
  console.log(`all samples are in ${json}`);
  return results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

async function measureGuestFolder(runs: number): Promise<readonly Series[]> {
  using folder = makeTempDir("viewer-folder");
  writeFileSync(folder.join("large.bin"), randomBytes(100 * MIB));
  for (const name of ["small", "many"]) mkdirSync(folder.join(name));
  for (let n = 1; n <= 20; n++) writeFileSync(folder.join(`small/${n}`), "x".repeat(1000));
  for (let n = 0; n < ENTRIES; n++) writeFileSync(folder.join(`many/file ${n}`), "");
  console.error("guest: booting");
  await using guest = await startGuest();
  await guest.waitForBoot();
  await installProduct(guest);
  await using _desktop = await Desktop.start(guest);
  await using viewer = await SpiceClient.start();
  await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: folder.path } });

  const series = TASKS.map(({ name, what, wanted }) =>
    newSeries({
      name,
      what,
      unit: "ms",
      ...(wanted === undefined ? {} : { goal: { kind: "speed", atLeast: wanted } as const }),
    }),
  );
  const listing = newSeries({ name: "folder-ls", what: `ls of ${ENTRIES} entries through the mount`, unit: "ms" });
  for (let run = 0; run < runs; run++) {
    for (const agent of orderOfRun(run)) {
      await using _serving = await (agent === "ours" ? startOurs(guest) : startTheirs(guest));
      const taken: string[] = [];
      for (const [index, task] of TASKS.entries()) {
        const ms = await sample(guest, series[index] as Series, { agent, run }, task.script, task.printed);
        taken.push(`${task.what} ${ms === undefined ? "FAILED" : `${ms} ms`}`);
      }
      if (agent === "ours") await sample(guest, listing, { agent, run }, "ls ~/Shared/many | wc -l", String(ENTRIES));
      console.error(`  ${run + 1}/${runs} ${agent}: ${taken.join(", ")}`);
    }
  }
  return [...series, listing];
}

/** Of the guest's own time. */
async function sample(
  guest: Guest,
  series: Series,
  { agent, run }: { readonly agent: AgentName; readonly run: number },
  script: string,
  expected: string,
): Promise<number | undefined> {
  try {
    const timed = `from=$(date +%s%3N); ${script}; echo $(($(date +%s%3N) - from))`;
    const env = { HOME: "/home/guest" };
    const text = await guest.output(["bash", "-c", timed], { user: "guest", env, timeoutMs: 150_000 });
    const [printed = "", ms] = text.split("\n");
    if (printed.trim() !== expected) throw new Error(`it printed ${printed.trim()}, not ${expected}`);
    series.samples[agent].push(Number(ms));
    return Number(ms);
  } catch (error) {
    series.failures.push({ agent, run, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

async function startOurs(guest: Guest): Promise<AsyncDisposable> {
  await guest.output(["systemctl", "start", "tsvdagentd.service"]);
  // The mount is made then, and has been looked into: what comes is measured alone.
  await waitForStatus(guest, "mounted", ({ sharedFolder }) => sharedFolder?.mount.state === "read-write", 60_000);
  const units = ["tsvdagentd-session.socket", "tsvdagentd-control.socket", "tsvdagentd.service"];
  return { [Symbol.asyncDispose]: async () => void (await guest.output(["systemctl", "stop", ...units])) };
}

async function startTheirs(guest: Guest): Promise<AsyncDisposable> {
  const daemon: GuestProcess = await guest.start([UPSTREAM, "-p", "9843"]);
  const answers = async (): Promise<boolean> =>
    (await guest.run(["curl", "-sS", "-m", "5", "-o", "/dev/null", `${URL}/`])).code === 0;
  await until("spice-webdavd to answer", answers, 30_000, 500);
  return { [Symbol.asyncDispose]: () => daemon.kill("KILL") };
}
