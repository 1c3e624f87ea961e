// Lets the guest's volume follow the viewer's: by the first mixer that works, which is asked anew for every change.
import {
  idleVolume,
  isLevel,
  type MixerName,
  mixerOrder,
  type VolumeDirection,
  type VolumeEffect,
  type VolumeInput,
  type VolumeMixer,
  type VolumeRequest,
  type VolumeState,
  volumeRequest,
  volumeStep,
} from "../../features/volume.ts";
import type { Clock } from "../../support/clock.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import type { AudioVolumeSync } from "../../wire/audio-volume-sync.ts";
import { commandRunner } from "../command.ts";
import { amixerMixer } from "./amixer.ts";
import { pactlMixer } from "./pactl.ts";
import { wpctlMixer } from "./wpctl.ts";

export type VolumeMixers = Readonly<Record<MixerName, VolumeMixer>>;

export interface VolumeStatus {
  /** Who set a volume last. */
  readonly driver: MixerName | undefined;
  /** Which direction's last wish is not fulfilled, and why. */
  readonly fault: string | undefined;
}

/** The tools found on the PATH of `env`, talking to the sound server that it names. */
export function systemMixers(clock: Clock, env: NodeJS.ProcessEnv = process.env): VolumeMixers {
  const run = commandRunner(clock, "volume.unavailable", env);
  return { wpctl: wpctlMixer(run), pactl: pactlMixer(run), amixer: amixerMixer(run) };
}

interface Following {
  state: VolumeState;
  fault: string | undefined;
  retry: Disposable | undefined;
  work: Promise<void>;
}

/** Between two wishes it holds no process, no connection and, after the last retry, no timer. */
export class VolumeControl implements AsyncDisposable {
  readonly #mixers: VolumeMixers;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #onStatus: (status: VolumeStatus) => void;
  readonly #following: Readonly<Record<VolumeDirection, Following>> = { playback: following(), record: following() };
  #driver: MixerName | undefined;

  /** `onStatus` is called after each try. */
  constructor(mixers: VolumeMixers, clock: Clock, log: Log, onStatus: (status: VolumeStatus) => void = () => {}) {
    this.#mixers = mixers;
    this.#clock = clock;
    this.#log = log;
    this.#onStatus = onStatus;
  }

  get status(): VolumeStatus {
    const faults = (["playback", "record"] as const).flatMap((direction) => {
      const { fault } = this.#following[direction];
      return fault === undefined ? [] : [`${direction}: ${fault}`];
    });
    return { driver: this.#driver, fault: faults.length === 0 ? undefined : faults.join("; ") };
  }

  /** What the viewer wants now. An earlier wish for the same direction, not yet begun or to be tried again, is forgotten. */
  request(message: AudioVolumeSync): void {
    const request = volumeRequest(message);
    if ("ignored" in request) this.#log.info(`message ignored: ${request.ignored}`);
    else this.#step(request.direction, { kind: "viewer-asked", request });
  }

  /** Ends the processes that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { retry } of Object.values(this.#following)) retry?.[Symbol.dispose]();
    await Promise.all(Object.values(this.#following).map(({ work }) => work));
  }

  #step(direction: VolumeDirection, input: VolumeInput): void {
    if (this.#stop.signal.aborted) return;
    const one = this.#following[direction];
    const [state, effects] = volumeStep(one.state, input);
    one.state = state;
    for (const effect of effects) this.#act(direction, one, effect);
  }

  #act(direction: VolumeDirection, one: Following, effect: VolumeEffect): void {
    switch (effect.kind) {
      case "apply":
        one.work = this.#apply(one, effect.request);
        return;
      case "retry-after":
        this.#log.info(`${direction} not set, tried again in ${effect.delayMs} ms: ${one.fault}`);
        one.retry = this.#clock.after(effect.delayMs, () => this.#step(direction, { kind: "retry-due" }));
        return;
      case "cancel-retry":
        one.retry?.[Symbol.dispose]();
        return;
      case "give-up":
        this.#log.warn(`${direction} not set, not tried again: ${one.fault}`);
        return;
      default:
        effect satisfies never;
    }
  }

  async #apply(one: Following, request: VolumeRequest): Promise<void> {
    const { direction } = request;
    try {
      const mixer = await this.#setByAny(request);
      this.#driver = mixer;
      one.fault = undefined;
      this.#log.info(`${direction} set: ${describeVolume(request, mixer)}`);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      // What we ended ourselves is nobody's fault.
      if (this.#stop.signal.aborted) return;
      one.fault = describeError(error);
      this.#onStatus(this.status);
      return this.#step(direction, { kind: "failed" });
    }
    this.#onStatus(this.status);
    this.#step(direction, { kind: "applied" });
  }

  /** The first mixer that works. The others' complaints are worth hearing only when none does. */
  async #setByAny(request: VolumeRequest): Promise<MixerName> {
    const complaints: string[] = [];
    let code: "volume.unavailable" | "volume.refused" = "volume.unavailable";
    for (const name of mixerOrder(request)) {
      if (this.#stop.signal.aborted) break;
      try {
        await this.#mixers[name].set(request, this.#stop.signal);
        return name;
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        if (error.code === "volume.refused") code = error.code;
        complaints.push(`${name}: ${error.message}`);
      }
    }
    throw new BackendError(code, complaints.join(", "));
  }
}

function following(): Following {
  return { state: idleVolume, fault: undefined, retry: undefined, work: Promise.resolve() };
}

function describeVolume({ channels, mute }: VolumeRequest, mixer: MixerName): string {
  const percents = channels.map((volume) => Math.round(volume / 655.35));
  const shown = isLevel(channels) ? percents.slice(0, 1) : percents;
  const mean = mixer === "wpctl" && !isLevel(channels) ? ", their mean for all channels" : "";
  return `${shown.join(", ")} %${mean}${mute ? ", muted" : ""}, by ${mixer}`;
}
