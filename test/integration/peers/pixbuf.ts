/** Pictures as GTK applications write and read them (GdkPixbuf). */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("pixbuf.py", import.meta.url));
const run = promisify(execFile);

export type PictureFormat = "png" | "bmp" | "tiff" | "jpeg";

export async function makePicture(file: string, format: PictureFormat, width: number, height: number): Promise<void> {
  await run("/usr/bin/python3", [script, "make", format, String(width), String(height), file]);
}

/** The largest difference of any sample of any pixel, of 255. Fails when one of them is no picture, or of another size. */
export async function pictureDifference(file: string, other: string): Promise<number> {
  const { stdout } = await run("/usr/bin/python3", [script, "compare", file, other]);
  const difference = Number(stdout);
  if (Number.isNaN(difference)) throw new Error(`pictures of other sizes: ${stdout}`);
  return difference;
}
