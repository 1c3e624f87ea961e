/** The table that grows while the demo runs: one line for each thing that was asked for. */
import { monotonicMs } from "../integration/peers/until.ts";

/** What a step that went well has to tell. */
export interface Outcome {
  readonly happened: string;
  /** If the step itself knows better than the clock around it. */
  readonly ms?: number;
}

export interface Step {
  readonly asked: string;
  /** Fails with an error that says what happened instead. */
  readonly run: () => Promise<Outcome>;
}

const ASKED_COLUMNS = 38;
const GREEN = 32;
const RED = 31;
const BOLD = 1;

export class Report {
  failures = 0;
  readonly #isColored = process.stdout.isTTY && process.stdout.hasColors();

  title(text: string): void {
    console.log(`\n${this.#paint(BOLD, text)}\n`);
  }

  head(): void {
    console.log(`\n  ${this.#paint(BOLD, row("", "ms", "asked", "happened"))}`);
  }

  /** Runs a step and prints its line. Returns whether it went well. */
  async step({ asked, run }: Step): Promise<boolean> {
    const start = monotonicMs();
    try {
      const { happened, ms = monotonicMs() - start } = await run();
      this.#line(GREEN, "ok", ms, asked, happened);
      return true;
    } catch (error) {
      this.failures++;
      const message = error instanceof Error ? error.message : String(error);
      this.#line(RED, "FAILED", monotonicMs() - start, asked, message.split("\n", 1)[0] ?? "");
      return false;
    }
  }

  #line(color: number, result: string, ms: number, asked: string, happened: string): void {
    const text = row(result, ms.toFixed(0), asked, happened);
    console.log(`  ${this.#paint(color, text.slice(0, 6))}${text.slice(6)}`);
  }

  #paint(code: number, text: string): string {
    return this.#isColored ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** The last column is not padded: emoji, of which nobody knows how wide they are shown, may only be there. */
function row(result: string, ms: string, asked: string, happened: string): string {
  return `${result.padEnd(6)} ${ms.padStart(5)}   ${asked.padEnd(ASKED_COLUMNS)} ${happened}`;
}
