// One bundled file. What package.json lists under `dependencies` stays outside it: those are the native parts.
import { chmod, readFile, rm } from "node:fs/promises";
import { build } from "esbuild";

const { version, dependencies, engines } = JSON.parse(await readFile("package.json", "utf8"));
const outfile = "dist/tsvdagent.js";

// What dbus-next brings for services, XML and other ways to log in is never called by us, and would be paid for in memory.
const never = 'function never() { throw new Error("left out of this build"); }';
const leftOutOfDbus = {
  "fast-xml-builder": "export default class {}",
  "fast-xml-parser": "export class XMLParser {}",
  // This one is called: where variants are sent.
  "node:assert": 'export default (holds) => { if (!holds) throw new Error("assertion failed"); }',
  "node:child_process": `export { never as execFile, never as spawn }; ${never}`,
  "node:crypto": `export { never as createHash, never as randomBytes }; ${never}`,
};
const leaveOut = {
  name: "unused parts of dbus-next",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(fast-xml-|node:)/ }, ({ path, importer }) =>
      path in leftOutOfDbus && importer.includes("/node_modules/dbus-next/")
        ? { path, namespace: "left-out" }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({ contents: leftOutOfDbus[path] }));
  },
};

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
  plugins: [leaveOut],
  // The source stays in memory as long as we run.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "linked",
  logLevel: "warning",
});
await chmod(outfile, 0o755);
