// A folder, or what a folder takes the place of, cannot be replaced in one step: in between there is neither.
import type { PassingPlaces } from "./passing-places.ts";
import type { Place } from "./shared-tree.ts";

/**
 * What is there now is put aside until `put` is done. If that fails, or we are killed before, it comes back, under another name
 * where a program of the guest's has taken its own meanwhile.
 */
export async function inPlaceOf(
  { folder, name }: Pick<Place, "folder" | "name">,
  put: () => Promise<void>,
  passing: PassingPlaces,
): Promise<void> {
  await using aside = await passing.putAside(folder, name);
  await put();
  await aside.replaced();
}
