// One bundled program: the file that is started, and beside it, in parts/, what is loaded when it is first needed. All in one
// file would be kept in memory by every process, used or not. What package.json lists under `dependencies` stays outside:
// those are the native parts.
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { build, transform } from "esbuild";

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
    const find = require("node:module").createRequire(file)("node-gyp-build");
    exports.binding = find(file.slice(0, file.lastIndexOf("/")));`,
  debug: "module.exports = () => () => {};",
};

const target = `node${engines.node.replace(/[^0-9.]/g, "")}`;
const minified = { minifyWhitespace: true, minifySyntax: true };
const { outputFiles } = await build({
  entryPoints: {
    tsvdagent: "src/start.ts",
    "parts/image-worker": "src/desktop/clipboard/images/worker.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  // Of two builds none can load parts of the other.
  chunkNames: "parts/[name]-[hash]",
  platform: "node",
  format: "esm",
  target,
  // x11 looks for it, and would load a module for a clock that Date is good enough for.
  define: { TSVDAGENT_VERSION: JSON.stringify(version), performance: "undefined" },
  plugins: [leaveOut, whenNeeded],
  // The source stays in memory as long as we run.
  ...minified,
  legalComments: "external",
  logLevel: "warning",
  write: false,
});

/**
 * Node's loader of ES modules takes 0.9 MiB in each process, so what runs are CommonJS modules. esbuild cuts only ES modules
 * into parts: they are translated one by one, and an `import()` becomes a require() that is called when it is reached.
 */
async function asCommonJs(code) {
  const isPlaced = code.includes("import.meta.url");
  const place = 'const placeOfModule=require("node:url").pathToFileURL(__filename).href;';
  const translated = await transform(code, {
    format: "cjs",
    // For "node" it would add a list of names that nobody reads.
    platform: "neutral",
    target,
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "placeOfModule" },
    ...(isPlaced && { banner: place }),
    ...minified,
    logLevel: "warning",
  });
  return translated.code;
}

await rm("dist", { recursive: true, force: true });
await mkdir(parts, { recursive: true });
await writeFile("dist/package.json", `${JSON.stringify({ type: "commonjs" })}\n`);
// Written for each part; wanted in one.
const licences = [];
for (const { path, text } of outputFiles.sort((a, b) => (a.path < b.path ? -1 : 1))) {
  if (path.endsWith(".LEGAL.txt")) licences.push(text);
  else
    await writeFile(
      basename(dirname(path)) === "parts" ? `${parts}/${basename(path)}` : program,
      await asCommonJs(text),
    );
}
await chmod(program, 0o755);
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
