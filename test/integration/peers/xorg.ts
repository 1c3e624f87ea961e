/** One Xorg with a configuration of its own, on a display number it chooses itself. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { within } from "./until.ts";

/** The server itself: a wrapper in front of it would lose the death signal (see processes.ts). */
const XORG = "/usr/lib/xorg/Xorg";
const START_MS = 30_000;

export interface XorgRun {
  readonly process: PeerProcess;
  readonly number: number;
}

export class XorgServer implements AsyncDisposable {
  readonly display: string;
  readonly logPath: string;
  readonly #dir: TempDir;
  #run: XorgRun;

  constructor(dir: TempDir, run: XorgRun) {
    this.#dir = dir;
    this.#run = run;
    this.display = `:${run.number}`;
    this.logPath = logPath(dir);
  }

  get pid(): number {
    return this.#run.process.pid;
  }

  get process(): PeerProcess {
    return this.#run.process;
  }

  /** Ends the server, by default as a crash would; the log stays until dispose. Clients lose their connection. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#run.process.kill(signal);
    removeTraces(this.#run);
  }

  /** Ends the server if it runs and starts it again on the same display with the same configuration. */
  async restart(): Promise<void> {
    await this.kill("SIGTERM");
    this.#run = await runXorg(this.#dir, this.display);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGTERM");
    this.#dir[Symbol.dispose]();
  }
}

/** Writes the configuration into a new folder and starts a server with it; `make` wraps what came up. */
export async function startXorg<T extends XorgServer>(
  name: string,
  config: (dir: TempDir) => string,
  make: (dir: TempDir, run: XorgRun) => T,
): Promise<T> {
  const dir = makeTempDir(name);
  try {
    writeFileSync(configPath(dir), config(dir));
    return make(dir, await runXorg(dir));
  } catch (error) {
    dir[Symbol.dispose]();
    throw error;
  }
}

const configPath = (dir: TempDir): string => dir.join("xorg.conf");
const logPath = (dir: TempDir): string => dir.join("xorg.log");

/** Starts Xorg and waits until it says on descriptor 3 that clients may connect. */
async function runXorg(dir: TempDir, display?: string): Promise<XorgRun> {
  const child = await startProcess(
    XORG,
    [
      ...(display === undefined ? [] : [display]),
      ...["-config", configPath(dir), "-logfile", logPath(dir), "-displayfd", "3"],
      // Without -noreset the server forgets all modes when the last client leaves, and spiceqxl crashes.
      ...["-noreset", "-nolisten", "tcp", "-sharevts", "-novtswitch"],
    ],
    { extraPipe: true, cwd: dir.path },
  );
  try {
    let text = "";
    const ready = new Promise<number>((resolve, reject) => {
      child.extra.on("data", (chunk) => {
        text += String(chunk);
        if (text.endsWith("\n")) resolve(Number(text));
      });
      void child.ended.then(({ code, signal }) =>
        reject(new Error(`Xorg ended at start (${code ?? signal}): ${child.errors.slice(-3000)}`)),
      );
    });
    return { process: child, number: await within("Xorg to be ready", ready, START_MS, () => child.errors) };
  } catch (error) {
    await child.kill();
    throw error;
  }
}

/** Xorg removes its lock and socket itself unless it was killed hard. Another server's are left alone. */
function removeTraces({ number, process }: XorgRun): void {
  const lock = `/tmp/.X${number}-lock`;
  try {
    if (Number(readFileSync(lock, "latin1")) !== process.pid) return;
  } catch {
    return;
  }
  rmSync(`/tmp/.X11-unix/X${number}`, { force: true });
  rmSync(lock, { force: true });
}
