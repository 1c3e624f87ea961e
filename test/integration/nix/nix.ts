// Debian's Nix on a store of its own, offline: it evaluates, and builds nothing.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTempDir, type TempDir } from "../peers/temp-dir.ts";

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

export class Nix implements Disposable {
  readonly #folder = makeTempDir("nix");

  constructor() {
    mkdirSync(this.#folder.join("conf"));
  }

  /** Never throws for what Nix says; a missing Nix is an error. */
  run(program: string, args: readonly string[]): Promise<Said> {
    const places = { STORE: "store", STATE: "state", LOG: "log", CONF: "conf" };
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: this.#folder.path, NIX_REMOTE: "" };
    for (const [name, folder] of Object.entries(places)) env[`NIX_${name}_DIR`] = this.#folder.join(folder);
    return run(program, args, env);
  }

  async evaluate(tree: string, attribute: string): Promise<Said> {
    const expression = `(import ${join(tree, "nixos-module/tests/standin/eval.nix")}).${attribute}`;
    return this.run("nix-instantiate", ["--eval", "--strict", "--json", "-E", expression]);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.once("error", reject).once("close", (code) => resolve({ code, out, errors }));
  });
}

/** What Nix looks at of this tree, to be spoilt. */
export function copyOfTree(): TempDir {
  const tree = makeTempDir("nix-tree");
  for (const name of [
    "flake.nix",
    "nixos-module",
    "packaging",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "LICENSE",
  ])
    cpSync(name, tree.join(name), { recursive: true });
  // Only that they are there is looked at.
  for (const name of ["src", "scripts"]) mkdirSync(tree.join(name));
  writeFileSync(tree.join("scripts/needed-packages.mjs"), "");
  return tree;
}
