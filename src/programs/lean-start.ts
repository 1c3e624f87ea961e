// How V8 is to use memory in a program that runs on, and mostly waits. Said here and not on a command line, for there it would
// have to be said in each unit.
import type { Clock } from "../support/clock.ts";

/** The first Node whose V8 counts calls before it compiles; it is the first with Maglev, too, which compiles small functions at once. */
const FIRST_THAT_COUNTS = 22;
/** For all that happens at a start, on a slow machine too. */
const START_MS = 5000;

/**
 * How often a function is called before it is compiled: during the start, and from then on. V8 has 400, 100 and 3000; the first
 * function that TurboFan compiles takes 5 MiB of its code into memory, and 30 000 calls are still but a part of a large paste.
 */
export const CALLS = {
  "invocation-count-for-maglev": [50_000, 400],
  "invocation-count-for-maglev-osr": [50_000, 100],
  "invocation-count-for-turbofan": [50_000, 30_000],
} as const;

/** An older V8 counts the bytes of bytecode that a function has run; it has 67 584. */
export const BYTECODE = { "interrupt-budget": [50_000_000, 675_840] } as const;

/** Before anything else is loaded: what loads it is compiled, too. `node`: its version. */
export function startLean(clock: Clock, node = process.versions.node): void {
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  // The heap grows in smaller steps, and garbage is collected when it is quiet for 8 s instead of after 100 s.
  setFlagsFromString("--optimize-for-size");
  // What only a start needs is forgotten after one collection instead of six.
  setFlagsFromString("--bytecode-old-age=1");
  // The first and simplest compiler has no number.
  setFlagsFromString("--no-sparkplug");
  const limits = Number.parseInt(node, 10) < FIRST_THAT_COUNTS ? BYTECODE : CALLS;
  const limit = (which: 0 | 1): void => {
    for (const [name, values] of Object.entries(limits)) setFlagsFromString(`--${name}=${values[which]}`);
  };
  limit(0);
  clock.after(START_MS, () => {
    setFlagsFromString("--sparkplug");
    limit(1);
  });
}
