// Building the image takes longer than any test may.
import { ensureImage } from "./image.ts";

export async function setup(): Promise<void> {
  await ensureImage();
}
