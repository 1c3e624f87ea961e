import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { run } from "../integration/peers/processes.ts";
import type { TempDir } from "../integration/peers/temp-dir.ts";

/**
 * A Node of its own for our agent. In most guests it is the only Node there is; here it would share its pages with this
 * benchmark, and with any other, and look smaller than it is. Where a copy cannot be run it is the common one.
 */
export async function copyOfNode(dir: TempDir): Promise<string> {
  const copy = dir.join("node");
  try {
    await copyFile(process.execPath, copy, constants.COPYFILE_FICLONE);
    await run(copy, ["--version"]);
    return copy;
  } catch {
    return process.execPath;
  }
}
