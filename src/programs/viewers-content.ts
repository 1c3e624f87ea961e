// Knows the viewer's own content again when an application offers it: clipboard managers take over what others copy.
// Of text and files a manager gives the same bytes; pictures some write anew, and then it is their pixels that tell.
import type { Content } from "../features/desktop-clipboard.ts";
import { BackendError } from "../support/errors.ts";
import { SLOW_DISK_BYTES, Spool } from "../support/spool.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";

/** What a PNG shows; the same for all that show the same. Throws a BackendError. */
export type PixelsOf = (png: Content, signal: AbortSignal) => Promise<string>;

/** Of contents that differ, one pair in four thousand million is taken for the same; neither is kept in memory for it. */
type Fingerprint = `${number}:${number}`;

interface Given {
  /** By type. One type may have been given in several forms: of a list of files the texts differ with the target. */
  readonly fingerprints: Map<number, Set<Fingerprint>>;
  /** By type, bytes. */
  readonly largest: Map<number, number>;
  /** The first PNG that was given whole: what applications ask for before any other picture. */
  picture: KeptPicture | undefined;
  isTooMuch: boolean;
}

/** Looked at only when an application offers another file in its place. */
interface KeptPicture {
  /** On disk but for its beginning. */
  readonly spool: Spool;
  /** As they stand in the file. */
  readonly widthAndHeight: Uint8Array;
  pixels: Promise<string> | undefined;
}

/** Applications of all kinds ask for many forms of one content. */
const MAX_FORMS = 16;
/** Of larger pictures only the bytes are known again. */
const MAX_PICTURE_BYTES = 64 * 1024 * 1024;
/** Where a PNG says its width and height. */
const SIZE_AT = 16;
const SIZE_END = 24;
/** Once begun it is looked at to the end: the next application may offer it, too. */
const never = new AbortController().signal;

const kinds: readonly (readonly number[])[] = [
  [ClipboardType.UTF8_TEXT],
  [ClipboardType.IMAGE_PNG, ClipboardType.IMAGE_BMP, ClipboardType.IMAGE_TIFF, ClipboardType.IMAGE_JPG],
];

export class ViewersContent {
  readonly #given = new Map<ClipboardSelection, Given>();
  readonly #pixelsOf: PixelsOf;

  constructor(pixelsOf: PixelsOf) {
    this.#pixelsOf = pixelsOf;
  }

  /** What comes from now on is something else. */
  replaced(selection: ClipboardSelection): void {
    const given = this.#given.get(selection);
    this.#given.delete(selection);
    if (given !== undefined) forgetPicture(given);
  }

  /** Some of it has been given: what is offered now may be that. */
  wasGiven(selection: ClipboardSelection): boolean {
    return this.#given.has(selection);
  }

  /** The same pieces; once all of them have been taken, they are known again. */
  noted(selection: ClipboardSelection, type: number, content: Content): Content {
    const given = this.#given.get(selection) ?? nothingGiven();
    this.#given.set(selection, given);
    const isKept = type === ClipboardType.IMAGE_PNG && given.picture === undefined && !given.isTooMuch;
    // Of what is replaced while it comes nothing is kept.
    const isCurrent = (): boolean => this.#given.get(selection) === given;
    return noted(given, type, isKept ? kept(given, content, isCurrent) : content);
  }

  /**
   * Text and picture, whichever are offered, are what the viewer has given. `read` gives what is offered of a type; no more
   * of it is read than it takes to tell. Throws a BackendError when that cannot be told.
   */
  async isOffered(
    selection: ClipboardSelection,
    types: readonly number[],
    read: (type: number) => Content,
    signal: AbortSignal,
  ): Promise<boolean> {
    const given = this.#given.get(selection);
    if (given === undefined) return false;
    for (const kind of kinds) {
      if (!kind.some((type) => types.includes(type))) continue;
      const type = kind.find((each) => types.includes(each) && given.fingerprints.has(each));
      if (type === undefined) return false;
      if (await isKnown(given, type, read(type))) continue;
      if (type !== ClipboardType.IMAGE_PNG || given.picture === undefined) return false;
      if (!(await this.#showsTheSame(given.picture, read(type), signal))) return false;
    }
    return true;
  }

  async #showsTheSame(picture: KeptPicture, offered: Content, signal: AbortSignal): Promise<boolean> {
    const asLarge = await sized(picture.widthAndHeight, offered);
    if (asLarge === undefined) return false;
    picture.pixels ??= this.#pixelsOf(picture.spool, never).finally(() => picture.spool[Symbol.asyncDispose]());
    // Both at once: what is offered has begun to come, and is taken to its end whatever becomes of the other.
    const [given, shown] = await Promise.all([picture.pixels, this.#pixelsOf(asLarge, signal)]);
    return given === shown;
  }
}

function nothingGiven(): Given {
  return { fingerprints: new Map(), largest: new Map(), picture: undefined, isTooMuch: false };
}

/** The same pieces; once all of them have been taken, they are kept. */
async function* kept(given: Given, content: Content, isCurrent: () => boolean): AsyncGenerator<Uint8Array> {
  const spool = new Spool();
  let widthAndHeight: Uint8Array | undefined;
  try {
    for await (const piece of content) {
      widthAndHeight ??= piece.slice(SIZE_AT, SIZE_END);
      spool.writeCopy(piece);
      if (spool.writtenBytes > MAX_PICTURE_BYTES || spool.unflushedBytes > SLOW_DISK_BYTES) given.isTooMuch = true;
      if (given.isTooMuch) spool.fail(new BackendError("body.failed", "not worth it"));
      yield piece;
    }
    if (widthAndHeight === undefined || given.picture !== undefined || given.isTooMuch || !isCurrent()) return;
    spool.end();
    given.picture = { spool, widthAndHeight, pixels: undefined };
  } finally {
    if (given.picture?.spool !== spool) await spool[Symbol.asyncDispose]();
  }
}

function forgetPicture({ picture }: Given): void {
  // One that is being looked at is forgotten by that.
  if (picture?.pixels === undefined) void picture?.spool[Symbol.asyncDispose]();
}

/** The same content, if it is a picture of this size. */
async function sized(widthAndHeight: Uint8Array, content: Content): Promise<Content | undefined> {
  const pieces = content[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true || Buffer.compare(first.value.subarray(SIZE_AT, SIZE_END), widthAndHeight) !== 0) {
    await pieces.return?.();
    return undefined;
  }
  return (async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => pieces };
  })();
}

async function* noted(given: Given, type: number, content: Content): AsyncGenerator<Uint8Array> {
  const { crc32 } = await import("node:zlib");
  let bytes = 0;
  let check = 0;
  for await (const piece of content) {
    bytes += piece.length;
    check = crc32(piece, check);
    yield piece;
  }
  const known = given.fingerprints.get(type) ?? new Set();
  if (known.size < MAX_FORMS) given.fingerprints.set(type, known.add(`${bytes}:${check}`));
  given.largest.set(type, Math.max(bytes, given.largest.get(type) ?? 0));
}

async function isKnown(given: Given, type: number, content: Content): Promise<boolean> {
  const { crc32 } = await import("node:zlib");
  let bytes = 0;
  let check = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > (given.largest.get(type) ?? 0)) return false;
    check = crc32(piece, check);
  }
  return given.fingerprints.get(type)?.has(`${bytes}:${check}`) === true;
}
