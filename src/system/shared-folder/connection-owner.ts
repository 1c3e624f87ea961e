// Whose program is at the other end of a connection over loopback: the kernel's own list of sockets says it.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";

/** Of this process: /proc/net may be hidden where other processes are. */
const LISTS = ["/proc/self/net/tcp", "/proc/self/net/tcp6"] as const;
/** net/tcp_states.h: ESTABLISHED, FIN_WAIT1, FIN_WAIT2. */
const LIVING_STATES: ReadonlySet<string> = new Set(["01", "04", "05"]);

/** Some 400 sockets: about a millisecond. */
const LONG_BYTES = 64 * 1024;
/** That were so when they were read last. */
const longLists = new Set<string>();

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * The uid of the socket that is bound to `peer` and connected to `own`, as this machine's kernel lists it; undefined if it
 * is gone or not of this machine.
 */
export async function ownerOf(
  peer: Endpoint,
  own: Endpoint,
  lists: readonly string[] = LISTS,
): Promise<number | undefined> {
  const uid = await lookUp(peer, own, lists);
  // A socket that nobody holds any more is listed as root's, and may have become so while the line was written.
  return uid === 0 ? lookUp(peer, own, lists) : uid;
}

async function lookUp(peer: Endpoint, own: Endpoint, lists: readonly string[]): Promise<number | undefined> {
  // As text, and only the lines that matter taken apart: a busy machine has thousands.
  const wanted = [`: ${spelled(peer)} ${spelled(own)} `, `: ${MAPPED}${spelled(peer)} ${MAPPED}${spelled(own)} `];
  for (const list of lists) {
    const text = await contentOf(list);
    for (const pair of wanted) {
      for (let at = text.indexOf(pair); at >= 0; at = text.indexOf(pair, at + 1)) {
        const [state = "", , , , uid = "", , inode = "0"] = text
          .slice(at + pair.length, at + pair.length + REST)
          .split(/\s+/);
        if (LIVING_STATES.has(state) && inode !== "0") return Number(uid);
      }
    }
  }
  return undefined;
}

/** Empty where there is none, as that of IPv6 may be. A short list is here sooner than a thread could be asked for it. */
async function contentOf(list: string): Promise<string> {
  try {
    const text = longLists.has(list) ? await readFile(list, "latin1") : readFileSync(list, "latin1");
    if (text.length > LONG_BYTES) longLists.add(list);
    else longLists.delete(list);
    return text;
  } catch {
    return "";
  }
}

/** As the kernel spells it: words of four bytes, each in the machine's order. */
function spelled({ address, port }: Endpoint): string {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return `${isIPv4(plain) ? words(plain.split(".").map(Number)) : words(bytesOfIPv6(plain))}:${hexPort}`;
}

function words(bytes: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(bytes.length));
  for (const [at, byte] of bytes.entries()) view.setUint8(at, byte);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    const word = new Uint32Array(view.buffer.slice(at, at + 4))[0] ?? 0;
    text += word.toString(16).toUpperCase().padStart(8, "0");
  }
  return text;
}

/** What stands before an IPv4 address in the list of IPv6. */
const MAPPED = `0000000000000000${words([0, 0, 0xff, 0xff])}`;
/** Of a line, more than is behind the addresses and in front of the inode. */
const REST = 120;

function bytesOfIPv6(address: string): number[] {
  const [left = "", right] = address.replace(/%.*$/, "").split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [head, tail] = [groups(left), groups(right ?? "")];
  const all = [...head, ...Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
