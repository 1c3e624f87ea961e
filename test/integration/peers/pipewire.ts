/** One PipeWire with WirePlumber, null devices and no hardware; also in the place of PulseAudio. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type PeerProcess, run, startProcess } from "./processes.ts";
import { pactlVolume, type SoundServer, soundEnvironment, wpctlVolume } from "./sound.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

const nullDevice = (name: string, mediaClass: string): string =>
  `{ factory = adapter args = { factory.name = support.null-audio-sink node.name = ${name}
     media.class = ${mediaClass} audio.position = [ FL FR ] } }`;

/** The machine's own cards, cameras and headsets are none of a test's business; there is no session bus to ask either. */
const configuration: Readonly<Record<string, string>> = {
  "config/pipewire/pipewire.conf.d/50-null.conf": `context.objects = [
    ${nullDevice("speaker", "Audio/Sink")}
    ${nullDevice("microphone", "Audio/Source/Virtual")}
  ]`,
  "config/wireplumber/main.lua.d/51-null.lua": `
    alsa_monitor.enabled = false
    v4l2_monitor.enabled = false
    libcamera_monitor.enabled = false
    default_access.properties["enable-flatpak-portal"] = false`,
  "config/wireplumber/bluetooth.lua.d/51-null.lua": "bluez_monitor.enabled = false",
};

const START_MS = 10_000;

export async function startPipewire(): Promise<SoundServer> {
  const dir = makeTempDir("pipewire");
  const env = soundEnvironment(dir.path);
  const started: PeerProcess[] = [];
  const dispose = async (): Promise<void> => {
    for (const process of started.reverse()) await process.kill();
    dir[Symbol.dispose]();
  };
  const launch = async (command: string): Promise<PeerProcess> => {
    const process = await startProcess(command, [], { env });
    started.push(process);
    return process;
  };
  const server: SoundServer = { env, [Symbol.asyncDispose]: dispose };
  try {
    writeConfiguration(dir);
    const pipewire = await launch("pipewire");
    await until("pipewire to answer", () => answers(pipewire, run("pw-cli", ["info", "0"], { env })), START_MS, 50);
    // WirePlumber ends when it finds nobody to speak to.
    const wireplumber = await launch("wireplumber");
    const pulse = await launch("pipewire-pulse");
    for (const device of ["sink", "source"] as const) {
      await until(`a default ${device}`, () => answers(wireplumber, wpctlVolume(server, device)), START_MS, 50);
      await until(`pipewire-pulse's ${device}`, () => answers(pulse, pactlVolume(server, device)), START_MS, 50);
    }
    return server;
  } catch (error) {
    await dispose();
    throw error;
  }
}

function writeConfiguration(dir: TempDir): void {
  for (const [name, text] of Object.entries(configuration)) {
    const path = dir.join(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

async function answers(process: PeerProcess, question: Promise<unknown>): Promise<boolean> {
  await question;
  if (process.exit !== undefined) throw new Error(`${process.name} ended: ${process.errors.slice(-2000)}`);
  return true;
}
