// The hash that nixos-module/package.nix asks of what it fetches, made by Nix's own tool from the same tree.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The names of Nix and of npm for the machines that are built for. */
export const systems: Readonly<Record<string, string>> = { "x86_64-linux": "x64", "aarch64-linux": "arm64" };

export function thisSystem(): string | undefined {
  return Object.keys(systems).find((name) => systems[name] === process.arch);
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** Changes when any package does. */
export function lockedPackages(): string {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
  const digest = createHash("sha256").update(readFileSync("scripts/needed-packages.mjs"));
  for (const [path, { integrity = "" }] of Object.entries(packages)) digest.update(`${path} ${integrity}\n`);
  return digest.digest("hex");
}

/** `sha256-…` over what is needed of a `node_modules`. Needs nix-hash, of Debian's nix-bin. */
export function narHash(nodeModules: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tsvdagent-needed-"));
  try {
    const target = join(folder, "tree");
    const copy = ["scripts/needed-packages.mjs", nodeModules, join(target, "node_modules")];
    execFileSync(process.execPath, copy, { stdio: "inherit" });
    const hex = execFileSync("nix-hash", ["--type", "sha256", target], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    return `sha256-${Buffer.from(hex, "hex").toString("base64")}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
