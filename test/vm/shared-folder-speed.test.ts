// How fast the viewer's folder is, beside upstream's spice-webdavd in the same guest. Emulated: only the ratios are meant.
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import { installProduct, waitForStatus } from "./product.ts";

const MIB = 1024 * 1024;
const URL = "http://127.0.0.1:9843";
const ROUNDS = 3;
const UPSTREAM = "/usr/sbin/spice-webdavd";

/** Each prints what it was to print, so that nothing is fast by failing. */
const TASKS = {
  "GET of 100 MB": [`curl -sS ${URL}/large.bin | wc -c`, String(100 * MIB)],
  "20 small GETs at once": [`for n in $(seq 20); do curl -sS ${URL}/small/$n & done | wc -c; wait`, "20000"],
  "20 ranges of 5 MB": [
    `for n in $(seq 0 19); do curl -sS -r $((n * 5000000))-$((n * 5000000 + 4999999)) ${URL}/large.bin; done | wc -c`,
    "100000000",
  ],
} as const;
type Task = keyof typeof TASKS;

let guest: Guest;
let viewer: SpiceClient;
let folder: TempDir;

beforeAll(async () => {
  folder = makeTempDir("viewer-folder");
  writeFileSync(folder.join("large.bin"), randomBytes(100 * MIB));
  for (const name of ["small", "many"]) mkdirSync(folder.join(name));
  for (let n = 1; n <= 20; n++) writeFileSync(folder.join(`small/${n}`), "x".repeat(1000));
  for (let n = 0; n < 5000; n++) writeFileSync(folder.join(`many/file ${n}`), "");
  guest = await startGuest();
  expect(await guest.waitForBoot()).toBe("running");
  await installProduct(guest);
  await Desktop.start(guest);
  viewer = await SpiceClient.start();
  await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: folder.path } });
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

/** Milliseconds of the guest's own time, for each task. */
async function measure(): Promise<Record<Task, number>> {
  const times: [string, number][] = [];
  for (const [task, [script, expected]] of Object.entries(TASKS)) {
    const timed = `from=$(date +%s%3N); ${script}; echo $(($(date +%s%3N) - from))`;
    const [printed, ms] = (await guest.output(["bash", "-c", timed], { user: "guest", timeoutMs: 150_000 })).split(
      "\n",
    );
    expect(printed?.trim()).toBe(expected);
    times.push([task, Number(ms)]);
  }
  return Object.fromEntries(times) as Record<Task, number>;
}

const answers = async (): Promise<boolean> =>
  (await guest.run(["curl", "-sS", "-m", "5", "-o", "/dev/null", `${URL}/`])).code === 0;

async function ours(): Promise<Record<Task, number>> {
  await guest.output(["systemctl", "start", "tsvdagentd.service"]);
  // The mount is made then, and has been looked into: what comes is ours alone.
  await waitForStatus(guest, "mounted", ({ sharedFolder }) => sharedFolder?.mount.state === "read-write", 60_000);
  return measure();
}

async function upstreams(): Promise<Record<Task, number>> {
  await guest.output([
    "systemctl",
    "stop",
    "tsvdagentd-session.socket",
    "tsvdagentd-control.socket",
    "tsvdagentd.service",
  ]);
  const daemon = await guest.start([UPSTREAM, "-p", "9843"]);
  try {
    await until("spice-webdavd to answer", answers, 30_000, 500);
    return await measure();
  } finally {
    await daemon.kill("KILL");
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

test("a listing of 5000 entries through the mount", async () => {
  await waitForStatus(guest, "mounted", ({ sharedFolder }) => sharedFolder?.mount.state === "read-write", 60_000);
  const script = "from=$(date +%s%3N); ls ~/Shared/many | wc -l; echo $(($(date +%s%3N) - from))";
  const env = { HOME: "/home/guest" };
  const [count, ms] = (await guest.output(["bash", "-c", script], { user: "guest", env, timeoutMs: 60_000 })).split(
    "\n",
  );
  console.log(`ls of 5000 entries: ${ms} ms`);
  expect(count).toBe("5000");
});

test("at least as fast as upstream's, side by side", { timeout: 900_000 }, async () => {
  const times: { readonly ours: Record<Task, number>; readonly upstreams: Record<Task, number> }[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push({ ours: await ours(), upstreams: await upstreams() });
  for (const task of Object.keys(TASKS) as Task[]) {
    const [we, they] = [
      median(times.map((time) => time.ours[task])),
      median(times.map((time) => time.upstreams[task])),
    ];
    console.log(`${task}: ${we} ms, upstream ${they} ms: ${(they / we).toFixed(2)} ×`);
    console.log(JSON.stringify(times.map((time) => [time.ours[task], time.upstreams[task]])));
  }
  for (const task of Object.keys(TASKS) as Task[])
    expect(median(times.map(({ upstreams, ours }) => upstreams[task] / ours[task])), task).toBeGreaterThanOrEqual(1);
});
