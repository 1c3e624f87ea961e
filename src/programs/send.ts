// `tsvdagent send FILE…`: puts files of the guest into the viewer's folder, whole or not at all, and never over another.
import { open } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { basename, extname } from "node:path";
import { ConfigError, RunError } from "../support/errors.ts";
import type { CommandLine } from "./command-line.ts";

export type SendOptions = Extract<CommandLine, { command: "send" }>["options"];

const DEFAULT_ADDRESS = "127.0.0.1:9843";
/** `name (1).ext` and so on. */
const MAX_NAMES = 1000;
const IDLE_MS = 30_000;
const PROGRESS_MS = 500;

/** Throws a ConfigError without files, and a RunError when one of them could not be sent: the others are, all the same. */
export async function send(
  { address = DEFAULT_ADDRESS }: SendOptions,
  files: readonly string[],
  say: (text: string) => void,
  isTerminal: boolean,
): Promise<void> {
  if (files.length === 0) throw new ConfigError("send: no FILE is given");
  const failures: string[] = [];
  for (const file of files) {
    try {
      const name = await sendFile(address, file, isTerminal ? say : () => {});
      say(`${isTerminal ? "\r\u001b[K" : ""}${file}: sent${name === basename(file) ? "" : ` as ${name}`}\n`);
    } catch (error) {
      if (isTerminal) say("\r\u001b[K");
      failures.push(`${file}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) throw new RunError(failures.join("\n"));
}

/** What it is called there. */
async function sendFile(address: string, file: string, say: (text: string) => void): Promise<string> {
  await using handle = await open(file, "r");
  const facts = await handle.stat();
  if (!facts.isFile()) throw new RunError("not a file");
  const { randomUUID } = await import("node:crypto");
  // Under another name until it is whole: nobody shall take half of it for all.
  const unfinished = `/.tsvdagent-${randomUUID()}.part`;
  try {
    const upload = ask(address, "PUT", unfinished, { "Content-Length": String(facts.size) });
    let sent = 0;
    let saidMs = 0;
    if (facts.size > 0)
      for await (const piece of handle.createReadStream({
        autoClose: false,
        end: facts.size - 1,
      }) as AsyncIterable<Buffer>) {
        if (!upload.request.write(piece)) await Promise.race([drained(upload.request), upload.answer]);
        sent += piece.length;
        if (Date.now() - saidMs < PROGRESS_MS) continue;
        saidMs = Date.now();
        say(`\r${file}: ${Math.floor((100 * sent) / facts.size)} % of ${(facts.size / 1e6).toFixed(1)} MB`);
      }
    if (sent !== facts.size) throw new RunError("it has become shorter meanwhile");
    upload.request.end();
    expectDone(await upload.answer);
    return await nameIt(address, unfinished, basename(file));
  } catch (error) {
    await done(address, "DELETE", unfinished).catch(() => {});
    throw error;
  }
}

/** Gives it its own name, or the next that is free. */
async function nameIt(address: string, unfinished: string, wanted: string): Promise<string> {
  const extension = extname(wanted);
  const stem = wanted.slice(0, wanted.length - extension.length);
  for (let number = 0; number < MAX_NAMES; number++) {
    const name = number === 0 ? wanted : `${stem} (${number})${extension}`;
    const headers = { Destination: `http://${address}/${encodeURIComponent(name)}`, Overwrite: "F" };
    const status = await done(address, "MOVE", unfinished, headers);
    if (status === PRECONDITION_FAILED) continue;
    expectDone(status);
    return name;
  }
  throw new RunError(`there are ${MAX_NAMES} files of that name already`);
}

const PRECONDITION_FAILED = 412;

function ask(address: string, method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const at = address.lastIndexOf(":");
  const sending = request({
    host: address.slice(0, at).replace(/^\[|\]$/g, ""),
    port: address.slice(at + 1),
    method,
    path,
    headers: { Host: address, ...headers },
    agent: false,
    timeout: IDLE_MS,
  });
  sending.on("timeout", () => sending.destroy(new RunError("the viewer does not answer")));
  const answer = new Promise<number>((resolve, reject) => {
    sending.on("error", reject);
    sending.on("response", (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  // Whoever still writes hears of it later.
  answer.catch(() => {});
  return { request: sending, answer };
}

async function done(address: string, method: string, path: string, headers?: Record<string, string>): Promise<number> {
  const { request: asked, answer } = ask(address, method, path, headers);
  asked.end();
  return answer;
}

function drained(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => stream.once("drain", () => resolve()));
}

function expectDone(status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 403) throw new RunError("refused: the viewer shares its folder read-only, or not with you");
  throw new RunError(`refused by the viewer: HTTP ${status}`);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "no viewer shares a folder: see tsvdagent status";
  if (code === "ECONNRESET" || code === "EPIPE") return "the viewer has left";
  return message;
}
