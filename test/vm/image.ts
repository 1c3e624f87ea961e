/** The guest's root, kernel and initramfs: built once from Debian packages, kept outside the repository. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess } from "../integration/peers/processes.ts";
import { monotonicMs } from "../integration/peers/until.ts";

export interface GuestImage {
  readonly kernel: string;
  readonly initramfs: string;
  /** A raw ext4 file system that nobody writes to. */
  readonly root: string;
}

const RECIPE = fileURLToPath(new URL("image", import.meta.url));

/** The folder of $TSVDAGENT_VM_CACHE, else of the user's caches. */
function cacheFolder(): string {
  const { TSVDAGENT_VM_CACHE, XDG_CACHE_HOME } = process.env;
  return TSVDAGENT_VM_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "tsvdagent-vm");
}

/** The image of this recipe, built first if it is missing: a minute, with a good mirror. */
export async function ensureImage(): Promise<GuestImage> {
  const recipe = createHash("sha256");
  for (const name of ["build", "init"]) recipe.update(readFileSync(join(RECIPE, name))).update("\0");
  const folder = join(cacheFolder(), recipe.digest("hex").slice(0, 16));
  if (!existsSync(folder)) await build(folder);
  return { kernel: join(folder, "vmlinuz"), initramfs: join(folder, "initramfs"), root: join(folder, "root.ext4") };
}

/** Atomic: half an image is never found, and of two who build at once the second throws its own away. */
async function build(folder: string): Promise<void> {
  const startedMs = monotonicMs();
  mkdirSync(cacheFolder(), { recursive: true });
  const unfinished = mkdtempSync(join(cacheFolder(), "building-"));
  console.log("guest image: building it from Debian packages; this takes a minute or more");
  try {
    await using builder = await startProcess(join(RECIPE, "build"), [unfinished], { stdout: "pipe", stderr: "pipe" });
    let log = "";
    for (const stream of [builder.stdout, builder.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        log = (log + text).slice(-4000);
        // mmdebstrap's own steps; what apt and dpkg say is kept for the error only.
        for (const line of text.split("\n"))
          if (/^I: (running apt|downloading|extracting|installing|creating)/.test(line))
            console.log(`guest image: ${line.slice(3)}`);
      });
    }
    const { code, signal } = await builder.ended;
    if (code !== 0) throw new Error(`the guest image cannot be built (${code ?? signal}):\n${log}`);
    if (!existsSync(folder)) renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  console.log(`guest image: built in ${Math.round((monotonicMs() - startedMs) / 1000)} s`);
}
