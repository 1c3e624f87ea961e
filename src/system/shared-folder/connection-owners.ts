// Whose program is at the other end of a connection over loopback: the kernel's own list of sockets says it.
import { closeSync, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";

/** Of this process: /proc/net may be hidden where other processes are. */
const LISTS = ["/proc/self/net/tcp", "/proc/self/net/tcp6"] as const;
/** net/tcp_states.h: ESTABLISHED, FIN_WAIT1, FIN_WAIT2. */
const LIVING_STATES: ReadonlySet<string> = new Set(["01", "04", "05"]);

/** Some 400 sockets: about a millisecond. */
const LONG_BYTES = 64 * 1024;
/** A machine has few of its own. */
const MAX_ADDRESSES = 100;

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Keeps the kernel's lists open: who comes is waited for until it is known who it is. */
export class ConnectionOwners implements Disposable {
  readonly #lists: readonly string[];
  readonly #descriptors = new Map<string, number>();
  /** Lists that were so when they were read last. */
  readonly #long = new Set<string>();
  readonly #spelled = new Map<string, string>();
  #buffer: Buffer | undefined;
  #isOver = false;

  constructor(lists: readonly string[] = LISTS) {
    this.#lists = lists;
  }

  /**
   * The uid of the socket that is bound to `peer` and connected to `own`, as this machine's kernel lists it; undefined if it
   * is gone or not of this machine.
   */
  async ownerOf(peer: Endpoint, own: Endpoint): Promise<number | undefined> {
    const uid = await this.#lookUp(peer, own);
    // A socket that nobody holds any more is listed as root's, and may have become so while the line was written.
    return uid === 0 ? this.#lookUp(peer, own) : uid;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  async #lookUp(peer: Endpoint, own: Endpoint): Promise<number | undefined> {
    const [left, right] = [this.#spell(peer), this.#spell(own)];
    const pairs = [`: ${left} ${right} `, `: ${MAPPED}${left} ${MAPPED}${right} `];
    for (const list of this.#lists) {
      const uid = await this.#uidIn(list, pairs);
      if (uid !== undefined) return uid;
    }
    return undefined;
  }

  async #uidIn(list: string, pairs: readonly string[]): Promise<number | undefined> {
    // What was opened now, nobody would close.
    if (this.#isOver) return undefined;
    try {
      const short = this.#long.has(list) ? "too-long" : this.#uidInShort(list, pairs);
      if (short !== "too-long") return short;
      const text = await readFile(list, "latin1");
      if (text.length < LONG_BYTES) this.#long.delete(list);
      else this.#long.add(list);
      return uidOf(pairs, text);
    } catch {
      // There is none, as that of IPv6 may be.
      return undefined;
    }
  }

  /** A short list is here sooner than a thread could be asked for it, and often it need not be read to its end. */
  #uidInShort(list: string, pairs: readonly string[]): number | "too-long" | undefined {
    const descriptor = this.#descriptors.get(list) ?? openSync(list, "r");
    this.#descriptors.set(list, descriptor);
    this.#buffer ??= Buffer.allocUnsafeSlow(LONG_BYTES);
    const buffer = this.#buffer;
    for (let bytes = 0; bytes < LONG_BYTES; ) {
      const step = readSync(descriptor, buffer, bytes, LONG_BYTES - bytes, bytes);
      if (step === 0) return undefined;
      // With the line that the last step may have cut in two.
      const uid = uidOf(pairs, buffer.toString("latin1", Math.max(0, bytes - LINE_BYTES), bytes + step));
      if (uid !== undefined) return uid;
      bytes += step;
    }
    return "too-long";
  }

  #spell({ address, port }: Endpoint): string {
    let spelled = this.#spelled.get(address);
    if (spelled === undefined) {
      spelled = spelledAddress(address);
      if (this.#spelled.size >= MAX_ADDRESSES) this.#spelled.clear();
      this.#spelled.set(address, spelled);
    }
    return `${spelled}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  }
}

/** Only the lines that matter are taken apart: a busy machine has thousands. */
function uidOf(pairs: readonly string[], text: string): number | undefined {
  for (const pair of pairs) {
    for (let at = text.indexOf(pair); at >= 0; at = text.indexOf(pair, at + 1)) {
      const [state = "", , , , uid = "", , inode = "0"] = text
        .slice(at + pair.length, at + pair.length + REST)
        .split(/\s+/);
      if (LIVING_STATES.has(state) && inode !== "0") return Number(uid);
    }
  }
  return undefined;
}

/** As the kernel spells it: words of four bytes, each in the machine's order. */
function spelledAddress(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return words(isIPv4(plain) ? plain.split(".").map(Number) : bytesOfIPv6(plain));
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
/** Of a line, more than is behind the addresses and in front of the inode; and more than it is long. */
const REST = 120;
const LINE_BYTES = 512;

function bytesOfIPv6(address: string): number[] {
  const [left = "", right] = address.replace(/%.*$/, "").split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [head, tail] = [groups(left), groups(right ?? "")];
  const all = [...head, ...Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
