// Manual and completions, into the folder of what is built: they are installed wherever the program is.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions.ts";
import { commandPage, configPage } from "./manual.ts";

export async function writeReference(folder: string, version: string): Promise<void> {
  const files = {
    "man/tsvdagent.1": commandPage(version),
    "man/tsvdagent.toml.5": configPage(version),
    "completions/tsvdagent.bash": bashCompletion(),
    "completions/_tsvdagent": zshCompletion(),
    "completions/tsvdagent.fish": fishCompletion(),
  };
  for (const part of ["man", "completions"]) await mkdir(join(folder, part), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}
