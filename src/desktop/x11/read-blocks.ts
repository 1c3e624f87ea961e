// Memory that a socket is read into. What is handed on of it is not copied, and read over only when it has been given back:
// what is thrown away after each read would be collected late, and hundreds of megabytes go by.

/** A few times what the kernel holds of one unix socket: the server writes more of it while it is read. */
const BLOCK_BYTES = 512 * 1024;
/** With less room than this left in a block, the next one is taken: small reads cost as much as large ones. */
const LEAST_ROOM_BYTES = 192 * 1024;
const MAX_FREE_BLOCKS = 2;

export class ReadBlocks {
  #block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** Bytes of it before the room for the next read. */
  #fill = 0;
  readonly #free: Buffer[] = [];
  /** By block, bytes that are handed out. Whoever never gives back leaves it to the garbage collector. */
  readonly #handedOut = new WeakMap<ArrayBufferLike, number>();

  /** Where the next bytes are to be read to. */
  room(): Buffer {
    if (BLOCK_BYTES - this.#fill < LEAST_ROOM_BYTES) {
      this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#fill = 0;
    }
    return this.#block.subarray(this.#fill);
  }

  /** A piece of the room that was read to last is somebody's, until it is given back. */
  handOut(piece: Buffer): void {
    this.#fill = piece.byteOffset + piece.length;
    this.#handedOut.set(piece.buffer, (this.#handedOut.get(piece.buffer) ?? 0) + piece.length);
  }

  /** Nobody looks at this piece any more. Of other memory nothing happens. */
  giveBack(piece: Uint8Array): void {
    const handedOut = this.#handedOut.get(piece.buffer);
    if (handedOut === undefined || piece.length === 0) return;
    const left = handedOut - piece.length;
    this.#handedOut.set(piece.buffer, left);
    if (left > 0) return;
    if (piece.buffer === this.#block.buffer) this.#fill = 0;
    else if (this.#free.length < MAX_FREE_BLOCKS) this.#free.push(Buffer.from(piece.buffer));
  }
}
