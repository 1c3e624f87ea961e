import { parseArgs } from "node:util";

export const USAGE = `usage: npm run demo [-- OPTION…]

Shows what the agent does, without a virtual machine: an X server that is a SPICE server at the same time plays the
guest, the agent runs in it, and a real SPICE client uses it. Ends by itself after some seconds.

  --screenshot FILE  where to save what the client saw (PNG) [demo-screenshot.png]
  --stay             keep running until Ctrl-C, for a viewer of your own
  --help             show this text
`;

export interface DemoOptions {
  readonly screenshot: string;
  readonly stay: boolean;
  readonly help: boolean;
}

/** Throws an Error that says which argument is wrong. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      screenshot: { type: "string", default: "demo-screenshot.png" },
      stay: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.screenshot === "") throw new Error("--screenshot: a file name is expected");
  return values;
}
