// What applications call the clipboard's content types: X11 targets and MIME types, section 3.6 of the protocol.
import { ClipboardType } from "../wire/agent-constants.ts";

/** Names of a type, the one to ask for first. Compared without regard to case. */
const targetNames: readonly (readonly [number, readonly string[]])[] = [
  [
    ClipboardType.UTF8_TEXT,
    ["UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "COMPOUND_TEXT", "TEXT", "STRING"],
  ],
  [ClipboardType.IMAGE_PNG, ["image/png"]],
  [ClipboardType.IMAGE_BMP, ["image/bmp", "image/x-bmp", "image/x-MS-bmp", "image/x-win-bitmap"]],
  [ClipboardType.IMAGE_TIFF, ["image/tiff"]],
  [ClipboardType.IMAGE_JPG, ["image/jpeg"]],
];

/** Of a picture that no viewer's clipboard has a type for: PNG is made of it. */
const GIF_TARGET = "image/gif";

/** Pictures that PNG can be made of, without loss before with, the least work first. */
const pngSources: readonly number[] = [ClipboardType.IMAGE_BMP, ClipboardType.IMAGE_TIFF, ClipboardType.IMAGE_JPG];

/** A clipboard manager that finds it, with the value below, does not keep the content. KDE's, understood by others. */
export const SECRET_TARGET = "x-kde-passwordManagerHint";
export const SECRET_VALUE = "secret";

/** What an application's targets amount to: for each type the target to ask for, spelled as the application did. See `isForPng`. */
export function typesOfTargets(targets: readonly string[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const [type, names] of targetNames) {
    for (const name of names) {
      const spelled = targets.find((target) => target.toLowerCase() === name.toLowerCase());
      if (spelled === undefined) continue;
      found.set(type, spelled);
      break;
    }
  }
  const gif = targets.find((target) => target.toLowerCase() === GIF_TARGET);
  if (gif !== undefined && !targetNames.some(([type]) => type !== ClipboardType.UTF8_TEXT && found.has(type)))
    found.set(ClipboardType.IMAGE_PNG, gif);
  return found;
}

/** What is given for this target is not what is wanted of it: PNG is to be made of it. */
export function isForPng(target: string): boolean {
  return target.toLowerCase() === GIF_TARGET;
}

/** The targets to offer for the viewer's types, in its order. */
export function targetsOfTypes(types: readonly number[]): readonly string[] {
  return types.flatMap((type) => targetNames.find(([known]) => known === type)?.[1] ?? []);
}

/** PNG among them, before the first picture, if there is one that it can be made of. */
export function withPng(types: readonly number[]): readonly number[] {
  if (pngSource(types) === undefined) return types;
  const before = types.findIndex((type) => pngSources.includes(type));
  return [...types.slice(0, before), ClipboardType.IMAGE_PNG, ...types.slice(before)];
}

/** What to make PNG of; undefined where it is there already, or no picture is. */
export function pngSource(types: readonly number[]): number | undefined {
  if (types.includes(ClipboardType.IMAGE_PNG)) return undefined;
  return pngSources.find((type) => types.includes(type));
}

/** The type behind a target that was offered. */
export function typeOfTarget(target: string): number | undefined {
  return targetNames.find(([, names]) => names.some((name) => name.toLowerCase() === target.toLowerCase()))?.[0];
}

/** How the text of a target is encoded; undefined for what is passed on as it is. */
export function textEncodingOf(target: string): "utf-8" | "latin-1" | "compound" | undefined {
  switch (target.toUpperCase()) {
    case "STRING":
      return "latin-1";
    case "COMPOUND_TEXT":
      return "compound";
    default:
      return typeOfTarget(target) === ClipboardType.UTF8_TEXT ? "utf-8" : undefined;
  }
}
