import { defineConfig } from "vitest/config";
import { SecondTries } from "./test/integration/second-tries.ts";

/** Each of its own: Vitest takes out of the object what it has understood. */
const define = () => ({ TSVDAGENT_VERSION: JSON.stringify("0.0.0-test") });

export default defineConfig({
  define: define(),
  test: {
    reporters: ["default", new SecondTries()],
    projects: [
      {
        define: define(),
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/bench/**/*.test.ts"],
          setupFiles: "test/unit/fixed-seed.ts",
          // Against hanging only: a property's many runs take their time on a busy machine.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        define: define(),
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: "test/integration/build.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Real servers and clients on two cores: side by side they would only measure each other.
          fileParallelism: false,
          // Five hundred tests with real programs: one that a busy machine upset does not undo the others.
          // It is told of at the end, and is a fault to be mended.
          retry: 1,
        },
      },
    ],
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
});
