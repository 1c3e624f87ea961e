// `tsvdagent send` against servers that are not as a viewer should be.
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { send } from "../../../src/programs/send.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";
import { until } from "../../integration/peers/until.ts";

let dir: TempDir;
let server: Server;
let sockets: Socket[];
let asked: string[];

beforeEach(() => {
  dir = makeTempDir("send");
  sockets = [];
  asked = [];
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
  dir[Symbol.dispose]();
});

/** Reads all there is and answers each request's first bytes; returns its address. */
async function serve(answerTo: (method: string) => string | undefined): Promise<string> {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      const [method = ""] = bytes.toString("latin1").split(" ", 1);
      asked.push(method);
      const status = answerTo(method);
      if (status !== undefined) socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    });
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Of zeros, which take no room. */
function largeFile(): string {
  writeFileSync(dir.join("large"), "");
  truncateSync(dir.join("large"), 3_000_000_000);
  return dir.join("large");
}

const quiet = { say: () => {}, isTerminal: false, stop: new AbortController().signal };

test("a refusal after the first bytes ends it, with the rest of the file unread", { timeout: 5000 }, async () => {
  const address = await serve((method) => (method === "PUT" ? "507 Full" : "404 None"));
  await expect(send({ address }, [largeFile()], quiet)).rejects.toThrow("HTTP 507");
  expect(asked).toEqual(["PUT", "DELETE"]);
});

test("stopped while it gives the file its name, it takes it back at once", async () => {
  writeFileSync(dir.join("small"), "content");
  const address = await serve((method) => (method === "MOVE" ? undefined : "204 Done"));
  const stop = new AbortController();
  const sending = send({ address }, [dir.join("small")], { ...quiet, stop: stop.signal });
  sending.catch(() => {});
  await until("it to be named", () => asked.includes("MOVE"), 5000, 2);
  stop.abort();
  await expect(sending).rejects.toThrow(/small: stopped/);
  expect(asked).toEqual(["PUT", "MOVE", "DELETE"]);
});

test("stopped in the middle, it takes back what it has sent of the file, and sends no other", async () => {
  const address = await serve((method) => (method === "DELETE" ? "204 Gone" : undefined));
  const stop = new AbortController();
  const sending = send({ address }, [largeFile(), largeFile()], { ...quiet, stop: stop.signal });
  sending.catch(() => {});
  await until("it to begin", () => asked.includes("PUT"), 5000, 2);
  stop.abort();
  await expect(sending).rejects.toThrow(/large: stopped\n.*large: stopped/);
  expect(asked).toEqual(["PUT", "DELETE"]);
});
