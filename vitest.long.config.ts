import { defineConfig } from "vitest/config";

export default defineConfig({
  define: { TSVDAGENT_VERSION: JSON.stringify("0.0.0-test") },
  test: {
    // The properties, too, with a seed that is another each time, and printed where one fails.
    include: ["test/long/**/*.test.ts", "test/unit/**/*.test.ts"],
    globalSetup: "test/integration/build.ts",
    testTimeout: 4 * 60 * 60_000,
    fileParallelism: false,
  },
});
