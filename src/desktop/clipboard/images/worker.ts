// The thread in which one picture is read; whatever it does, it can be ended from outside.
import { parentPort, workerData } from "node:worker_threads";
import { pixelsOf } from "./pixels.ts";
import { decodePng } from "./png-decoder.ts";
import { ImageError } from "./raster.ts";
import { toPng } from "./to-png.ts";

/** What the thread is given. */
export interface ImageWork {
  readonly image: Uint8Array;
  /** "pixels": of a PNG, what it shows. */
  readonly wanted: "png" | "pixels";
}

/** What it answers. */
export type ImageResult = { readonly png: Uint8Array } | { readonly pixels: string } | { readonly refused: string };

if (!isImageWork(workerData)) throw new Error("nothing to convert");
parentPort?.postMessage(convert(workerData));

/** Throws what is no fault of the picture. */
function convert({ image, wanted }: ImageWork): ImageResult {
  try {
    return wanted === "png" ? { png: toPng(image) } : { pixels: pixelsOf(decodePng(image)) };
  } catch (error) {
    if (error instanceof ImageError) return { refused: error.message };
    throw error;
  }
}

function isImageWork(data: unknown): data is ImageWork {
  return typeof data === "object" && data !== null && "image" in data && data.image instanceof Uint8Array;
}
