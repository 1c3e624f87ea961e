// Two ends of a line in memory, for both halves in one process. Node's own pair takes each chunk through the buffers of both of
// its ends and a turn of its own; here what was written together arrives together.
import { Duplex } from "node:stream";

class End extends Duplex {
  #other: End | undefined;
  /** To be called when what was written last has been read. */
  #taken: (() => void) | undefined;

  join(other: End): void {
    this.#other = other;
    // They go together, as those of a socket do.
    this.on("close", () => other.destroy());
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#pass([chunk], done);
  }

  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], done: () => void): void {
    this.#pass(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#other?.push(null);
    done();
  }

  #pass(chunks: readonly Uint8Array[], taken: () => void): void {
    const other = this.#other;
    if (other === undefined) return;
    other.#taken = taken;
    for (const chunk of chunks) other.push(chunk);
  }
}

export function joinedPair(): [Duplex, Duplex] {
  const [left, right] = [new End(), new End()];
  left.join(right);
  right.join(left);
  return [left, right];
}
