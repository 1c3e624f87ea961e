/**
 * The guest's second disk, mounted read-only at /mnt: what belongs to this run and not to the image.
 *
 *   /mnt/product  this tree as a package would have it
 *   /mnt/node     the Node that runs the tests
 *   /mnt/tools    the programs of the tests in the guest
 *   /mnt/packages what the test brings
 *   /mnt/files    laid over the guest's root by the initramfs
 *
 * A disk and no 9p share: QEMU refuses savevm while a 9p share is mounted.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../integration/peers/processes.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TREE = join(HERE, "..", "..");
/** Of the tree, what an installed package does not have; node_modules comes by itself. */
const LEFT_OUT = new Set(["node_modules", ".git", ".cache", "coverage", "src", "test"]);
/** Sparse; the tree and Node together are some 110 MB. */
const SIZE = "1G";

export async function makeProductDisk(file: string, packages: readonly string[] = []): Promise<void> {
  const staging = `${file}.d`;
  try {
    copyTree(join(staging, "product"));
    mkdirSync(join(staging, "node", "bin"), { recursive: true });
    cpSync(process.execPath, join(staging, "node", "bin", "node"));
    cpSync(join(HERE, "guest-tools"), join(staging, "tools"), { recursive: true });
    for (const from of packages) cpSync(from, join(staging, "packages", basename(from)));
    cpSync(join(HERE, "guest-files"), join(staging, "files"), { recursive: true });
    const options = ["-q", "-t", "ext4", "-L", "product", "-m", "0", "-O", "^has_journal", "-E", "root_owner=0:0"];
    // Not everybody's PATH has the folder mke2fs is in.
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    await run("mke2fs", [...options, "-d", staging, file, SIZE], { timeoutMs: 60_000, env });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function copyTree(target: string): void {
  for (const name of readdirSync(TREE)) {
    if (!LEFT_OUT.has(name)) cpSync(join(TREE, name), join(target, name), { recursive: true });
  }
  for (const path of productionPackages()) {
    cpSync(join(TREE, path), join(target, path), { recursive: true });
  }
}

/** The folders under node_modules that `npm ci --omit=dev` would leave. */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(TREE, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true && existsSync(join(TREE, path)))
    .map(([path]) => path);
}
