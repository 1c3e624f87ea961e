/** One PulseAudio with null devices and nothing else. */
import { type PeerProcess, run, startProcess } from "./processes.ts";
import { type SoundServer, soundEnvironment } from "./sound.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

export interface PulseaudioOptions {
  /** Channels of the sink. Default: 2. */
  readonly channels?: 1 | 2 | 6;
}

/** Their names, as module-null-sink wants them. */
const channelMaps = {
  1: "mono",
  2: "front-left,front-right",
  6: "front-left,front-right,rear-left,rear-right,front-center,lfe",
} as const;

export class Pulseaudio implements SoundServer {
  readonly env: Readonly<Record<string, string>>;
  readonly #dir: TempDir;
  readonly #args: readonly string[];
  #process: PeerProcess | undefined;

  constructor(dir: TempDir, { channels = 2 }: PulseaudioOptions) {
    this.#dir = dir;
    this.env = soundEnvironment(dir.path);
    this.#args = [
      ...["-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes"],
      `--load=module-null-sink sink_name=speaker channels=${channels} channel_map=${channelMaps[channels]}`,
      "--load=module-null-source source_name=microphone",
      "--load=module-native-protocol-unix",
    ];
  }

  async start(): Promise<void> {
    const process = await startProcess("pulseaudio", this.#args, { env: this.env });
    this.#process = process;
    await until("pulseaudio to answer", () => answers(process, this.env), 10_000, 50);
    await run("pactl", ["set-default-source", "microphone"], { env: this.env });
  }

  /** Without an answer for anybody until SIGCONT. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.signal(signal);
  }

  /** Ends the server; the folder stays for the next `start`. */
  async stop(): Promise<void> {
    this.signal("SIGCONT");
    await this.#process?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#dir[Symbol.dispose]();
  }
}

/** Made, but not started: `start` is for the test to call. */
export function makePulseaudio(options: PulseaudioOptions = {}): Pulseaudio {
  return new Pulseaudio(makeTempDir("pulseaudio"), options);
}

export async function startPulseaudio(options: PulseaudioOptions = {}): Promise<Pulseaudio> {
  const server = makePulseaudio(options);
  try {
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function answers(process: PeerProcess, env: Readonly<Record<string, string>>): Promise<boolean> {
  if (process.exit !== undefined) throw new Error(`pulseaudio ended: ${process.errors.slice(-2000)}`);
  await run("pactl", ["info"], { env });
  return true;
}
