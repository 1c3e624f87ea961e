/** `npm run bench`: tsvdagent and Debian's agent side by side. Options: see options.ts. */
import { writeFileSync } from "node:fs";
import { runShown } from "../integration/peers/program-start.ts";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs } from "../integration/peers/until.ts";
import { copyOfNode, memoryOfTwoIdleNodes } from "./copy-of-node.ts";
import { type MachineFacts, machineFacts, versions } from "./machine.ts";
import { measureGuestToViewer, measureViewerToGuest } from "./measure-clipboard.ts";
import { measureFiles } from "./measure-files.ts";
import { measureIdle } from "./measure-idle.ts";
import { measureResize } from "./measure-resize.ts";
import { measureShare } from "./measure-share.ts";
import { measureStart } from "./measure-start.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { nicenessOf } from "./process-facts.ts";
import { agentNames, judge, type Series } from "./series.ts";
import { Side, type Sides } from "./side.ts";
import { resultTable } from "./table.ts";

await runShown({ name: "bench", usage: USAGE, parse: parseOptions, run });

async function run(options: BenchOptions): Promise<number> {
  // A guest is another machine's affair: what starts one is not loaded without need.
  if (options.guestFolder) return (await import("./measure-guest-folder.ts")).benchGuestFolder(options);
  return options.guest ? (await import("./measure-guest.ts")).benchGuest(options) : bench(options);
}

async function bench(options: BenchOptions): Promise<number> {
  const startMs = monotonicMs();
  const machine = machineFacts();
  const agents = await versions();
  console.error(`tsvdagent ${agents.ours} and spice-vdagent ${agents.theirs}, ${options.runs} runs of each`);
  using dir = makeTempDir("bench");
  const node = await copyOfNode(dir);
  // Before anything else runs on it, and shares its pages.
  const floor = options.pair && options.only.has("idle") ? await memoryOfTwoIdleNodes(node) : undefined;
  const program = { node, isPair: options.pair };
  await using ours = await Side.start("ours", program);
  await using theirs = await Side.start("theirs", program);
  const sides = { ours, theirs };
  const niceness = {
    ours: sides.ours.pids.map(nicenessOf),
    theirs: sides.theirs.pids.map(nicenessOf),
  };
  const { results, aborted } = await measureAll(sides, options);
  const seconds = Math.round((monotonicMs() - startMs) / 1000);
  printResults(results, machine, niceness, options);
  if (floor !== undefined) {
    const [pss, each] = [floor.pssMib.toFixed(1), floor.largestPrivateMib.toFixed(1)];
    console.log(
      `Two processes of this Node that do nothing: PSS ${pss} MiB together, private ${each} MiB in the larger.`,
    );
  }
  writeFileSync(
    options.json,
    `${JSON.stringify(
      {
        date: new Date().toISOString(),
        seconds,
        machine,
        agents,
        niceness,
        floor,
        options: { ...options, only: [...options.only], json: undefined, help: undefined },
        results: results.map((series) => ({ ...series, ...judge(series) })),
      },
      null,
      2,
    )}\n`,
  );
  console.log(`\n${seconds} s; all samples are in ${options.json}`);
  return aborted || results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

/** What was measured before something broke is kept. */
async function measureAll(
  sides: Sides,
  { only, runs, sizesMib, idleSeconds, pair, proxy }: BenchOptions,
): Promise<{ readonly results: readonly Series[]; readonly aborted: boolean }> {
  const clipboard = { runs, sizesMib, path: proxy ? "proxy" : "direct", isPair: pair } as const;
  const results: Series[] = [];
  try {
    if (only.has("start")) results.push(...(await measureStart(sides, runs)));
    if (only.has("resize")) results.push(...(await measureResize(sides, runs)));
    if (only.has("viewer-to-guest")) results.push(...(await measureViewerToGuest(sides, clipboard)));
    if (only.has("guest-to-viewer")) results.push(...(await measureGuestToViewer(sides, clipboard)));
    if (only.has("files")) results.push(...(await measureFiles(sides, runs)));
    if (only.has("share")) results.push(...(await measureShare(runs)));
    const afterTexts = only.has("viewer-to-guest") || only.has("guest-to-viewer");
    if (only.has("idle"))
      results.push(...(await measureIdle(sides, { seconds: idleSeconds, afterTexts, isPair: pair })));
    return { results, aborted: false };
  } catch (error) {
    console.error(`\nbench: ended early: ${error instanceof Error ? error.message : error}`);
    for (const name of agentNames) console.error(`${name}: ${sides[name].agentErrors}`);
    return { results, aborted: true };
  }
}

function printResults(
  results: readonly Series[],
  { node, kernel, cores, cpu, load }: MachineFacts,
  niceness: Readonly<Record<"ours" | "theirs", readonly number[]>>,
  { pair, proxy }: BenchOptions,
): void {
  console.log(`
${resultTable(results)}

Medians (smallest..largest). ours/theirs: of the medians; "speed" is the other way round, more is better.
Ours: ${pair ? "daemon and session, two processes" : "the one process of `run`; --pair: daemon and session"}.
Start: from the first process; theirs has two, the second started as soon as the first listens.
Resize: through a proxy that cuts the millimetres out of the viewer's messages, for both: theirs takes none with them.
Texts: ${proxy ? "through the same proxy" : "the viewer is connected directly, no proxy"}, for both; viewer → guest from the start to the end of xclip in
the guest, guest → viewer from the viewer's request to the last byte; every text and picture is checked by its md5. CPU and
peak of memory: of all processes of an agent together, from before the copy to the end of the paste.
Files: from the drop to the viewer's last word on the last of them; every file is checked by its md5.
Guest's folder: theirs is \`rclone serve webdav\`; from the start of curl to its end, both on the loopback, over files alike.
Idle: one sample of both at the same time, a viewer connected. PSS counts a page shared by n processes as 1/n, RSS in
full; ours runs with a copy of Node, so that it shares none of Node with programs that are not measured. New desktop:
theirs is the first program there that uses GTK, and loads OpenGL to look at it; otherwise an earlier one did that.
Niceness: ours ${niceness.ours.join(" ")}, theirs ${niceness.theirs.join(" ")} (ours asks for -5 and gets it only as root).
Node ${node}, Linux ${kernel}, ${cores} cores (${cpu}), load before the start ${load.toFixed(2)}.`);
  for (const { what, failures } of results) {
    for (const { agent, run, message } of failures)
      console.log(`FAILED: ${what}, ${agent}, run ${run + 1}: ${message}`);
  }
}
