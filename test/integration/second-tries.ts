// Says at the end which tests passed only when they were tried again, and what they failed with first.
import type { Reporter, TestCase, TestModule } from "vitest/node";

const isSecondTry = (test: TestCase): boolean => test.diagnostic()?.flaky === true;

/** For `reporters` in a Vitest configuration. */
export class SecondTries implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests("passed")) {
        if (!isSecondTry(test)) continue;
        const reasons = (test.result().errors ?? []).map(({ message }) => `    ${message.split("\n")[0]}`);
        process.stderr.write(
          [`Passed only when tried again: ${module.relativeModuleId} > ${test.fullName}`, ...reasons, ""].join("\n"),
        );
      }
    }
  }
}
