/** The guest's folder: our server beside `rclone serve webdav`, each with a folder like the other's. */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { startAgent } from "../integration/peers/agent.ts";
import { freePort, listensOn } from "../integration/peers/free-port.ts";
import { startProcess } from "../integration/peers/processes.ts";
import { curl, type FolderOfGuest } from "../integration/peers/share-clients.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, until } from "../integration/peers/until.ts";
import { md5OfFile } from "../integration/peers/x-clipboard.ts";
import { measureInPairs } from "./pairs.ts";
import { type AgentName, newSeries, type Series } from "./series.ts";

const LARGE_BYTES = 100_000_000;
const RANGE_BYTES = 5_000_000;
const PARALLEL = 20;
const ENTRIES = 5000;
const USER = "bench";
const PASSWORD = "a password";
const START_MS = 10_000;

interface Served extends AsyncDisposable {
  readonly folder: FolderOfGuest;
  /** On disk. */
  readonly path: (name: string) => string;
}

export async function measureShare(runs: number): Promise<Series[]> {
  using dir = makeTempDir("bench-share");
  const large = dir.join("large");
  writeFileSync(large, randomBytes(LARGE_BYTES));
  const md5 = await md5OfFile(large);
  await using ours = await startOurs(dir);
  await using theirs = await startRclone(dir);
  const served: Readonly<Record<AgentName, Served>> = { ours, theirs };
  for (const { path } of [ours, theirs]) fill(path, large);
  const got = dir.join("got");

  const measured = (name: string, what: string, task: (of: Served) => Promise<void>): Promise<Series> =>
    measureInPairs(newSeries({ name, what: `guest's folder: ${what}`, unit: "ms" }), runs, async (agent) => {
      const startMs = monotonicMs();
      await task(served[agent]);
      return monotonicMs() - startMs;
    });
  const get = ({ folder }: Served, name: string, ...more: readonly string[]): Promise<string> =>
    curl(folder, "-f", ...more, `${folder.url}${name}`);

  return [
    await measured("share-get", "GET of 100 MB", async (of) => {
      await get(of, "large", "-o", got);
      if (statSync(got).size !== LARGE_BYTES) throw new Error("not all of it has come");
    }),
    await measured("share-put", "PUT of 100 MB", async (of) => {
      await get(of, "put", "-T", large);
      if ((await md5OfFile(of.path("put"))) !== md5) throw new Error("what is there is not what was put");
      rmSync(of.path("put"));
    }),
    await measured("share-small", `${PARALLEL} small GETs at once`, async (of) => {
      const all = await Promise.all(Array.from({ length: PARALLEL }, (_, n) => get(of, `small/${n}`)));
      if (all.some((text) => text.length !== 1000)) throw new Error("not all of them have come");
    }),
    await measured("share-ranges", `${PARALLEL} ranges of 5 MB`, async (of) => {
      for (let n = 0; n < PARALLEL; n++) {
        await get(of, "large", "-o", got, "-r", `${n * RANGE_BYTES}-${(n + 1) * RANGE_BYTES - 1}`);
        if (statSync(got).size !== RANGE_BYTES) throw new Error("not all of it has come");
      }
    }),
    await measured("share-list", `PROPFIND of ${ENTRIES} entries`, async (of) => {
      await get(of, "many/", "-X", "PROPFIND", "-H", "Depth: 1", "-o", got);
      const entries = readFileSync(got, "latin1").split("</D:response>").length - 2;
      if (entries !== ENTRIES) throw new Error(`${entries} of ${ENTRIES} are listed`);
    }),
  ];
}

function fill(path: Served["path"], large: string): void {
  writeFileSync(path("large"), readFileSync(large));
  for (const name of ["small", "many"]) mkdirSync(path(name));
  for (let n = 0; n < PARALLEL; n++) writeFileSync(path(`small/${n}`), "x".repeat(1000));
  for (let n = 0; n < ENTRIES; n++) closeSync(openSync(path(`many/file ${n}`), "w"));
}

async function startOurs(dir: TempDir): Promise<Served> {
  const port = await freePort();
  mkdirSync(dir.join("ours"));
  mkdirSync(dir.join("home/.config/tsvdagent"), { recursive: true });
  writeFileSync(
    dir.join("home/.config/tsvdagent/config.toml"),
    `[guest-share]\nfolders = ["${dir.join("ours")}"]\nwritable = true\nport = ${port}\n`,
  );
  mkdirSync(dir.join("home/.local/state/tsvdagent"), { recursive: true });
  writeFileSync(dir.join("home/.local/state/tsvdagent/guest-share-password"), `${USER}:${PASSWORD}\n`, { mode: 0o600 });
  const agent = await startAgent(["session", "--socket", dir.join("none"), "--display", ":9999"], {
    env: { HOME: dir.join("home") },
  });
  await until("our server to listen", () => listensOn(agent.pid, port), START_MS);
  return {
    folder: { url: `http://127.0.0.1:${port}/ours/`, user: USER, password: PASSWORD },
    path: (name) => dir.join(`ours/${name}`),
    [Symbol.asyncDispose]: agent[Symbol.asyncDispose],
  };
}

async function startRclone(dir: TempDir): Promise<Served> {
  const port = await freePort();
  mkdirSync(dir.join("theirs"));
  const where = ["--addr", `127.0.0.1:${port}`, "--user", USER, "--pass", PASSWORD, "--config", "/dev/null"];
  const rclone = await startProcess("rclone", ["serve", "webdav", dir.join("theirs"), ...where], {
    env: { HOME: dir.path },
  });
  await until("rclone to listen", () => listensOn(rclone.pid, port), START_MS);
  return {
    folder: { url: `http://127.0.0.1:${port}/`, user: USER, password: PASSWORD },
    path: (name) => dir.join(`theirs/${name}`),
    [Symbol.asyncDispose]: () => rclone[Symbol.asyncDispose](),
  };
}
