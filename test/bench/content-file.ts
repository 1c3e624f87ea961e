/** What is copied: random, so that nobody on the way can compress it. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { encodePng } from "../../src/desktop/clipboard/images/png.ts";
import type { TempDir } from "../integration/peers/temp-dir.ts";
import { md5OfFile } from "../integration/peers/x-clipboard.ts";

export interface ContentFile {
  readonly file: string;
  readonly md5: string;
  /** VD_AGENT_CLIPBOARD_*. */
  readonly type: number;
  /** What applications call it. */
  readonly target: string;
}

const UTF8_TEXT = 1;
const IMAGE_PNG = 2;
/** Of the picture, pixels: three bytes each. */
const WIDTH = 2048;

/** Two of a size, to be used in turn: a copy kept from the run before is found out by its checksum. */
type Two = readonly [ContentFile, ContentFile];

export function makeTexts(dir: TempDir, mib: number): Promise<Two> {
  const kind = { type: UTF8_TEXT, target: "UTF8_STRING" };
  return makeTwo(dir, `${mib}-mib`, kind, () => randomBytes((mib * 1024 * 1024) / 2).toString("hex"));
}

/** A little larger than that. */
export function makePictures(dir: TempDir, mib: number): Promise<Two> {
  const height = Math.ceil((mib * 1024 * 1024) / 3 / WIDTH);
  const kind = { type: IMAGE_PNG, target: "image/png" };
  return makeTwo(dir, `${mib}-mib-picture`, kind, () =>
    encodePng({ width: WIDTH, height, channels: 3, data: randomBytes(WIDTH * height * 3) }),
  );
}

async function makeTwo(
  dir: TempDir,
  name: string,
  kind: Pick<ContentFile, "type" | "target">,
  content: () => string | Uint8Array,
): Promise<Two> {
  const make = async (which: string): Promise<ContentFile> => {
    const file = dir.join(`${name}-${which}`);
    writeFileSync(file, content());
    return { ...kind, file, md5: await md5OfFile(file) };
  };
  return [await make("a"), await make("b")];
}
