/** The built daemon on a machine with logind: a message bus and a logind of the test's own, and whatever port it is given. */
import { chmodSync } from "node:fs";
import type { StatusReport } from "../../../src/programs/status-report.ts";
import type { FakeSession } from "../../fakes/fake-session.ts";
import { type Agent, program, startAgent } from "./agent.ts";
import { FakeLogind } from "./fake-logind.ts";
import type { TestBus } from "./message-bus.ts";
import { Knocker, startAs } from "./played-session.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until, within } from "./until.ts";

/** Who runs the tests, and somebody else; to be the other takes root. */
export const ME = process.getuid?.() ?? 0;
export const OTHER = 65534;
export const isRoot = ME === 0;

export interface LoginDaemonOptions {
  readonly port: string;
  /** Default none. */
  readonly uinput?: string;
}

export interface PlayedSession extends AsyncDisposable {
  readonly pid: number;
  readonly agent: FakeSession;
}

export class LoginDaemon implements AsyncDisposable {
  readonly logind: FakeLogind;
  readonly daemon: Agent;
  readonly dir: TempDir;
  readonly #started: AsyncDisposable[] = [];

  private constructor(logind: FakeLogind, daemon: Agent, dir: TempDir) {
    this.logind = logind;
    this.daemon = daemon;
    this.dir = dir;
  }

  /** Session 1 is ours and on the screen; 2 is the other user's, 3 another one of ours. */
  static async start(bus: TestBus, { port, uinput = "none" }: LoginDaemonOptions): Promise<LoginDaemon> {
    const dir = makeTempDir("login-daemon");
    // For other users to come to the sockets.
    chmodSync(dir.path, 0o755);
    const logind = await FakeLogind.start(bus.address);
    try {
      await logind.addSession("1", { uid: ME });
      await logind.addSession("2", { uid: OTHER });
      await logind.addSession("3", { uid: ME });
      await logind.activate("1");
      const sockets = ["--socket", dir.join("session"), "--control", dir.join("control")];
      const daemon = await startAgent(["daemon", "--port", port, "--uinput", uinput, ...sockets], {
        env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address },
      });
      const login = new LoginDaemon(logind, daemon, dir);
      await daemon.untilLogged(/logind: active session: 1/);
      return login;
    } catch (error) {
      await logind[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
      throw error;
    }
  }

  get socket(): string {
    return this.dir.join("session");
  }

  get control(): string {
    return this.dir.join("control");
  }

  /** A process that logind places in this session, or in none. */
  async knocker(session: string | undefined, uid?: number): Promise<Knocker> {
    const knocker = this.keep(await Knocker.start(this.socket, uid));
    if (session !== undefined) await this.logind.setProcess(knocker.pid, session);
    return knocker;
  }

  /** An agent that the daemon has let in. */
  async agent(session: string, uid?: number): Promise<PlayedSession> {
    const knocker = await this.knocker(session, uid);
    const before = this.logged(/connected, extended/g);
    const agent = knocker.play();
    await until(
      `the agent of session ${session} to be let in`,
      () => this.logged(/connected, extended/g) > before,
      20_000,
    );
    return { pid: knocker.pid, agent, [Symbol.asyncDispose]: () => knocker[Symbol.asyncDispose]() };
  }

  /** How often a line of the daemon's log matches a pattern with the flag g. */
  logged(pattern: RegExp): number {
    return this.daemon.logged.match(pattern)?.length ?? 0;
  }

  async status(uid?: number): Promise<StatusReport> {
    await using asked = await startAs(uid, process.execPath, [program, "status", "--json", "--control", this.control]);
    const { code } = await within("status", asked.ended, 10_000);
    if (code !== 0) throw new Error(`status: ${asked.errors}`);
    return JSON.parse(asked.output) as StatusReport;
  }

  keep<T extends AsyncDisposable>(each: T): T {
    this.#started.push(each);
    return each;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#started.reverse()) await each[Symbol.asyncDispose]();
    await this.daemon[Symbol.asyncDispose]();
    await this.logind[Symbol.asyncDispose]();
    this.dir[Symbol.dispose]();
  }
}
