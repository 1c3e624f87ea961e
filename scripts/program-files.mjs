// What of this tree is needed to run, and where it goes: program-files.mjs TREE TARGET copies it.
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const manifest = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** Folder of a package as Node finds it from `folder`. */
function find(folder, name) {
  for (let at = folder; ; at = dirname(at)) {
    const found = join(at, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return realpathSync(found);
    if (at === dirname(at)) return undefined;
  }
}

/** Of a package: code and its licence, not its sources, types and documentation, nor what was built for other machines. */
function isForRunning(path) {
  const builtFor = /\/prebuilds\/([^/]+)\//.exec(path)?.[1];
  if (builtFor !== undefined && builtFor !== `linux-${process.arch}`) return false;
  return /\.([cm]?js|json|node|wasm)$|^(licen[cs]e|copying|notice)[^/]*$/i.test(basename(path));
}

/** Throws an Error that says what is missing. */
export function programFiles(tree) {
  /** Where it goes → where it is. */
  const files = new Map();
  const add = (from, to, isWanted = () => true) => {
    if (!statSync(from).isDirectory()) {
      if (isWanted(from)) files.set(to, from);
      return;
    }
    for (const name of readdirSync(from)) add(join(from, name), join(to, name), isWanted);
  };
  const addPackage = (from, to) => {
    for (const name of readdirSync(from)) {
      if (name !== "node_modules") add(join(from, name), join(to, name), isForRunning);
    }
  };

  const { version, bin } = manifest(tree);
  const program = bin.tsvdagent;
  if (!existsSync(join(tree, program))) throw new Error(`${join(tree, program)} is missing: build it with npm ci`);
  add(join(tree, dirname(program)), dirname(program));
  add(join(tree, "package.json"), "package.json");
  if (existsSync(join(tree, "LICENSE"))) add(join(tree, "LICENSE"), "LICENSE");

  /** Where it goes → where it is, package by package. */
  const packages = new Map([["", tree]]);
  for (const [to, from] of packages) {
    const { name: parent, dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest(from);
    for (const name of Object.keys({ ...peerDependencies, ...optionalDependencies, ...dependencies })) {
      const found = find(from, name);
      if (found === undefined) {
        if (!(name in dependencies) || name in optionalDependencies) continue;
        throw new Error(
          `${name}, which ${parent} needs, is missing in ${join(tree, "node_modules")}: get it with npm ci`,
        );
      }
      // At the top, or, where another version has that place, below the one that needs it.
      const top = join("node_modules", name);
      const place = (packages.get(top) ?? found) === found ? top : join(to, "node_modules", name);
      packages.set(place, found);
    }
  }
  for (const [to, from] of packages) if (to !== "") addPackage(from, to);

  const contents = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([to, from]) => ({
      to,
      bytes: readFileSync(from),
      mode: statSync(from).mode & 0o111 ? 0o755 : 0o644,
    }));
  return { version, program, contents };
}

export function writeProgram(contents, target) {
  for (const { to, bytes, mode } of contents) {
    mkdirSync(dirname(join(target, to)), { recursive: true });
    writeFileSync(join(target, to), bytes, { mode });
  }
}

if (process.argv[1] === import.meta.filename) {
  const [tree, target] = process.argv.slice(2);
  writeProgram(programFiles(tree).contents, target);
}
