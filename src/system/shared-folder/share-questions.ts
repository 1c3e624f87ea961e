// What the viewer shares, asked of its server itself: whether anybody answers, may anything be changed, how much there is.
import { Duplex } from "node:stream";
import type { Clock } from "../../support/clock.ts";
import { BackendError } from "../../support/errors.ts";
import { type MuxConnection, type MuxConnections, takesAll } from "./mux-connections.ts";

const ANSWER_MS = 5000;
/** Of a listing that is counted. */
const MAX_LISTING_BYTES = 1024 * 1024;
const LISTING = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>';
const RESPONSE = /<(?:[\w-]+:)?response[\s>]/g;

interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  /** The beginning, up to a megabyte; `isWhole`: that was all. */
  readonly text: string;
  readonly isWhole: boolean;
}

/**
 * Whether the viewer lets its folder be changed: by the removal of a file that cannot be there, as its server claims to know
 * every method. Throws a BackendError `shared-folder.no-answer`, or `shared-folder.too-many` where it cannot be asked.
 */
export async function isReadOnly(mux: MuxConnections, clock: Clock, signal: AbortSignal): Promise<boolean> {
  await ask(mux, { method: "OPTIONS", path: "/" }, clock, signal);
  const { randomUUID } = await import("node:crypto");
  const { status } = await ask(mux, { method: "DELETE", path: `/.tsvdagent-${randomUUID()}` }, clock, signal);
  return status === 403;
}

/** How many entries the folder has; undefined where that is too much to read. Throws as `isReadOnly`. */
export async function countEntries(
  mux: MuxConnections,
  clock: Clock,
  signal: AbortSignal,
): Promise<number | undefined> {
  const headers = { Depth: "1", "Content-Type": "application/xml" };
  const question = { method: "PROPFIND", path: "/", headers, body: LISTING };
  const { status, text, isWhole } = await ask(mux, question, clock, signal);
  if (status !== 207) throw new BackendError("shared-folder.no-answer", `the viewer lists its folder with ${status}`);
  // The folder itself is one of them.
  return isWhole ? Math.max(0, (text.match(RESPONSE) ?? []).length - 1) : undefined;
}

async function ask(mux: MuxConnections, question: Question, clock: Clock, signal: AbortSignal): Promise<Answer> {
  const { method, path, headers = {}, body = "" } = question;
  const { request } = await import("node:http");
  const late = new AbortController();
  // Not AbortSignal.timeout(): Node 20 forgets one that is part of AbortSignal.any() when it collects garbage.
  using _limit = clock.after(ANSWER_MS, () => late.abort());
  // Closed by us when it is answered: a viewer need not, and Node's client would not.
  using stream = new MuxStream(mux);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const asked = request(
        {
          method,
          path,
          headers: { Host: "localhost", "Content-Length": String(Buffer.byteLength(body)), ...headers },
          signal: AbortSignal.any([signal, late.signal]),
          createConnection: () => stream,
        },
        (response) => {
          let text = "";
          const done = (isWhole: boolean): void => {
            resolve({ status: response.statusCode ?? 0, text, isWhole });
            response.destroy();
          };
          response.setEncoding("utf8");
          response.on("data", (piece: string) => {
            text += piece;
            if (text.length > MAX_LISTING_BYTES) done(false);
          });
          response.on("end", () => done(true));
          response.on("error", reject);
        },
      );
      asked.on("error", reject);
      // An answer that is none, such as 101, is told as neither error nor answer.
      asked.on("close", () => reject(new Error("closed without an answer")));
      asked.end(body);
    });
  } catch (error) {
    if (error instanceof BackendError) throw error;
    const why = late.signal.aborted && !signal.aborted ? `no answer within ${ANSWER_MS} ms` : String(error);
    throw new BackendError("shared-folder.no-answer", `the viewer does not answer: ${why}`, { cause: error });
  }
}

/** One connection as a stream, for Node's own client. */
class MuxStream extends Duplex {
  readonly #connection: MuxConnection;

  constructor(mux: MuxConnections) {
    super();
    this.#connection = mux.open({
      data: (piece) => void this.push(new Uint8Array(piece)),
      closed: () => void this.push(null),
      ...takesAll,
    });
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#connection.send(bytes)) done();
    else void this.#connection.drained().then(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.close();
    done(error);
  }
}
