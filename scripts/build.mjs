// One bundled file. What package.json lists under `dependencies` stays outside it: those are the native parts.
import { chmod, readFile, rm } from "node:fs/promises";
import { build } from "esbuild";

const { version, dependencies, engines } = JSON.parse(await readFile("package.json", "utf8"));
const outfile = "dist/tsvdagent.js";

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: `node${engines.node.replace(/[^0-9.]/g, "")}`,
  external: Object.keys(dependencies),
  define: { TSVDAGENT_VERSION: JSON.stringify(version) },
  // Libraries written for require() find none in a module of their own.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "linked",
  logLevel: "warning",
});
await chmod(outfile, 0o755);
