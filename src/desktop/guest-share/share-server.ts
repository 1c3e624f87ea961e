// The WebDAV server of the guest's folders (RFC 4918, classes 1 and 2) over whatever streams are handed to it. Whoever asks is
// judged first: by name and password, and by which server they mean to speak to.
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, sleep } from "../../support/clock.ts";
import { describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { type ChangeParts, lock, makeFolder, remove, transfer, unlock } from "./changes.ts";
import type { Credentials } from "./credentials.ts";
import { asDavError, DavError } from "./dav-error.ts";
import { DavLocks } from "./dav-locks.ts";
import { DeadProperties } from "./dead-properties.ts";
import { type Exchange, pathOnThisServer, type RequestTarget, sendText, targetOf } from "./exchange.ts";
import { etagOf } from "./file-facts.ts";
import { receiveFile, sendFile } from "./files.ts";
import { errorText, sendAsset, sendPage } from "./folder-page.ts";
import { ifHolds, parseIfHeader, submittedTokens } from "./if-header.ts";
import { PassingPlaces } from "./passing-places.ts";
import { propfind, proppatch } from "./properties.ts";
import { hrefOf, type SharePath, sharePath } from "./share-path.ts";
import { SharedTree } from "./shared-tree.ts";
import { Turns } from "./turns.ts";

/** At once. */
const MAX_CONNECTIONS = 256;
/** Nothing has come or gone for so long. */
const IDLE_MS = 120_000;
/** Before a wrong password is answered, and how many may wait for that. */
const WRONG_PASSWORD_MS = 1000;
const MAX_WRONG_PASSWORDS = 16;
const MAX_HEADER_BYTES = 64 * 1024;

const READING = ["OPTIONS", "GET", "HEAD", "PROPFIND"];
const WRITING = ["PUT", "PROPPATCH", "MKCOL", "DELETE", "COPY", "MOVE", "LOCK", "UNLOCK"];

export interface ShareServerOptions {
  /** Absolute paths. */
  readonly folders: readonly string[];
  readonly isWritable: boolean;
  readonly credentials: Credentials;
  /** A folder for notes of what must be cleared up if we are killed; it need not be there. */
  readonly notes: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** All that is needed of a socket: `setTimeout` is told how long it may be silent, in milliseconds; 0: for ever. */
export interface ServedStream extends Duplex {
  setTimeout(idleMs: number): unknown;
}

export class ShareServer implements Disposable {
  readonly #options: ShareServerOptions;
  readonly #http: Server;
  readonly #connections = new Set<Duplex>();
  readonly #parts: ChangeParts;
  readonly #turns = new Turns();
  readonly #expected: Buffer;
  #wrongPasswords = 0;

  constructor(options: ShareServerOptions) {
    this.#options = options;
    this.#parts = {
      tree: new SharedTree(options.folders),
      locks: new DavLocks(options.clock),
      dead: new DeadProperties(),
      passing: new PassingPlaces(options.notes, options.log),
    };
    void this.#clearUp();
    const { user, password } = options.credentials;
    this.#expected = digest(`${user}:${password}`);
    // Its own time-outs count from the first byte to the last, and tick while nobody is there.
    this.#http = createServer({ requestTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES });
    // Told to the stream, by `setTimeout` as sockets have it.
    this.#http.timeout = IDLE_MS;
    this.#http.keepAliveTimeout = IDLE_MS;
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      const { socket } = request;
      if (!this.#turns.take(socket, () => this.#take(request, response))) socket.destroy();
    };
    this.#http.on("request", take);
    // The go-ahead is given when all but the body is settled.
    this.#http.on("checkContinue", take);
    this.#http.on("clientError", (error: NodeJS.ErrnoException, stream) => this.#refuseNoise(error, stream));
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Serves a stream until it ends; it is the server's from here on. */
  connect(stream: ServedStream): void {
    if (this.#connections.size >= MAX_CONNECTIONS) return void stream.destroy();
    this.#connections.add(stream);
    stream.on("error", () => {});
    stream.once("close", () => this.#connections.delete(stream));
    // Any duplex will do (documentation of the event), and the rest of sockets is not touched.
    this.#http.emit("connection", stream as Socket);
  }

  [Symbol.dispose](): void {
    for (const stream of this.#connections) stream.destroy();
  }

  async #clearUp(): Promise<void> {
    const count = await this.#parts.passing.settleLeftovers();
    if (count > 0) this.#options.log.info(`cleared up after one that was killed: ${count}`);
  }

  /** Whether the connection goes on after it. */
  async #take(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { socket } = request;
    // Whoever has left before its turn came would not learn what became of it.
    if (socket.destroyed) return false;
    // Nothing comes or goes, for a client that is gone, or for a large tree or a slow disk that is worked on.
    response.on("timeout", (stream: Socket) => {
      if (waitsForClient(request, response)) stream.destroy();
      else stream.setTimeout(IDLE_MS);
    });
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Referrer-Policy", "no-referrer");
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#refuse(request, response, error);
    }
    // One that is finished is "destroyed", too.
    const isBroken = response.destroyed && !response.writableFinished;
    return response.getHeader("Connection") !== "close" && !isBroken;
  }

  /** What is no request, or the head of one that is too long. */
  #refuseNoise(error: NodeJS.ErrnoException, stream: Duplex): void {
    // Nothing is to be written into the middle of an answer.
    if (error.code === "ECONNRESET" || !stream.writable || this.#turns.isBusy(stream)) return void stream.destroy();
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
    stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    // Whoever left in the middle is no fault of anybody's.
    if (response.destroyed) return;
    let refusal: DavError;
    try {
      refusal = asDavError(error);
    } catch {
      this.#options.log.error(`${request.method} failed: ${describeError(error)}`);
      refusal = new DavError(500, "it failed");
    }
    // In the middle of an answer there is no other way to say so.
    if (response.headersSent) return void response.destroy();
    if (!request.complete) {
      response.setHeader("Connection", "close");
      request.resume();
    }
    sendText(response, refusal.status, ...errorText(refusal));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = targetOf(request);
    checkServerName(target, request);
    if (!(await this.#isAllowed(request, response))) return;
    const { method = "" } = request;
    const { isWritable } = this.#options;
    if (method === "OPTIONS") return this.#tellAbilities(response);
    if ((method === "GET" || method === "HEAD") && sendAsset(target.path, response)) return;
    const path = sharePath(target.path);
    if (WRITING.includes(method)) {
      if (!isWritable) throw new DavError(403, "the folder is shared to be read only");
    } else if (!READING.includes(method)) {
      throw new DavError(501, "there is no such method here");
    }
    // A file's go-ahead comes when it is known to have a place; what else has a body is small.
    if (request.headers.expect !== undefined && method !== "PUT") response.writeContinue();
    const isFolderUrl = target.path.endsWith("/");
    const here = { request, host: target.host, path };
    const tokens = await this.#checkIf(here);
    const stillHolds = async (): Promise<void> => void (await this.#checkIf(here));
    return this.#act({ ...here, response, isFolderUrl, tokens, stillHolds });
  }

  async #act(exchange: Exchange): Promise<void> {
    const { request, response, path, tokens } = exchange;
    const parts = this.#parts;
    switch (request.method) {
      case "GET":
      case "HEAD":
        return this.#read(exchange);
      case "PUT": {
        if (exchange.isFolderUrl) throw new DavError(405, "a file's name does not end with a slash");
        await using place = await parts.tree.place(path);
        const wasThere = await receiveFile(exchange, place, (stats) =>
          parts.locks.check(path, tokens, { isMember: stats === undefined }),
        );
        response.writeHead(wasThere ? 204 : 201).end();
        return;
      }
      case "PROPFIND":
        return propfind(exchange, parts);
      case "PROPPATCH":
        return proppatch(exchange, parts);
      case "MKCOL":
        return makeFolder(exchange, parts);
      case "DELETE":
        return remove(exchange, parts);
      case "COPY":
      case "MOVE":
        return transfer(exchange, parts);
      case "LOCK":
        return lock(exchange, parts);
      default:
        return unlock(exchange, parts);
    }
  }

  async #read(exchange: Exchange): Promise<void> {
    const { request, response, path, isFolderUrl } = exchange;
    const page = { isHead: request.method === "HEAD", canUpload: this.#options.isWritable };
    if (path.length === 0) return sendPage(response, path, this.#parts.tree, page);
    await using handle = await this.#parts.tree.open(path);
    const isFolder = (await handle.stat()).isDirectory();
    if (!isFolder && isFolderUrl) throw new DavError(404, "it is no folder");
    if (!isFolder) return await sendFile(exchange, handle);
    if (isFolderUrl) return await sendPage(response, path, this.#parts.tree, page);
    response.writeHead(301, { Location: hrefOf(path, true), "Content-Length": 0 }).end();
  }

  #tellAbilities(response: ServerResponse): void {
    response.writeHead(200, {
      DAV: "1, 2",
      "MS-Author-Via": "DAV",
      Allow: [...READING, ...(this.#options.isWritable ? WRITING : [])].join(", "),
      "Content-Length": 0,
    });
    response.end();
  }

  /** Returns the tokens that were named. Throws a DavError 412 when no list holds. */
  async #checkIf(asked: Pick<Exchange, "request" | "host" | "path">): Promise<ReadonlySet<string>> {
    const header = asked.request.headers.if as string | undefined;
    if (header === undefined) return new Set();
    const lists = parseIfHeader(header);
    const holds = await ifHolds(lists, async (resource) => {
      const path = resource === undefined ? asked.path : sharedHere(resource, asked);
      // Of what is not here nothing is known.
      if (path === undefined) return { tokens: new Set(), etag: "" };
      const tokens = new Set(this.#parts.locks.covering(path).map(({ token }) => token));
      const stats = await this.#parts.tree.stats(path);
      return { tokens, etag: stats === undefined ? "" : etagOf(stats) };
    });
    if (!holds) throw new DavError(412, "it is not as the client thinks");
    return submittedTokens(lists);
  }

  async #isAllowed({ headers }: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [, encoded] = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(headers.authorization ?? "") ?? [];
    if (encoded !== undefined) {
      if (timingSafeEqual(digest(Buffer.from(encoded, "base64").toString("utf8")), this.#expected)) return true;
      if (this.#wrongPasswords >= MAX_WRONG_PASSWORDS) throw new DavError(429, "too many wrong passwords");
      this.#wrongPasswords += 1;
      await sleep(this.#options.clock, WRONG_PASSWORD_MS, new AbortController().signal);
      this.#wrongPasswords -= 1;
      this.#options.log.warn("somebody was refused: wrong name or password");
    }
    response.setHeader("WWW-Authenticate", 'Basic realm="tsvdagent", charset="UTF-8"');
    throw new DavError(401, "name and password, please");
  }
}

/** A name of another machine, or a page of one, that leads here is a trick. Addresses cannot be led anywhere. */
function checkServerName({ host }: RequestTarget, { headers }: IncomingMessage): void {
  if (!/^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])(:\d{1,5})?$/i.test(host))
    throw new DavError(403, "that is not the name of this server");
  const { origin } = headers;
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    throw new DavError(403, "pages of other servers have no business here");
}

/** Undefined: it is on another server, or nobody's business. */
function sharedHere(url: string, { host }: Pick<Exchange, "host">): SharePath | undefined {
  try {
    return pathOnThisServer(url, host);
  } catch (error) {
    asDavError(error);
    return undefined;
  }
}

/** For the rest of what it asks, or for it to take what it is answered. */
function waitsForClient(request: IncomingMessage, response: ServerResponse): boolean {
  return (!request.complete && request.readableLength === 0) || response.writableLength > 0;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
