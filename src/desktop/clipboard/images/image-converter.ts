// Pictures become PNG, or are looked at, in a thread of their own, one at a time: bounded in bytes, pixels, memory and time,
// ended when no longer wanted, and gone when done, with all that it took.
import { Worker } from "node:worker_threads";
import type { Content } from "../../../features/desktop-clipboard.ts";
import type { Clock } from "../../../support/clock.ts";
import { BackendError } from "../../../support/errors.ts";
import type { ImageResult, ImageWork } from "./worker.ts";

/** 8K at 32 bits, and a header. */
const MAX_INPUT_BYTES = 144 * 1000 * 1000;
/** Of all that wait for their turn: they are taken in meanwhile, as nobody holds back a viewer's picture for so long. */
const MAX_HELD_BYTES = 2 * MAX_INPUT_BYTES;
const MAX_MS = 10_000;
/** The process may grow by this much: pixels are counted before they are unpacked, what is packed in them cannot be. */
const MAX_GROWTH_BYTES = 900 * 1024 * 1024;
const LOOK_MS = 50;
const MAX_HEAP_MIB = 256;
const PIECE_BYTES = 256 * 1024;

export interface ConverterLimits {
  readonly inputBytes: number;
  readonly heldBytes: number;
  readonly growthBytes: number;
  readonly timeMs: number;
}

const usualLimits: ConverterLimits = {
  inputBytes: MAX_INPUT_BYTES,
  heldBytes: MAX_HELD_BYTES,
  growthBytes: MAX_GROWTH_BYTES,
  timeMs: MAX_MS,
};

export class ImageConverter {
  readonly #clock: Clock;
  readonly #limits: ConverterLimits;
  readonly #script: URL;
  /** Settles, with nothing, when the one before is done. */
  #last: Promise<void> = Promise.resolve();
  #heldBytes = 0;

  /** `script` is worker.ts, which the build puts beside this. */
  constructor(clock: Clock, script = new URL("./image-worker.js", import.meta.url), limits = usualLimits) {
    this.#clock = clock;
    this.#script = script;
    this.#limits = limits;
  }

  /** The picture as PNG, as it is if it is one. Iterating throws a BackendError `clipboard.*`. */
  async *toPng(content: Content, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const result = await this.#inTurn(content, "png", signal);
    if (!("png" in result)) throw refused("something else was made of it");
    const { png } = result;
    for (let at = 0; at < png.length; at += PIECE_BYTES) yield png.subarray(at, at + PIECE_BYTES);
  }

  /** What a PNG shows: the same for all that show the same. Throws a BackendError `clipboard.*`. */
  async pixels(content: Content, signal: AbortSignal): Promise<string> {
    const result = await this.#inTurn(content, "pixels", signal);
    if (!("pixels" in result)) throw refused("something else was made of it");
    return result.pixels;
  }

  async #inTurn(content: Content, wanted: ImageWork["wanted"], signal: AbortSignal): Promise<ImageResult> {
    let heldBytes = 0;
    const hold = (bytes: number): void => {
      heldBytes += bytes;
      this.#heldBytes += bytes;
      if (heldBytes > this.#limits.inputBytes) throw refused(`more than ${this.#limits.inputBytes} bytes`);
      if (this.#heldBytes > this.#limits.heldBytes) throw refused("too many at once");
    };
    try {
      const image = await gathered(content, hold);
      const turn = this.#last.then(() => this.#convert({ image, wanted }, signal));
      this.#last = turn.then(
        () => {},
        () => {},
      );
      return await turn;
    } finally {
      this.#heldBytes -= heldBytes;
    }
  }

  async #convert(workerData: ImageWork, signal: AbortSignal): Promise<ImageResult> {
    if (signal.aborted) throw new BackendError("clipboard.lost", "called off");
    const worker = new Worker(this.#script, {
      workerData,
      transferList: [workerData.image.buffer as ArrayBuffer],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
      argv: [],
    });
    let over = (): void => {};
    try {
      const result = await new Promise<ImageResult>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", (error) => reject(refused(`its conversion failed: ${error.message}`)));
        worker.once("exit", () => reject(refused("its conversion ended without a word")));
        over = this.#bound(signal, reject);
      });
      if ("refused" in result) throw refused(result.refused);
      return result;
    } finally {
      over();
      await worker.terminate();
    }
  }

  /** Calls `giveUp` when it is called off, takes too long or too much; returns what ends the watch. */
  #bound(signal: AbortSignal, giveUp: (error: BackendError) => void): () => void {
    const { growthBytes, timeMs } = this.#limits;
    const onAbort = (): void => giveUp(new BackendError("clipboard.lost", "called off"));
    signal.addEventListener("abort", onAbort);
    const late = this.#clock.after(timeMs, () => giveUp(refused(`not done in ${timeMs} ms`)));
    const bytesBefore = process.memoryUsage.rss();
    const watch = (): Disposable =>
      this.#clock.after(LOOK_MS, () => {
        if (process.memoryUsage.rss() - bytesBefore > growthBytes) giveUp(refused("it takes too much memory"));
        else look = watch();
      });
    let look = watch();
    return () => {
      signal.removeEventListener("abort", onAbort);
      late[Symbol.dispose]();
      look[Symbol.dispose]();
    };
  }
}

function refused(detail: string): BackendError {
  return new BackendError("clipboard.image-refused", detail);
}

/** `hold` throws when that is too much. */
async function gathered(content: Content, hold: (bytes: number) => void): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    hold(piece.length);
    bytes += piece.length;
    pieces.push(piece);
  }
  // Of its own memory, to be handed over.
  const image = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    image.set(piece, at);
    at += piece.length;
  }
  return image;
}
