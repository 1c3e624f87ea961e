// `tsvdagent send FILE…`: puts files of the guest into the viewer's folder, whole or not at all, and never over another.
import { type FileHandle, open } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { basename, extname } from "node:path";
import { ConfigError, RunError } from "../support/errors.ts";
import type { CommandLine } from "./command-line.ts";

export type SendOptions = Extract<CommandLine, { command: "send" }>["options"];

const DEFAULT_ADDRESS = "127.0.0.1:9843";
/** `name (1).ext` and so on. */
const MAX_NAMES = 1000;
const IDLE_MS = 30_000;
const PROGRESS_MS = 500;
const STEP_BYTES = 256 * 1024;
/** For what is left of a file that was not sent to go. */
const CLEAN_UP_MS = 5000;

/**
 * Throws a ConfigError without files, and a RunError when one of them could not be sent: the others are, all the same. When
 * the signal is aborted the rest is not, and nothing of a half one stays.
 */
export async function send(
  { address = DEFAULT_ADDRESS }: SendOptions,
  files: readonly string[],
  { say, isTerminal, stop }: { say: (text: string) => void; isTerminal: boolean; stop: AbortSignal },
): Promise<void> {
  if (files.length === 0) throw new ConfigError("send: no FILE is given");
  const failures: string[] = [];
  for (const file of files) {
    try {
      if (stop.aborted) throw stopped();
      const name = await sendFile(address, file, isTerminal ? say : () => {}, stop);
      say(`${isTerminal ? "\r\u001b[K" : ""}${file}: sent${name === basename(file) ? "" : ` as ${name}`}\n`);
    } catch (error) {
      if (isTerminal) say("\r\u001b[K");
      failures.push(`${file}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) throw new RunError(failures.join("\n"));
}

/** What it is called there. */
async function sendFile(
  address: string,
  file: string,
  say: (text: string) => void,
  stop: AbortSignal,
): Promise<string> {
  await using handle = await open(file, "r");
  const facts = await handle.stat();
  if (!facts.isFile()) throw new RunError("not a file");
  const { randomUUID } = await import("node:crypto");
  // Under another name until it is whole: nobody shall take half of it for all.
  const unfinished = `/.tsvdagent-${randomUUID()}.part`;
  try {
    const upload = ask(address, "PUT", unfinished, { "Content-Length": String(facts.size) }, stop);
    try {
      await sendBytes(upload, handle, facts.size, (sent) =>
        say(`\r${file}: ${Math.floor((100 * sent) / facts.size)} % of ${(facts.size / 1e6).toFixed(1)} MB`),
      );
      expectDone(await upload.answer);
    } finally {
      upload.request.destroy();
    }
    return await nameIt(address, unfinished, basename(file), stop);
  } catch (error) {
    await done(address, "DELETE", unfinished, {}, undefined, CLEAN_UP_MS).catch(() => {});
    throw error;
  }
}

/** All of the file, or as much as it takes for the viewer to refuse it. */
async function sendBytes(upload: Upload, handle: FileHandle, size: number, tell: (sent: number) => void) {
  let isAnswered = false;
  let wake = (): void => {};
  const over = (): void => {
    isAnswered = true;
    wake();
  };
  upload.answer.then(over, over);
  upload.request.on("drain", () => wake());
  let sent = 0;
  let toldMs = 0;
  while (sent < size && !isAnswered) {
    const wanted = Math.min(STEP_BYTES, size - sent);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, sent);
    if (bytesRead === 0) throw new RunError("it has become shorter meanwhile");
    sent += bytesRead;
    if (!upload.request.write(buffer.subarray(0, bytesRead)) && !isAnswered)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    if (Date.now() - toldMs < PROGRESS_MS) continue;
    toldMs = Date.now();
    tell(sent);
  }
  if (sent === size) return void upload.request.end();
  expectDone(await upload.answer);
  throw new RunError("the viewer has taken only some of it");
}

/** Gives it its own name, or the next that is free. */
async function nameIt(address: string, unfinished: string, wanted: string, stop: AbortSignal): Promise<string> {
  const extension = extname(wanted);
  const stem = wanted.slice(0, wanted.length - extension.length);
  for (let number = 0; number < MAX_NAMES; number++) {
    const name = number === 0 ? wanted : `${stem} (${number})${extension}`;
    const headers = { Destination: `http://${address}/${encodeURIComponent(name)}`, Overwrite: "F" };
    const status = await done(address, "MOVE", unfinished, headers, stop);
    if (status === PRECONDITION_FAILED) continue;
    expectDone(status);
    return name;
  }
  throw new RunError(`there are ${MAX_NAMES} files of that name already`);
}

const PRECONDITION_FAILED = 412;

interface Upload {
  readonly request: ClientRequest;
  readonly answer: Promise<number>;
}

/** Undefined: it is not stopped. */
function ask(
  address: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  stop: AbortSignal | undefined,
  timeout = IDLE_MS,
): Upload {
  const at = address.lastIndexOf(":");
  const sending = request({
    host: address.slice(0, at).replace(/^\[|\]$/g, ""),
    port: address.slice(at + 1),
    method,
    path,
    headers: { Host: address, ...headers },
    agent: false,
    timeout,
  });
  sending.on("timeout", () => sending.destroy(new RunError("the viewer does not answer")));
  const giveUp = (): void => void sending.destroy(stopped());
  stop?.addEventListener("abort", giveUp);
  sending.once("close", () => stop?.removeEventListener("abort", giveUp));
  if (stop?.aborted === true) giveUp();
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

async function done(...asking: Parameters<typeof ask>): Promise<number> {
  const { request: asked, answer } = ask(...asking);
  asked.end();
  return answer;
}

function stopped(): RunError {
  return new RunError("stopped");
}

function expectDone(status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 403) throw new RunError("refused: the viewer shares its folder read-only, or not with you");
  throw new RunError(`refused by the viewer: HTTP ${status}`);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "no viewer shares a folder: see tsvdagent status";
  if (code === "ECONNRESET" || code === "EPIPE")
    return "the viewer has left or stopped answering: see tsvdagent status";
  return message;
}
