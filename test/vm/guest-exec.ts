/** The host's end of guest-tools/exec-agent.py. */
import { PeerTimeout, within } from "../integration/peers/until.ts";
import { LineSocket } from "./line-socket.ts";

export interface Command {
  readonly argv: readonly string[];
  /** All of the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string | Uint8Array;
  readonly timeoutMs: number;
}

export interface Result {
  /** 128 + n for signal n. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Answer {
  readonly id: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly error?: string;
}

/** Beyond a command's own limit, which is kept in the guest: for the answer's way. */
const ANSWER_MS = 15_000;

export class GuestExec implements Disposable {
  readonly #socket: LineSocket;
  readonly #pending = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #nextId = 1;
  #closed = false;

  private constructor(socket: LineSocket) {
    this.#socket = socket;
    const received = (message: unknown): void => {
      const answer = message as Answer;
      this.#pending.get(answer.id)?.resolve(answer);
    };
    socket.listen(received, () => {
      this.#closed = true;
      for (const { reject } of this.#pending.values()) reject(new Error("the guest is gone"));
    });
  }

  static async connect(path: string): Promise<GuestExec> {
    return new GuestExec(await LineSocket.connect(path));
  }

  /** Several may run at once. What is sent before the guest is up waits in QEMU. */
  async run(command: Command): Promise<Result> {
    const { argv, env, input, timeoutMs } = command;
    const what = `${argv.join(" ").slice(0, 200)} in the guest`;
    if (this.#closed) throw new Error(`${what}: the guest is gone`);
    const id = this.#nextId++;
    const answered = new Promise<Answer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#socket.send({ id, argv, env, input: Buffer.from(input).toString("base64"), timeoutMs });
    try {
      const answer = await within(what, answered, timeoutMs + ANSWER_MS);
      if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`);
      const [stdout, stderr] = [answer.stdout, answer.stderr].map((text) => Buffer.from(text, "base64").toString());
      if (answer.timedOut) throw new PeerTimeout(what, timeoutMs, `${stdout}${stderr}`.slice(-2000));
      return { code: answer.code, stdout: stdout ?? "", stderr: stderr ?? "" };
    } finally {
      this.#pending.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
