/** A folder that the server shares, and clients that ask for it: by node:http, or with bytes that are sent as they are. */
import { once } from "node:events";
import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { ShareServer } from "../../../../src/desktop/guest-share/share-server.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

const PASSWORD = "a good secret";

export interface Asked {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  readonly password?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface RawClient {
  readonly socket: Socket;
  readonly heard: () => string;
}

export class ServedFolder implements Disposable {
  /** What is shared is in `p`, the server's notes are in `notes`. */
  readonly dir: TempDir;
  readonly clock = new ManualClock();
  readonly log = recordingLog();
  readonly server: ShareServer;
  readonly #listener: Server;
  readonly #agent = new Agent();

  private constructor(dir: TempDir, isWritable: boolean) {
    this.dir = dir;
    this.server = new ShareServer({
      folders: [dir.join("p")],
      isWritable,
      credentials: { user: "me", password: PASSWORD },
      notes: dir.join("notes"),
      clock: this.clock,
      log: this.log.log,
    });
    this.#listener = createServer((socket) => this.server.connect(socket)).listen(0, "127.0.0.1");
  }

  static async start({ isWritable = true } = {}): Promise<ServedFolder> {
    const dir = makeTempDir("share-server");
    mkdirSync(dir.join("p"));
    const served = new ServedFolder(dir, isWritable);
    await once(served.#listener, "listening");
    return served;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Hidden files and folders on their way. */
  parts(): string[] {
    return readdirSync(this.dir.join("p")).filter((name) => name.startsWith(".tsvdagent-"));
  }

  /** What this process has open in what is shared, or of it, with a name or without one. */
  open(): string[] {
    const paths = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    });
    return paths.filter((path) => `${path}/`.startsWith(this.dir.join("p/")));
  }

  ask(method: string, path: string, { headers = {}, body = "", password = PASSWORD }: Asked = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const all = { Authorization: basic(password), "Content-Length": Buffer.byteLength(body), ...headers };
      const options = { host: "127.0.0.1", port: this.port, method, path, headers: all, agent: this.#agent };
      const asked = request(options, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(pieces).toString("utf8"),
          }),
        );
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }

  raw(text: string): RawClient {
    const socket = connect(this.port, "127.0.0.1");
    let heard = "";
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
    });
    socket.on("error", () => {});
    socket.write(text);
    return { socket, heard: () => heard };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.server[Symbol.dispose]();
    this.#listener.close();
    this.dir[Symbol.dispose]();
  }
}

/** Also by a reset, which is no fault here. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

export const head = (method: string, path: string, more: string): string =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${basic(PASSWORD)}\r\n${more}\r\n`;

function basic(password: string): string {
  return `Basic ${Buffer.from(`me:${password}`).toString("base64")}`;
}
