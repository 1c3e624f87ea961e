import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { run, startProcess } from "../integration/peers/processes.ts";
import type { TempDir } from "../integration/peers/temp-dir.ts";
import { sleep } from "../integration/peers/until.ts";
import { type Memory, memoryOf } from "./process-facts.ts";

const QUIET_MS = 10_000;

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

/** What two processes of this Node need that do nothing at all: the floor of everything in two processes. */
export async function memoryOfTwoIdleNodes(node: string): Promise<Memory> {
  const nothing = ["-e", "setTimeout(() => {}, 2 ** 31 - 1)"];
  await using first = await startProcess(node, nothing);
  await using second = await startProcess(node, nothing);
  await sleep(QUIET_MS);
  return memoryOf([first.pid, second.pid]);
}
