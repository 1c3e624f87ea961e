// Which names of the viewer's are taken for files, and what a file is called when its name is.
import { GioError } from "../wire/agent-constants.ts";
import { type FileOutcome, failedWith } from "./file-outcome.ts";

/** Of one part of a name, as file systems have it; and of all of it (PATH_MAX). */
const MAX_PART_BYTES = 255;
const MAX_NAME_BYTES = 4095;
const MAX_PARTS = 64;
/** `name (63).ext` is the last that is tried. */
const MAX_COPIES = 63;

/** The folders and, last, the file itself, none of which leads out of where it is put; or why it cannot be. */
export function partsOfName(name: string): readonly string[] | FileOutcome {
  const parts = name.split("/");
  // A part that is empty is an absolute name, or a name that ends with a folder.
  const isBad = parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"));
  if (isBad) return failedWith(GioError.INVALID_FILENAME);
  const isLong = Buffer.byteLength(name) > MAX_NAME_BYTES || parts.length > MAX_PARTS;
  if (isLong || parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES))
    return failedWith(GioError.FILENAME_TOO_LONG);
  return parts;
}

/** The name, then `name (1).ext` and so on; none longer than a file system takes. */
export function* namesToTry(name: string): Generator<string> {
  yield name;
  // A name that begins with its only dot has no extension.
  const dot = name.lastIndexOf(".");
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot) : "";
  for (let copy = 1; copy <= MAX_COPIES; copy += 1) {
    const ending = ` (${copy})${extension}`;
    // An "extension" of 250 bytes is none.
    const left = MAX_PART_BYTES - Buffer.byteLength(ending);
    yield left > 0 ? shortened(stem, left) + ending : `${shortened(name, MAX_PART_BYTES - 5)} (${copy})`;
  }
}

/** Whole characters only. */
function shortened(text: string, maxBytes: number): string {
  let bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  const characters = [...text];
  while (bytes > maxBytes) bytes -= Buffer.byteLength(characters.pop() ?? "");
  return characters.join("");
}
