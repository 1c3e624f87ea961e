import { defineConfig } from "vitest/config";

// biome-ignore lint/style/noDefaultExport: as vitest wants it.
export default defineConfig({
  define: { TSVDAGENT_VERSION: JSON.stringify("0.0.0-test") },
  test: {
    include: ["test/vm/**/*.test.ts"],
    globalSetup: ["test/integration/build.ts", "test/vm/prepare.ts"],
    // An emulated guest: fifteen seconds to boot, and up to a minute on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 300_000,
    // Each guest takes both of a small machine's cores.
    fileParallelism: false,
  },
});
