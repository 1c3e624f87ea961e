/** What the guest's X server shows: outputs and modes by xrandr. */
import { runOn } from "./x-programs.ts";

export interface XMode {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly current: boolean;
  readonly preferred: boolean;
}

export interface XOutput {
  readonly name: string;
  readonly connected: boolean;
  readonly primary: boolean;
  /** Undefined if the output is off. Pixels. */
  readonly geometry:
    | { readonly width: number; readonly height: number; readonly x: number; readonly y: number }
    | undefined;
  readonly modes: readonly XMode[];
}

export interface XScreen {
  readonly width: number;
  readonly height: number;
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly outputs: readonly XOutput[];
}

/** The configuration as it is, without asking the driver to look for monitors again. */
export async function readScreen(display: string): Promise<XScreen> {
  return parseXrandr(await runOn(display, "xrandr", ["--query", "--current"]));
}

/** The geometry of the outputs that are on, in xrandr's order. */
export async function readHeads(display: string): Promise<readonly NonNullable<XOutput["geometry"]>[]> {
  const { outputs } = await readScreen(display);
  return outputs.flatMap(({ geometry }) => (geometry === undefined ? [] : [geometry]));
}

function parseXrandr(text: string): XScreen {
  const screen = /^Screen 0: .* current (\d+) x (\d+), maximum (\d+) x (\d+)/m.exec(text);
  if (screen === null) throw new Error(`xrandr says: ${text.slice(0, 200)}`);
  const [width, height, maxWidth, maxHeight] = screen.slice(1).map(Number) as [number, number, number, number];
  const outputs = text
    .split(/^(?=\S)/m)
    .slice(1)
    .map(parseOutput);
  return { width, height, maxWidth, maxHeight, outputs };
}

function parseOutput(text: string): XOutput {
  const [head = "", ...lines] = text.trimEnd().split("\n");
  const geometry = /(\d+)x(\d+)\+(-?\d+)\+(-?\d+)/.exec(head);
  const [width, height, x, y] = (geometry ?? []).slice(1).map(Number) as [number, number, number, number];
  return {
    name: head.split(" ", 1)[0] ?? "",
    connected: / connected\b/.test(head),
    primary: / primary\b/.test(head),
    geometry: geometry === null ? undefined : { width, height, x, y },
    modes: lines.flatMap(parseMode),
  };
}

/** "   1283x721_spice  60.00*+  50.00": the names of these drivers' and agents' modes say the size. */
function parseMode(line: string): XMode[] {
  const mode = /^\s+((\d+)x(\d+)\S*)\s(.*)$/.exec(line);
  if (mode === null) return [];
  const [, name = "", width, height, rates = ""] = mode;
  return [
    {
      name,
      width: Number(width),
      height: Number(height),
      current: rates.includes("*"),
      preferred: rates.includes("+"),
    },
  ];
}
