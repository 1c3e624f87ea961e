// One bundled program: the file that is started, and beside it, in parts/, what is loaded when it is first needed. All in one
// file would be kept in memory by every process, used or not. What package.json lists under `dependencies` stays outside:
// those are the native parts.
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const { version, dependencies, engines } = JSON.parse(await readFile("package.json", "utf8"));
const program = "dist/tsvdagent.js";
const parts = "dist/parts";

// What libraries bring beside what we call would be paid for in memory by every process, as long as it runs.
const never = 'function never() { throw new Error("left out of this build"); }';
/** Of dbus-next: services, XML and other ways to log in. */
const leftOutOfDbus = {
  "fast-xml-builder": "export default class {}",
  "fast-xml-parser": "export class XMLParser {}",
  // This one is called: where variants are sent.
  "node:assert": 'export default (holds) => { if (!holds) throw new Error("assertion failed"); }',
  "node:child_process": `export { never as execFile, never as spawn }; ${never}`,
  "node:crypto": `export { never as createHash, never as randomBytes }; ${never}`,
};
/** Of x11: an X server, names of keys, and all extensions but these. */
const leftOutOfX11 = /^\.\/(xserver|keysyms|gcfunction|ext\/(?!(big-requests|fixes|randr|xc-misc)$).+)$/;
const leaveOut = {
  name: "unused parts of libraries",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(fast-xml-|node:|\.\/)/ }, ({ path, importer }) => {
      const ofDbus = importer.includes("/node_modules/dbus-next/") && Object.hasOwn(leftOutOfDbus, path);
      const ofX11 = /\/node_modules\/x11\/lib\/(index|xcore)\.js$/.test(importer) && leftOutOfX11.test(path);
      return ofDbus || ofX11 ? { path, namespace: "left-out" } : undefined;
    });
    onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: leftOutOfDbus[path] ?? `${never}; module.exports = never;`,
    }));
  },
};

/**
 * An import of what stays outside the bundle would be hoisted to its top and so be loaded at every start, whoever asks for
 * it. Behind a CommonJS module of its own it is loaded when the first importer is.
 */
const whenNeeded = {
  name: "native parts when they are needed",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^.]/ }, ({ path, namespace }) => {
      if (!Object.hasOwn(dependencies, path)) return undefined;
      return namespace === "native" ? { path, external: true } : { path, namespace: "native" };
    });
    onLoad({ filter: /.*/, namespace: "native" }, ({ path }) =>
      Object.hasOwn(ofSerialport, path)
        ? { contents: ofSerialport[path], resolveDir: "node_modules/@serialport/bindings-cpp/dist" }
        : { contents: `module.exports = require(${JSON.stringify(path)});` },
    );
    onResolve({ filter: /^(debug|\.\/linux-list|\.\/serialport-bindings)$/ }, ({ path, importer }) => {
      if (!importer.includes("/node_modules/@serialport/")) return undefined;
      return { path, namespace: Object.hasOwn(ofSerialport, path) ? "native" : "left-out" };
    });
  },
};
/** Of its 25 modules for all systems the three that are wanted; the native part stays where npm has put it. */
const ofSerialport = {
  "@serialport/bindings-cpp": `
    exports.BindingsError = require("./errors.js").BindingsError;
    exports.LinuxPortBinding = require("./linux.js").LinuxPortBinding;`,
  "./serialport-bindings": `
    const file = require.resolve("@serialport/bindings-cpp/package.json");
    const find = createRequire(file)("node-gyp-build");
    exports.binding = find(file.slice(0, file.lastIndexOf("/")));`,
  debug: "module.exports = () => () => {};",
};

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: {
    tsvdagent: "src/main.ts",
    "parts/image-worker": "src/desktop/clipboard/images/worker.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  // Of two builds none can load parts of the other.
  chunkNames: "parts/[name]-[hash]",
  platform: "node",
  format: "esm",
  target: `node${engines.node.replace(/[^0-9.]/g, "")}`,
  // x11 looks for it, and would load a module for a clock that Date is good enough for.
  define: { TSVDAGENT_VERSION: JSON.stringify(version), performance: "undefined" },
  // Libraries written for require() find none in a module of their own.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  plugins: [leaveOut, whenNeeded],
  // The source stays in memory as long as we run.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "external",
  logLevel: "warning",
});
await chmod(program, 0o755);

// Written for each part; wanted in one.
const licences = [];
for (const name of (await readdir(parts)).filter((file) => file.endsWith(".LEGAL.txt")).sort()) {
  licences.push(await readFile(`${parts}/${name}`, "utf8"));
  await rm(`${parts}/${name}`);
}
await writeFile(`${program}.LEGAL.txt`, licences.join("\n"));

const reference = await build({
  entryPoints: ["scripts/reference/write.ts"],
  bundle: true,
  write: false,
  platform: "node",
  format: "esm",
  logLevel: "warning",
});
const { writeReference } = await import(`data:text/javascript,${encodeURIComponent(reference.outputFiles[0].text)}`);
await writeReference("dist", version);
