/** Runs in pairs, so that both agents get the same share of what else goes on in the machine. */
import { type AgentName, agentNames, type Series } from "./series.ts";

/** Who goes first changes with each run. */
export function orderOfRun(run: number): readonly AgentName[] {
  return run % 2 === 0 ? agentNames : agentNames.toReversed();
}

/** Takes one sample of each agent per run. One that fails is noted, and the others go on. */
export async function measureInPairs(
  series: Series,
  runs: number,
  sample: (agent: AgentName, run: number) => Promise<number>,
): Promise<Series> {
  console.error(`\n${series.what}`);
  for (let run = 0; run < runs; run++) {
    const said: Record<AgentName, string> = { ours: "", theirs: "" };
    for (const agent of orderOfRun(run)) {
      try {
        const value = await sample(agent, run);
        series.samples[agent].push(value);
        said[agent] = `${value.toFixed(1)} ${series.unit}`;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        series.failures.push({ agent, run, message });
        said[agent] = `FAILED (${message.split("\n", 1)[0]})`;
      }
    }
    console.error(`  ${`${run + 1}/${runs}`.padStart(6)}   ours ${said.ours.padEnd(14)} theirs ${said.theirs}`);
  }
  return series;
}
