// Of node_modules, what it takes to build and to run: needed-packages.mjs NODE_MODULES TARGET copies it, the same bytes wherever
// it is done. Its hash is what nixos-module/package.nix asks for.
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

const tree = dirname(import.meta.dirname);
const manifest = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** The packages that `src` takes in. */
function imported() {
  const names = new Set();
  for (const file of readdirSync(join(tree, "src"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const text = readFileSync(join(tree, "src", file), "utf8");
    for (const [, path] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^".][^"]*)"/g)) {
      const name = path
        .split("/")
        .slice(0, path.startsWith("@") ? 2 : 1)
        .join("/");
      if (!isBuiltin(name)) names.add(name);
    }
  }
  return names;
}

/** Folders below `modules`, by what needs them. */
function closure(modules) {
  const found = new Set();
  const visit = (name, from) => {
    for (let at = from; at.startsWith(modules); at = dirname(at)) {
      const folder = at.endsWith("node_modules") ? join(at, name) : join(at, "node_modules", name);
      if (!existsSync(join(folder, "package.json"))) continue;
      if (found.has(folder)) return;
      found.add(folder);
      const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest(folder);
      for (const next of Object.keys({ ...peerDependencies, ...optionalDependencies, ...dependencies }))
        visit(next, folder);
      return;
    }
  };
  for (const name of ["esbuild", ...Object.keys(manifest(tree).dependencies), ...imported()]) visit(name, modules);
  return found;
}

/** What packages make of themselves when they are installed; the build does not need it. */
const madeAtInstall = new Set(["esbuild/bin", "koffi/build", "@serialport/bindings-cpp/build"]);

/** Copied as regular files and folders: times and owners are no part of the hash, and of modes only whether it can be run. */
export function copyNeeded(from, target) {
  const modules = resolve(from);
  for (const folder of [...closure(modules)].sort()) {
    cpSync(folder, join(target, relative(modules, folder)), {
      recursive: true,
      filter: (path) => {
        const place = relative(folder, path);
        if (lstatSync(path).isSymbolicLink()) return false;
        return place !== "node_modules" && !madeAtInstall.has(relative(modules, path));
      },
    });
  }
}

if (process.argv[1] === import.meta.filename) {
  const [from, target] = process.argv.slice(2);
  rmSync(target, { recursive: true, force: true });
  copyNeeded(from, target);
}
