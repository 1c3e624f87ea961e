// How V8 is to use memory in a program that runs on, and mostly waits. Said here and not on a command line, for there it would
// have to be said in each unit.
import type { Clock } from "../support/clock.ts";

/** The first Node with Maglev, which compiles small functions at once: 3 MiB of its code in memory for a start. */
const FIRST_WITH_MAGLEV = 22;
/** For all that happens at a start, on a slow machine too. */
const START_MS = 5000;

/** How often a function is called before it is compiled: during the start, and as V8 has it. */
export const CALLS = {
  "invocation-count-for-maglev": [50_000, 400],
  "invocation-count-for-maglev-osr": [50_000, 100],
  "invocation-count-for-turbofan": [50_000, 3000],
} as const;

/** For programs that run on. `node`: its version. */
export function startLean(clock: Clock, node = process.versions.node): void {
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  // The heap grows in smaller steps, and garbage is collected when it is quiet for 8 s instead of after 100 s.
  setFlagsFromString("--optimize-for-size");
  if (Number.parseInt(node, 10) < FIRST_WITH_MAGLEV) return;
  // What only a start needs is forgotten after one collection instead of six.
  setFlagsFromString("--bytecode-old-age=1");
  const calls = (which: 0 | 1): void => {
    for (const [name, values] of Object.entries(CALLS)) setFlagsFromString(`--${name}=${values[which]}`);
  };
  calls(0);
  clock.after(START_MS, () => calls(1));
}
