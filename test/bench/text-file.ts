/** Texts to copy: random, so that nobody on the way can compress them. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { TempDir } from "../integration/peers/temp-dir.ts";
import { md5OfFile } from "../integration/peers/x-clipboard.ts";

export interface TextFile {
  readonly file: string;
  readonly md5: string;
}

/** Two of a size, to be used in turn: a copy kept from the run before is found out by its checksum. */
export async function makeTexts(dir: TempDir, mib: number): Promise<readonly [TextFile, TextFile]> {
  const make = async (name: string): Promise<TextFile> => {
    const file = dir.join(`${mib}-mib-${name}`);
    writeFileSync(file, randomBytes((mib * 1024 * 1024) / 2).toString("hex"));
    return { file, md5: await md5OfFile(file) };
  };
  return [await make("a"), await make("b")];
}
