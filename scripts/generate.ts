// Writes what is committed and made from something else: the options of the NixOS module, their table, and the hashes of what the
// Nix package fetches. Run it when a key of the configuration or a dependency has changed.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockedPackages, narHash, systems, thisSystem } from "./reference/dependency-hash.ts";
import { optionsJson, withOptionTable } from "./reference/nix-options.ts";

const readme = "nixos-module/README.md";
const hashes = "nixos-module/dependencies.json";

writeFileSync("nixos-module/options.json", optionsJson());
writeFileSync(readme, withOptionTable(readFileSync(readme, "utf8")));

const known = JSON.parse(readFileSync(hashes, "utf8")) as Readonly<Record<string, string>>;
const locked = lockedPackages();
const here = thisSystem();
if (known.locked !== locked || (here !== undefined && known[here] !== narHash("node_modules"))) {
  const made: Record<string, string> = { locked };
  for (const [system, cpu] of Object.entries(systems)) {
    const folder = mkdtempSync(join(tmpdir(), "tsvdagent-dependencies-"));
    try {
      for (const name of ["package.json", "package-lock.json", ".npmrc"]) copyFileSync(name, join(folder, name));
      const args = ["ci", "--ignore-scripts", "--silent", "--os=linux", "--libc=glibc", `--cpu=${cpu}`];
      execFileSync("npm", args, { cwd: folder, stdio: "inherit" });
      made[system] = narHash(join(folder, "node_modules"));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  writeFileSync(hashes, `${JSON.stringify(made, undefined, 2)}\n`);
}
