// A folder of 100 000 entries in the guest's folder, listed to programs and to a browser on the host: nobody holds it in memory.
import { closeSync, createReadStream, mkdirSync, openSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GuestShare, startGuestShare } from "./peers/guest-share.ts";
import { watchMemoryPeak } from "./peers/memory-peak.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";

const ENTRIES = 100_000;
/** Of one process, at most; the listing itself is larger. */
const MOST_GROWTH_MIB = 50;
const PROPFIND = ["-X", "PROPFIND", "-H", "Depth: 1"];

let share: GuestShare;
let dir: TempDir;

beforeAll(async () => {
  dir = makeTempDir("many");
  share = await startGuestShare();
  mkdirSync(share.folder("many"));
  for (let n = 0; n < ENTRIES; n++) closeSync(openSync(share.folder(`many/file ${n}`), "w"));
}, 60_000);

afterAll(async () => {
  await share?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

async function entriesIn(path: string, mark: string): Promise<{ readonly entries: number; readonly bytes: number }> {
  let [entries, bytes, rest] = [0, 0, ""];
  for await (const piece of createReadStream(path, "latin1")) {
    const text = rest + (piece as string);
    const parts = text.split(mark);
    entries += parts.length - 1;
    bytes += (piece as string).length;
    rest = (parts.at(-1) ?? "").slice(1 - mark.length);
  }
  return { entries, bytes };
}

test.each([
  ["PROPFIND of depth 1", PROPFIND, "<D:response>", 70_000_000],
  ["the page", [], "<tr>", 10_000_000],
])(
  "%s is streamed",
  async (_, args, mark, leastBytes) => {
    // Once before, for what is loaded and compiled.
    await share.curl(...args, "-o", "/dev/null", share.url);
    const peaks = [share.daemon.pid, share.session.pid, share.proxy.pid].map(watchMemoryPeak);
    await share.curl(...args, "-o", dir.join("listing"), `${share.url}many/`);
    const { entries, bytes } = await entriesIn(dir.join("listing"), mark);
    // With the folder itself, and the way up.
    expect(entries).toBe(ENTRIES + 1);
    expect(bytes).toBeGreaterThan(leastBytes);
    const grown = peaks.map((peak) => peak.grownMib());
    console.log(
      `${bytes} bytes; daemon, session and proxy grew by ${grown.map((mib) => mib.toFixed(1)).join(", ")} MiB`,
    );
    for (const mib of grown) expect(mib).toBeLessThan(MOST_GROWTH_MIB);
  },
  60_000,
);

test("who takes nothing of it keeps nobody waiting, and it is not gathered either", async () => {
  const peaks = [share.daemon.pid, share.session.pid, share.proxy.pid].map(watchMemoryPeak);
  const slow = share.curl(...PROPFIND, "--limit-rate", "1M", "-m", "2", "-o", "/dev/null", `${share.url}many/`);
  const startMs = performance.now();
  expect(await share.status(`${share.url}many/file%2099999`)).toBe("200");
  expect(performance.now() - startMs).toBeLessThan(1500);
  await expect(slow).rejects.toThrow(/exit 28/);
  for (const peak of peaks) expect(peak.grownMib()).toBeLessThan(MOST_GROWTH_MIB);
}, 60_000);
