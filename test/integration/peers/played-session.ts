/** A session agent that a test plays over a real socket, as a process of its own: who it is to the daemon can be chosen. */
import { Duplex } from "node:stream";
import { FakeSession } from "../../fakes/fake-session.ts";
import { type PeerProcess, startProcess } from "./processes.ts";

/** Debian's own: another one on PATH may be out of another user's reach. */
export const PYTHON = "/usr/bin/python3";
/** Waits for a byte of leave; then it is a pipe between its own ends and the socket, until one of them ends. */
const RELAY = `
import os, select, socket, sys
if not os.read(0, 1): sys.exit()
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
while True:
    ready, _, _ = select.select([0, s], [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: break
        s.sendall(data)
    if s in ready:
        try: data = s.recv(65536)
        except ConnectionResetError: break
        if not data: break
        while data: data = data[os.write(1, data):]
`;

/** `uid`: another user than us needs root. */
export function startAs(
  uid: number | undefined,
  command: string,
  args: readonly string[],
  options: Parameters<typeof startProcess>[2] = {},
): Promise<PeerProcess> {
  if (uid === undefined || uid === process.getuid?.()) return startProcess(command, args, options);
  return startProcess(
    "setpriv",
    [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", command, ...args],
    // Where that user may be.
    { cwd: "/", ...options },
  );
}

/** A process that is not connected yet, so that logind can be told of it before. */
export class Knocker implements AsyncDisposable {
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  static async start(socket: string, uid?: number): Promise<Knocker> {
    return new Knocker(await startAs(uid, PYTHON, ["-c", RELAY, socket], { stdin: "pipe", stdout: "pipe" }));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves when the daemon has hung up, or it was disposed of. */
  get ended(): Promise<unknown> {
    return this.#process.ended;
  }

  /** Connects and says nothing. */
  connect(): void {
    this.#process.stdin.write("!");
  }

  /** Connects and speaks as an agent of ours does. */
  play(): FakeSession {
    this.connect();
    return new FakeSession(Duplex.from({ readable: this.#process.stdout, writable: this.#process.stdin }));
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.kill("SIGKILL");
  }
}
