/** Pictures as GTK applications write and read them (GdkPixbuf). */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("pixbuf.py", import.meta.url));
const run = promisify(execFile);

export type PictureFormat = "png" | "bmp" | "tiff" | "jpeg";

export async function makePicture(file: string, format: PictureFormat, width: number, height: number): Promise<void> {
  await run("/usr/bin/python3", [script, "make", format, String(width), String(height), file]);
}

/** Noise, of which every code of the format has something to say. GTK reads GIF and does not write it: ppmtogif does. */
export async function makeGif(file: string, width: number, height: number): Promise<void> {
  const samples = Buffer.from(Array.from({ length: width * height * 3 }, () => Math.floor(Math.random() * 6) * 50));
  await writeFile(`${file}.ppm`, Buffer.concat([Buffer.from(`P6 ${width} ${height} 255\n`), samples]));
  const { stdout } = await run("ppmtogif", [`${file}.ppm`], { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 });
  await writeFile(file, stdout);
}

/** The largest difference of any sample of any pixel, of 255. Fails when one of them is no picture, or of another size. */
export async function pictureDifference(file: string, other: string): Promise<number> {
  const { stdout } = await run("/usr/bin/python3", [script, "compare", file, other]);
  const difference = Number(stdout);
  if (Number.isNaN(difference)) throw new Error(`pictures of other sizes: ${stdout}`);
  return difference;
}
