// One request and its answer, with what every method wants of them.
import type { IncomingMessage, ServerResponse } from "node:http";
import { DavError } from "./dav-error.ts";
import { type SharePath, sharePath } from "./share-path.ts";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Which server the client means, as it stands in the Host header: a name or an address, and a port if it is not 80. */
  readonly host: string;
  readonly path: SharePath;
  /** The URL ends with a slash. */
  readonly isFolderUrl: boolean;
  /** Lock tokens that the client has named. */
  readonly tokens: ReadonlySet<string>;
  /** Judges the If header once more, after what takes time. Throws a DavError 412. */
  readonly stillHolds: () => Promise<void>;
}

/** The whole body. Throws a DavError 413. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new DavError(413, "the body is too large");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Resolves when the response takes more. Throws when nobody is there to take it. */
export async function write(response: ServerResponse, piece: string | Uint8Array): Promise<void> {
  const isGone = (): boolean => response.destroyed || response.req.socket.destroyed;
  if (isGone()) throw gone();
  if (response.write(piece)) return;
  await drained(response);
  if (isGone()) throw gone();
}

/** Or the connection is closed: an answer that waits behind another is not told of that. */
function drained(response: ServerResponse): Promise<void> {
  const { socket } = response.req;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      socket.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
    socket.on("close", done);
  });
}

export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

export function depthOf({ request }: Exchange, byDefault: "0" | "1" | "infinity"): "0" | "1" | "infinity" {
  const depth = (request.headers.depth as string | undefined)?.toLowerCase() ?? byDefault;
  if (depth !== "0" && depth !== "1" && depth !== "infinity") throw new DavError(400, "Depth is 0, 1 or infinity");
  return depth;
}

export interface RequestTarget {
  readonly host: string;
  /** As it was sent. */
  readonly path: string;
}

/** Of either form, without what follows a question mark: a whole URL counts more than the Host header (RFC 9112, section 3.2.2). */
export function targetOf({ url = "", headers }: IncomingMessage): RequestTarget {
  const { host = headers.host ?? "", path = url } = partsOfUrl(url) ?? {};
  return { host, path: path.replace(/\?.*$/s, "") };
}

/** The path of a URL on this server. Throws a DavError 502 for one on another, 400 for none. */
export function pathOnThisServer(url: string | undefined, host: string): SharePath {
  if (url === undefined) throw new DavError(400, "a Destination is missing");
  if (url.startsWith("/") && !url.startsWith("//")) return sharePath(url);
  const parts = partsOfUrl(url);
  if (parts === undefined) throw new DavError(400, "that is no URL");
  if (parts.host.toLowerCase() !== host.toLowerCase()) throw new DavError(502, "that is another server");
  return sharePath(parts.path);
}

function partsOfUrl(url: string): RequestTarget | undefined {
  const [, host, rest = ""] = /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)([/?#].*)?$/i.exec(url) ?? [];
  return host === undefined ? undefined : { host, path: rest.startsWith("/") ? rest : `/${rest}` };
}

function gone(): NodeJS.ErrnoException {
  return Object.assign(new Error("the client is gone"), { code: "ECONNRESET" });
}
