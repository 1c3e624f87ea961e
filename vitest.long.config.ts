import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    globalSetup: "test/integration/build.ts",
    testTimeout: 4 * 60 * 60_000,
    fileParallelism: false,
  },
});
