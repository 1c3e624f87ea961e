// A folder, or what a folder takes the place of, cannot be replaced in one step: in between there is neither.
import { lstat, rename } from "node:fs/promises";
import { namesToTry } from "../../features/file-names.ts";
import type { PassingPlaces } from "./passing-places.ts";
import type { Place } from "./shared-tree.ts";

/**
 * What is there now is put aside until `put` is done. If that fails it comes back, under another name where a program of the
 * guest's has taken its own meanwhile.
 */
export async function inPlaceOf(
  { folder, path, name }: Pick<Place, "folder" | "path" | "name">,
  put: () => Promise<void>,
  passing: PassingPlaces,
): Promise<void> {
  await using aside = await passing.take(folder);
  await rename(path, aside.path);
  try {
    await put();
  } catch (error) {
    if (!(await isBack(aside.path, folder.path, name))) aside.keep();
    throw error;
  }
}

async function isBack(aside: string, folder: string, name: string): Promise<boolean> {
  for (const free of namesToTry(name)) {
    const path = `${folder}/${free}`;
    if (!(await isTaken(path)) && (await isRenamed(aside, path))) return true;
  }
  return false;
}

async function isTaken(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** False: somebody was there sooner. */
async function isRenamed(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    () => false,
  );
}
