// Knows the viewer's own content again when an application offers it: clipboard managers take over what others copy.
import type { Content } from "../features/desktop-clipboard.ts";
import { type ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";

/** Of contents that differ, one pair in four thousand million is taken for the same; neither is kept in memory for it. */
type Fingerprint = `${number}:${number}`;

interface Given {
  /** By type. One type may have been given in several forms: of a list of files the texts differ with the target. */
  readonly fingerprints: Map<number, Set<Fingerprint>>;
  /** By type, bytes. */
  readonly largest: Map<number, number>;
}

/** Applications of all kinds ask for many forms of one content. */
const MAX_FORMS = 16;

const kinds: readonly (readonly number[])[] = [
  [ClipboardType.UTF8_TEXT],
  [ClipboardType.IMAGE_PNG, ClipboardType.IMAGE_BMP, ClipboardType.IMAGE_TIFF, ClipboardType.IMAGE_JPG],
];

export class ViewersContent {
  readonly #given = new Map<ClipboardSelection, Given>();

  /** What comes from now on is something else. */
  replaced(selection: ClipboardSelection): void {
    this.#given.delete(selection);
  }

  /** Some of it has been given: what is offered now may be that. */
  wasGiven(selection: ClipboardSelection): boolean {
    return this.#given.has(selection);
  }

  /** The same pieces; once all of them have been taken, they are known again. */
  noted(selection: ClipboardSelection, type: number, content: Content): Content {
    const given = this.#given.get(selection) ?? { fingerprints: new Map(), largest: new Map() };
    this.#given.set(selection, given);
    return noted(given, type, content);
  }

  /**
   * Text and picture, whichever are offered, are what the viewer has given. `read` gives what is offered of a type; no more
   * of it is read than it takes to tell.
   */
  async isOffered(
    selection: ClipboardSelection,
    types: readonly number[],
    read: (type: number) => Content,
  ): Promise<boolean> {
    const given = this.#given.get(selection);
    if (given === undefined) return false;
    for (const kind of kinds) {
      if (!kind.some((type) => types.includes(type))) continue;
      const type = kind.find((each) => types.includes(each) && given.fingerprints.has(each));
      if (type === undefined || !(await isKnown(given, type, read(type)))) return false;
    }
    return true;
  }
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
