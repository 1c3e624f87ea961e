// FILE_XFER_START, viewer to guest: VDAgentFileXferStartMessage in vd_agent.h, whose data is a small GKeyFile.
import { ByteReader, ByteWriter, DecodeError, decodeUtf8 } from "./bytes.ts";
import type { Codec } from "./codec.ts";

export interface FileXferStart {
  /** Chosen by the viewer; names this transfer from here on. */
  readonly id: number;
  /** As the viewer gave it: unchecked, may hold anything but a line end unescaped. */
  readonly name: string;
  /** Bytes. */
  readonly size: bigint;
}

/** The number before the text. */
export const FILE_XFER_ID_SIZE = 4;

const GROUP = "vdagent-file-xfer";
const MAX_SIZE = 0xffff_ffff_ffff_ffffn;
/** What GKeyFile escapes at the start of a value. Any other white space, such as U+3000, is part of the name. */
const leadingBlanks = /^[ \t]+/;

export const fileXferStart: Codec<FileXferStart> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    const id = reader.u32();
    const text = reader.rest();
    const end = text.indexOf(0);
    const keys = groupKeys(decodeUtf8(end < 0 ? text : text.subarray(0, end)));
    const name = keys.get("name");
    const size = keys.get("size");
    if (name === undefined || size === undefined) throw new DecodeError("bad-value", "key file without name or size");
    if (!/^[0-9]{1,20}$/.test(size) || BigInt(size) > MAX_SIZE) throw new DecodeError("bad-value", "size is no number");
    return { id, name: unescaped(name), size: BigInt(size) };
  },
  encode: ({ id, name, size }) => {
    const text = new TextEncoder().encode(`[${GROUP}]\nname=${escaped(name)}\nsize=${size}\n\0`);
    const writer = new ByteWriter(4 + text.length);
    writer.u32(id);
    writer.put(text);
    return writer.finish();
  },
};

/** Of a start that cannot be decoded: the viewer waits for an answer to this. Throws a DecodeError when not even that is there. */
export function fileXferStartId(body: Uint8Array): number {
  return new ByteReader(body).u32();
}

/** Keys of our group, raw values; as in GKeyFile a later key wins and blanks around `=` do not count. */
function groupKeys(text: string): Map<string, string> {
  const keys = new Map<string, string>();
  let inGroup = false;
  for (const line of text.split("\n")) {
    const bare = line.replace(leadingBlanks, "");
    if (bare === "" || bare.startsWith("#")) continue;
    if (bare.startsWith("[")) {
      inGroup = bare.trimEnd() === `[${GROUP}]`;
      continue;
    }
    const equals = bare.indexOf("=");
    if (equals < 0) throw new DecodeError("bad-value", "key file line without =");
    if (inGroup) keys.set(bare.slice(0, equals).trimEnd(), bare.slice(equals + 1).replace(leadingBlanks, ""));
  }
  return keys;
}

const escapes: Readonly<Record<string, string>> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\" };

function unescaped(value: string): string {
  return value.replace(/\\(.?)/gs, (_, letter: string) => {
    const plain = escapes[letter];
    if (plain === undefined) throw new DecodeError("bad-value", "unknown escape in the key file");
    return plain;
  });
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r")
    .replace(/^ +/, (spaces) => "\\s".repeat(spaces.length));
}
