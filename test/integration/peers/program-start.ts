/** How the demo and the bench begin and end: words, help, the missing build, exit codes. */
import { missingBuild } from "./agent.ts";
import { exitOnSignals } from "./signals.ts";

export interface ShownProgram<Options> {
  readonly name: string;
  readonly usage: string;
  /** Throws an Error that says which argument is wrong. */
  parse(args: readonly string[]): Options;
  /** Returns the exit code. */
  run(options: Options): Promise<number>;
}

/** Ends this process: with 2 for a wrong command line, with 1 for what has failed. */
export async function runShown<Options extends { readonly help: boolean }>(
  program: ShownProgram<Options>,
): Promise<never> {
  exitOnSignals();
  // Not only exitCode: what a failed start left behind would keep this process alive; its 'exit' handlers end it.
  process.exit(await exitCodeOf(program, process.argv.slice(2)));
}

async function exitCodeOf<Options extends { readonly help: boolean }>(
  { name, usage, parse, run }: ShownProgram<Options>,
  args: readonly string[],
): Promise<number> {
  let options: Options;
  try {
    options = parse(args);
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const missing = missingBuild();
  if (missing !== undefined) {
    console.error(`${name}: ${missing}`);
    return 1;
  }
  try {
    return await run(options);
  } catch (error) {
    console.error(`\n${name}: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}
