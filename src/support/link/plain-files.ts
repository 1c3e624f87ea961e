// Files as upstream's halves carry them: FILE_XFER_DATA frames, each with the file's number and its size before the bytes.
// There is no credit: what comes is kept until it is taken.
import { ByteReader, ByteWriter, DecodeError } from "../../wire/bytes.ts";
import { bareLayout } from "../../wire/codec.ts";
import { FILE_XFER_DATA_HEAD_SIZE, fileXferDataHead } from "../../wire/file-xfer-data.ts";
import { BackendError } from "../errors.ts";
import type { OutgoingBody } from "./dialect.ts";
import type { SpooledBody } from "./spooled-body.ts";

/** Of one frame, so that other frames do not wait long for it. */
const PIECE_BYTES = 32 * 1024;
/** Begun and not over. More than wait at a session: those beyond it refuses one by one, and says so. */
const MAX_FILES = 110_000;

interface IncomingFile {
  leftBytes: bigint;
  body: SpooledBody | undefined;
}

/** The files that the other half sends. */
export class PlainFiles {
  readonly #openBody: (fileId: number) => SpooledBody;
  readonly #files = new Map<number, IncomingFile>();

  /** `openBody` is called at the first bytes of a file. */
  constructor(openBody: (fileId: number) => SpooledBody) {
    this.#openBody = openBody;
  }

  /** Throws a DecodeError when there are too many. */
  started(fileId: number, size: bigint): void {
    this.over(fileId);
    if (this.#files.size >= MAX_FILES) throw new DecodeError("bad-value", `more than ${MAX_FILES} files at once`);
    this.#files.set(fileId, { leftBytes: size, body: undefined });
  }

  /** No more of it will come, or is wanted. */
  over(fileId: number): void {
    const file = this.#files.get(fileId);
    this.#files.delete(fileId);
    file?.body?.fail("the transfer is over");
  }

  allOver(): void {
    for (const fileId of [...this.#files.keys()]) this.over(fileId);
  }

  /** A frame begins: its data is to be written to what is returned. */
  dataBegin(): Pick<SpooledBody, "write" | "end" | "fail"> {
    const head = new Uint8Array(FILE_XFER_DATA_HEAD_SIZE);
    let fill = 0;
    let file: IncomingFile | undefined;
    const write = (bytes: Uint8Array, isKept: boolean): void => {
      let rest = bytes;
      if (fill < head.length) {
        const part = rest.subarray(0, head.length - fill);
        head.set(part, fill);
        fill += part.length;
        rest = rest.subarray(part.length);
        if (fill < head.length) return;
        file = this.#fileOf(new ByteReader(head).u32());
      }
      if (file === undefined || rest.length === 0) return;
      file.leftBytes -= BigInt(rest.length);
      file.body?.write(rest, isKept);
    };
    return {
      write,
      end: () => {
        if (file !== undefined && file.leftBytes <= 0n) file.body?.end();
      },
      fail: () => file?.body?.fail(),
    };
  }

  #fileOf(fileId: number): IncomingFile | undefined {
    const file = this.#files.get(fileId);
    if (file !== undefined) file.body ??= this.#openBody(fileId);
    return file;
  }
}

export interface PlainFileWire {
  /** Resolves when the next may be sent. */
  send(data: Uint8Array): Promise<void>;
  over(): void;
}

/** A file that we send. */
export class PlainFileBody implements OutgoingBody {
  readonly id: number;
  readonly #fileId: number;
  readonly #wire: PlainFileWire;
  readonly #cancel = new AbortController();
  #isEmpty = true;

  constructor(fileId: number, id: number, wire: PlainFileWire) {
    this.id = id;
    this.#fileId = fileId;
    this.#wire = wire;
  }

  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      if (this.signal.aborted) throw new BackendError("link.closed", "the file is no longer wanted");
      await this.#send(piece.subarray(at, at + PIECE_BYTES));
    }
  }

  /** Of a file that breaks off the other half is told by `file-cancelled`. */
  end(complete: boolean): void {
    if (complete && this.#isEmpty && !this.signal.aborted) void this.#send(new Uint8Array(0));
    this.#wire.over();
  }

  abandon(): void {
    this.cancelled();
  }

  cancelled(): void {
    this.#cancel.abort();
    this.#wire.over();
  }

  #send(piece: Uint8Array): Promise<void> {
    this.#isEmpty = false;
    const head = fileXferDataHead.encode({ id: this.#fileId, size: BigInt(piece.length) }, bareLayout);
    const writer = new ByteWriter(head.length + piece.length);
    writer.put(head);
    writer.put(piece);
    return this.#wire.send(writer.finish());
  }
}
