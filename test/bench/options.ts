import { parseArgs } from "node:util";

export const measurements = [
  "start",
  "resize",
  "viewer-to-guest",
  "guest-to-viewer",
  "files",
  "share",
  "idle",
] as const;
export type MeasurementName = (typeof measurements)[number];

export const USAGE = `usage: npm run bench [-- OPTION…]

Compares tsvdagent (dist/tsvdagent.js) with Debian's spice-vdagentd and spice-vdagent: two Xspice servers side by side,
each with one of them and a real SPICE client; runs alternate between the two.

  --runs N            samples of each agent, of which the median counts [15]
  --only NAME         only this, may be repeated: ${measurements.join(", ")}
  --sizes MIB,…       sizes of the texts [1,20,50]
  --idle-seconds N    how long the idle agents are watched [60]
  --pair              ours runs as daemon and session, two processes as theirs, instead of as the one of \`run\`
  --proxy             texts, too, go through the proxy that resizing needs (it cuts the millimetres out of the viewer's
                      messages, which Debian's agent does not take)
  --guest             instead of all that: the screen of a guest in QEMU (npm run pretest:vm installs what it takes)
  --guest-folder      instead of all that: the viewer's folder in a guest, beside spice-webdavd
  --json FILE         where the results and all samples go [bench.json]
  --help              show this text

Exits with 1 if something could not be measured, not if something is slower than wanted.
`;

export interface BenchOptions {
  readonly runs: number;
  readonly only: ReadonlySet<MeasurementName>;
  readonly sizesMib: readonly number[];
  readonly idleSeconds: number;
  readonly pair: boolean;
  readonly proxy: boolean;
  readonly guest: boolean;
  readonly guestFolder: boolean;
  readonly json: string;
  readonly help: boolean;
}

/**
 * Throws an Error that says which argument is wrong and what is allowed.
 *
 * A paste of 1 MiB takes 25 ms or one or more waits of 100 ms of spice-server's longer, by chance: of 9 samples the median
 * says too little.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "15" },
      only: { type: "string", multiple: true, default: [] },
      sizes: { type: "string", default: "1,20,50" },
      "idle-seconds": { type: "string", default: "60" },
      pair: { type: "boolean", default: false },
      proxy: { type: "boolean", default: false },
      guest: { type: "boolean", default: false },
      "guest-folder": { type: "boolean", default: false },
      json: { type: "string", default: "bench.json" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.json === "") throw new Error("--json: a file name is expected");
  const only = values.only.map(measurementName);
  return {
    runs: positive("--runs", values.runs),
    only: new Set(only.length > 0 ? only : measurements),
    sizesMib: values.sizes.split(",").map((size) => positive("--sizes", size)),
    idleSeconds: positive("--idle-seconds", values["idle-seconds"]),
    pair: values.pair,
    proxy: values.proxy,
    guest: values.guest,
    guestFolder: values["guest-folder"],
    json: values.json,
    help: values.help,
  };
}

function measurementName(name: string): MeasurementName {
  const known = measurements.find((measurement) => measurement === name);
  if (known === undefined) throw new Error(`--only ${name}: known are ${measurements.join(", ")}`);
  return known;
}

function positive(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${option} ${text}: a whole number from 1 to 9999 is expected`);
  return Number(text);
}
