/** `npm run demo`: the agent at work on a machine without a virtual machine. Options: see options.ts. */
import { resolve } from "node:path";
import { type Agent, startAgentOf } from "../integration/peers/agent.ts";
import { runShown } from "../integration/peers/program-start.ts";
import { nextSignal } from "../integration/peers/signals.ts";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, sleep } from "../integration/peers/until.ts";
import { startXspice, type Xspice } from "../integration/peers/xspice.ts";
import { openWindow, paintBackground } from "./guest-window.ts";
import { type DemoOptions, parseOptions, USAGE } from "./options.ts";
import { Report } from "./report.ts";
import { clickButton, copyOutOfGuest, movePointer, pasteIntoGuest, resize, type Stage } from "./steps.ts";

/** The last is odd on purpose: most agents round it. */
const SIZES = [
  [1440, 900],
  [1920, 1080],
  [1283, 721],
] as const;
/** For a picture drawn in the guest to arrive at the viewer. */
const DRAWING_MS = 300;
const ENDED = "Ended.";

await runShown({ name: "demo", usage: USAGE, parse: parseOptions, run: demo });

async function demo(options: DemoOptions): Promise<number> {
  const report = new Report();
  report.title("tsvdagent: a SPICE guest without a virtual machine");
  await using server = await startXspice();
  console.log(`  guest    X display ${server.display}, by Xspice: X server and SPICE server in one`);
  await using viewer = await SpiceClient.start();
  await viewer.connect(server.spicePort);
  console.log(`  viewer   spice-gtk, the library inside virt-viewer and GNOME Boxes, at 127.0.0.1:${server.spicePort}`);
  const startMs = monotonicMs();
  await using agent = await startAgentOf(server);
  console.log(`  agent    dist/tsvdagent.js run, process ${agent.process.pid}, in the guest`);

  report.head();
  const hasAgent = await report.step({
    asked: "agent: started",
    run: async () => {
      await viewer.waitForAgent();
      return { happened: "the viewer has an agent and knows what it can do", ms: monotonicMs() - startMs };
    },
  });
  if (hasAgent) await showAll(report, { server, viewer, screenshot: options.screenshot });

  // One viewer at a time: the stranger's own comes next.
  await viewer[Symbol.asyncDispose]();
  if (report.failures > 0) {
    console.log(`\n${report.failures} failed. The agent's last words:\n${agent.process.errors.slice(-2000)}`);
  } else {
    console.log("\nAll of it worked.");
  }
  if (options.stay && hasAgent) report.failures += await stay(server, agent);
  return report.failures > 0 ? 1 : 0;
}

interface Show {
  readonly server: Xspice;
  readonly viewer: SpiceClient;
  readonly screenshot: string;
}

async function showAll(report: Report, { server: { display }, viewer, screenshot }: Show): Promise<void> {
  using dir = makeTempDir("demo");
  const stage: Stage = { display, viewer, dir };
  await paintBackground(display);
  for (const [width, height] of SIZES) await report.step(resize(stage, width, height));
  const pasted = await report.step(pasteIntoGuest(stage));
  const copied = await report.step(copyOutOfGuest(stage));
  await report.step(movePointer(stage, 321, 123));

  const { width, height } = viewer.primary;
  await using window = await openWindow(display, [
    "This is the guest's screen, and this picture of it",
    "was taken in the viewer.",
    "",
    `Size of the screen:          ${width}x${height}`,
    `Text pasted into the guest:  ${pasted ? "the same" : "FAILED"}`,
    `Text copied to the viewer:   ${copied ? "the same" : "FAILED"}`,
    "",
    "The viewer's pointer is on the button.",
  ]);
  const { x, y } = window.button;
  const isThere = await report.step(movePointer(stage, x, y));
  await report.step({
    asked: "viewer: picture of what it shows",
    run: async () => {
      await sleep(DRAWING_MS);
      const startMs = monotonicMs();
      const size = await viewer.screenshot(resolve(screenshot));
      return { happened: `${screenshot}, ${size.width}x${size.height}`, ms: monotonicMs() - startMs };
    },
  });
  if (isThere) await report.step(clickButton(stage, window));
}

/** Returns the number of failures: 0 when the user ended it, 1 when something else did. */
async function stay(server: Xspice, agent: Agent): Promise<number> {
  const lines = [
    "",
    "Try it yourself (remote-viewer is in the Debian package virt-viewer):",
    "",
    `  remote-viewer spice://127.0.0.1:${server.spicePort}`,
    "",
    "Resize its window. Copy something there and read it here, or the other way round:",
    "",
    `  DISPLAY=${server.display} xclip -selection clipboard -o`,
    `  echo hello from the guest | DISPLAY=${server.display} xclip -selection clipboard`,
    "",
    "Ctrl-C ends it.",
  ];
  console.log(lines.join("\n"));
  await using _window = await openWindow(server.display, ["This is the guest. Resize the viewer's window."]);
  const ending = await Promise.race([
    nextSignal().then(() => ENDED),
    agent.process.ended.then(() => `The agent ended by itself:\n${agent.process.errors.slice(-2000)}`),
    server.process.ended.then(() => "Xspice ended by itself."),
  ]);
  console.log(`\n${ending}`);
  return ending === ENDED ? 0 : 1;
}
