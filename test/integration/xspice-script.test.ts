// Row 90 with the one who needs it: Debian's Xspice script starts us by upstream's names, as it starts upstream.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { program } from "./peers/agent.ts";
import { guestToViewer, offerToGuest, pasteInGuest, resize, textFile } from "./peers/exchange.ts";
import { freePort, listensOn } from "./peers/free-port.ts";
import { isRunning, type PeerProcess, run, startProcess } from "./peers/processes.ts";
import { SpiceClient } from "./peers/spice-client.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until, within } from "./peers/until.ts";

const NAMES = ["spice-vdagentd", "spice-vdagent"] as const;
const START_MS = 20_000;

let dir: TempDir;
let env: Record<string, string>;

beforeEach(() => {
  dir = makeTempDir("xspice-script");
  for (const name of ["links", "tmp", "home"]) mkdirSync(dir.join(name));
  for (const name of NAMES) symlinkSync(program, dir.join(`links/${name}`));
  env = {
    PATH: `${dir.join("links")}:${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: dir.join("home"),
    TMPDIR: dir.join("tmp"),
    // Debian's build crashes without them (reference, "Testing against real peers"); the last keeps it on this machine.
    QXL_FRAME_BUFFER_SIZE: "64",
    QXL_COMMAND_BUFFER_SIZE: "256",
    QXL_SURFACE_BUFFER_SIZE: "128",
    XSPICE_ADDR: "127.0.0.1",
  };
});

afterEach(() => dir?.[Symbol.dispose]());

test.each([
  ["spice-vdagentd", 1],
  ["spice-vdagent", 255],
])("row 90: %s: wrong words end it with %i, and help tells of -S", async (name, code) => {
  await using wrong = await startProcess(name, ["--nope"], { env });
  expect(await wrong.ended).toEqual({ code, signal: null });
  expect(wrong.errors).toBe(`${name}: Unknown option '--nope': see ${name} --help\n`);
  expect(await run(name, ["-h"], { env })).toMatch(/^Version: [\s\S]* -S, /m);
});

test("row 90: spice-vdagent ends well where there is no port", async () => {
  expect(await run("spice-vdagent", ["-x", "-s", dir.join("none")], { env })).toContain("nothing to do");
});

test("row 90: the Xspice script starts both, everything works, and nothing is left", async () => {
  const { script, display, port } = await startScript();
  await using _script = { [Symbol.asyncDispose]: () => endHard(script) };
  const children = childrenOf(script.pid);
  expect(children).toHaveLength(3);
  await using viewer = await SpiceClient.start();
  await viewer.connect(port);
  await viewer.waitForAgent();
  const ends = { viewer, display, dir };
  await resize(ends, 1283, 721);
  await resize(ends, 1024, 768);
  const file = await textFile(dir, "text", 100_000);
  await offerToGuest(ends, file);
  await pasteInGuest(ends, file);
  await guestToViewer(ends, file);
  const [folder] = readdirSync(dir.join("tmp"));
  const files = ["vdagent.udcs", "vdagent.uinput", "vdagent.virtio", "xorg.conf", "xorg.log"];
  expect(readdirSync(dir.join(`tmp/${folder}`)).sort()).toEqual(files);

  const [xorg] = children;
  if (xorg === undefined) throw new Error("no X server");
  process.kill(xorg, "SIGTERM");
  expect(await within("the script to end", script.ended, 10_000, () => script.errors)).toEqual({
    code: 0,
    signal: null,
  });
  expect(script.errors).not.toContain("Traceback");
  expect(children.filter(isRunning)).toEqual([]);
  expect(readdirSync(dir.join("tmp"))).toEqual([]);
  expect(existsSync(`/tmp/.X11-unix/X${display.slice(1)}`)).toBe(false);
});

async function startScript(): Promise<{ script: PeerProcess; display: string; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const display = `:${freeDisplay()}`;
    const script = await startProcess(
      "/usr/bin/Xspice",
      // Without a number of heads Debian's build crashes, too.
      [
        ...["--auto", "--vdagent", "--disable-ticketing", "--port", String(port), "--numheads", "4"],
        ...[display, "-depth", "24", "-nolisten", "tcp", "-sharevts", "-novtswitch"],
      ],
      { env, cwd: dir.path },
    );
    try {
      await until(
        "both agents to be joined",
        () => {
          if (script.exit !== undefined) throw new Error(`${script.output.slice(-2000)}${script.errors.slice(-2000)}`);
          return /agent of \S+ \d+ connected, extended/.test(script.errors);
        },
        START_MS,
      );
      expect(childrenOf(script.pid).some((pid) => listensOn(pid, port))).toBe(true);
      return { script, display, port };
    } catch (error) {
      await endHard(script);
      if (attempt === 3) throw error;
    }
  }
}

/** The script itself cannot be ended: at SIGTERM it waits for itself, and SIGKILL would leave its children behind. */
async function endHard(script: PeerProcess): Promise<void> {
  if (script.exit !== undefined) return;
  for (const pid of childrenOf(script.pid)) process.kill(pid, "SIGTERM");
  await script.kill("SIGKILL");
}

/** Another may take it first; then it is tried again. */
function freeDisplay(): number {
  for (;;) {
    const number = 100 + Math.floor(Math.random() * 9000);
    if (!existsSync(`/tmp/.X11-unix/X${number}`) && !existsSync(`/tmp/.X${number}-lock`)) return number;
  }
}

/** Oldest first. */
function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
