// The thread in which one picture is converted; whatever it does, it can be ended from outside.
import { parentPort, workerData } from "node:worker_threads";
import { ImageError } from "./raster.ts";
import { toPng } from "./to-png.ts";

/** What the thread is given. */
export interface ImageWork {
  readonly image: Uint8Array;
}

/** What it answers. */
export type ImageResult = { readonly png: Uint8Array } | { readonly refused: string };

if (!isImageWork(workerData)) throw new Error("nothing to convert");
parentPort?.postMessage(convert(workerData.image));

/** Throws what is no fault of the picture. */
function convert(image: Uint8Array): ImageResult {
  try {
    return { png: toPng(image) };
  } catch (error) {
    if (error instanceof ImageError) return { refused: error.message };
    throw error;
  }
}

function isImageWork(data: unknown): data is ImageWork {
  return typeof data === "object" && data !== null && "image" in data && data.image instanceof Uint8Array;
}
