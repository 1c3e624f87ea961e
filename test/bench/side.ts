/** One half of the comparison: an Xspice with one of the agents in it and a viewer in front of it. */
import { startAgentOf, startAgentPairOf } from "../integration/peers/agent.ts";
import { type MonitorsTailProxy, startMonitorsTailProxy } from "../integration/peers/monitors-tail-proxy.ts";
import type { PeerProcess } from "../integration/peers/processes.ts";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs } from "../integration/peers/until.ts";
import { startUpstreamAgent } from "../integration/peers/upstream-agent.ts";
import { startXspice, type Xspice } from "../integration/peers/xspice.ts";
import { familyOf } from "./process-facts.ts";
import type { AgentName } from "./series.ts";

interface RunningAgent extends AsyncDisposable {
  readonly processes: readonly PeerProcess[];
}

/** How the viewer reaches the server. */
export type Path = "direct" | "proxy";

/** How ours is run. */
export interface OurProgram {
  /** The Node that runs it. */
  readonly node: string;
  /** As daemon and session, not as the one process of `run`. */
  readonly isPair: boolean;
}

const NO_LIMIT = -1;
/** Some time after a resize Xspice takes up to 10 s to notice that an agent, either of them, is gone. */
const NOTICE_MS = 30_000;

export class Side implements AsyncDisposable {
  readonly name: AgentName;
  readonly viewer: SpiceClient;
  readonly #node: string;
  readonly #isPair: boolean;
  readonly #server: Xspice;
  readonly #proxy: MonitorsTailProxy;
  readonly #saveDir = makeTempDir("bench-saved");
  #agent: RunningAgent | undefined;
  #path: Path | undefined;

  private constructor(
    name: AgentName,
    { node, isPair }: OurProgram,
    server: Xspice,
    proxy: MonitorsTailProxy,
    viewer: SpiceClient,
  ) {
    this.name = name;
    this.#node = node;
    this.#isPair = isPair;
    this.#server = server;
    this.#proxy = proxy;
    this.viewer = viewer;
  }

  /** With a connected viewer and a running agent. What is left after a failure ends with this process. */
  static async start(name: AgentName, ours: OurProgram): Promise<Side> {
    const server = await startXspice();
    const proxy = await startMonitorsTailProxy(server.spicePort);
    const side = new Side(name, ours, server, proxy, await SpiceClient.start());
    await side.connect("direct");
    await side.startAgent();
    return side;
  }

  get display(): string {
    return this.#server.display;
  }

  /** Where dropped files arrive. */
  get saveDir(): string {
    return this.#saveDir.path;
  }

  /** The agent's processes, those it started included. */
  get pids(): readonly number[] {
    return familyOf(this.#agent?.processes.map(({ pid }) => pid) ?? []);
  }

  /** The end of what the agent wrote to stderr. */
  get agentErrors(): string {
    return this.#agent?.processes.map(({ name, errors }) => `${name}: ${errors.slice(-1500)}`).join("\n") ?? "";
  }

  /** Changes the way the viewer is connected, if it is another. */
  async connect(path: Path): Promise<void> {
    if (this.#path === path) return;
    if (this.#path !== undefined) await this.viewer.disconnect();
    this.#path = undefined;
    const port = path === "proxy" ? this.#proxy.port : this.#server.spicePort;
    await this.viewer.connect(port, { maxClipboardBytes: NO_LIMIT });
    this.#path = path;
    if (this.#agent !== undefined) await this.viewer.waitForAgent();
  }

  /** Ends the agent as a service manager would, and waits until the viewer knows. */
  async stopAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.[Symbol.asyncDispose]();
    await this.viewer.waitForNoAgent(NOTICE_MS);
  }

  /** Returns how long it took from the start of its (first) process until the viewer had its announcement. */
  async startAgent(): Promise<number> {
    const startMs = monotonicMs();
    const startAgent = this.name === "theirs" ? startTheirs : this.#isPair ? startOurPair : startOurs;
    this.#agent = await startAgent(this.#server, this.#node, this.saveDir);
    await this.viewer.waitForAgent();
    const announced = this.viewer.events.all("agent", startMs).find((event) => event.announced);
    if (announced === undefined) throw new Error("the viewer has an agent that was announced before it was started");
    return announced.atMs - startMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.viewer[Symbol.asyncDispose]();
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#proxy[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
    this.#saveDir[Symbol.dispose]();
  }
}

export type Sides = Readonly<Record<AgentName, Side>>;

/** The two processes of ours that do what the one of `run` does. */
async function startOurPair(server: Xspice, node: string, saveDir: string): Promise<RunningAgent> {
  const pair = await startAgentPairOf(server, { node, args: ["--save-dir", saveDir] });
  return { processes: [pair.daemon.process, pair.session.process], [Symbol.asyncDispose]: pair[Symbol.asyncDispose] };
}

async function startOurs(server: Xspice, node: string, saveDir: string): Promise<RunningAgent> {
  const agent = await startAgentOf(server, { node, args: ["--save-dir", saveDir] });
  return { processes: [agent.process], [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

async function startTheirs(server: Xspice, _node: string, saveDir: string): Promise<RunningAgent> {
  const agent = await startUpstreamAgent(server, { saveDir });
  return { processes: [agent.daemon, agent.session], [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}
