// The viewer's volume as wishes to the guest's mixer: which are valid, which is served next, how channels meet a device's.
import type { AudioVolumeSync } from "../wire/audio-volume-sync.ts";

/** To the default sink, or to the default source. */
export type VolumeDirection = "playback" | "record";

export interface VolumeRequest {
  readonly direction: VolumeDirection;
  readonly mute: boolean;
  /** 1 to 64 channels of 0..65535, linear in the percentage that a mixer shows: 65535 is 100 %. */
  readonly channels: readonly number[];
}

/** Sets the volume of what is the default device at that moment. */
export interface VolumeMixer {
  /** Rejects with a BackendError: `volume.unavailable` when nobody is there to ask, `volume.refused` when they say no. */
  set(request: VolumeRequest, signal: AbortSignal): Promise<void>;
}

/** PipeWire's tool, PulseAudio's (which PipeWire understands as well), ALSA's. */
export type MixerName = "wpctl" | "pactl" | "amixer";

const MAX_CHANNELS = 64;
const FULL = 65535;
/** `PA_VOLUME_NORM` of pulse/volume.h: 100 %. */
const FULL_RAW = 65536;

/** How long after each failure in a row the next try follows; then no more. A sound server starts within these 30 s. */
const RETRIES_MS = [500, 1000, 2000, 4000, 8000, 15_000] as const;

/** What the message asks for, or why it is ignored. */
export function volumeRequest(message: AudioVolumeSync): VolumeRequest | { readonly ignored: string } {
  const { isPlayback, mute, volume } = message;
  if (volume.length === 0) return { ignored: "no channels" };
  if (volume.length > MAX_CHANNELS) return { ignored: `${volume.length} channels, more than ${MAX_CHANNELS}` };
  return { direction: isPlayback ? "playback" : "record", mute, channels: volume };
}

/** Whom to ask, in turn. `wpctl` knows one volume for all channels only; `amixer` may reach past a sound server. */
export function mixerOrder({ channels }: VolumeRequest): readonly MixerName[] {
  return isLevel(channels) ? ["wpctl", "pactl", "amixer"] : ["pactl", "wpctl", "amixer"];
}

export function isLevel(channels: readonly number[]): boolean {
  return channels.every((volume) => volume === channels[0]);
}

export function meanVolume(channels: readonly number[]): number {
  return Math.round(channels.reduce((sum, volume) => sum + volume, 0) / channels.length);
}

/** The viewer's channels on a device with another number of them; both at least 1. */
export function volumesOnDevice(channels: readonly number[], deviceChannels: number): readonly number[] {
  if (deviceChannels === 1) return [meanVolume(channels)];
  // What one channel says holds for all; what two say of the rest, only their mean can tell.
  const rest = meanVolume(channels);
  return Array.from({ length: deviceChannels }, (_, index) => channels[index] ?? rest);
}

/** PulseAudio's volume number, 0..65536: spice-gtk's own conversion the other way round, so that full is full. */
export function rawVolume(volume: number): number {
  return Math.floor((volume * FULL_RAW) / FULL);
}

/** On any scale from `min` to `max`. */
export function scaledVolume(volume: number, min: number, max: number): number {
  return min + Math.round((volume * (max - min)) / FULL);
}

/** One direction's wish on its way. */
export type VolumeState =
  | { readonly phase: "idle" }
  | {
      readonly phase: "applying";
      readonly request: VolumeRequest;
      readonly failures: number;
      readonly next?: VolumeRequest;
    }
  | { readonly phase: "waiting"; readonly request: VolumeRequest; readonly failures: number };

export type VolumeInput =
  | { readonly kind: "viewer-asked"; readonly request: VolumeRequest }
  | { readonly kind: "applied" }
  | { readonly kind: "failed" }
  | { readonly kind: "retry-due" };

export type VolumeEffect =
  | { readonly kind: "apply"; readonly request: VolumeRequest }
  | { readonly kind: "retry-after"; readonly delayMs: number }
  | { readonly kind: "cancel-retry" }
  | { readonly kind: "give-up" };

export const idleVolume: VolumeState = { phase: "idle" };

/** One change at a time; a newer wish replaces one that waits for its turn or for its next try. */
export function volumeStep(state: VolumeState, input: VolumeInput): readonly [VolumeState, readonly VolumeEffect[]] {
  switch (input.kind) {
    case "viewer-asked":
      if (state.phase === "applying") return [{ ...state, next: input.request }, []];
      return applying(input.request, 0, state.phase === "waiting" ? [{ kind: "cancel-retry" }] : []);
    case "applied":
      if (state.phase !== "applying") return [state, []];
      return state.next === undefined ? [idleVolume, []] : applying(state.next, 0);
    case "failed":
      if (state.phase !== "applying") return [state, []];
      return state.next === undefined ? failed(state.request, state.failures) : applying(state.next, 0);
    case "retry-due":
      return state.phase === "waiting" ? applying(state.request, state.failures) : [state, []];
    default:
      return input satisfies never;
  }
}

function applying(
  request: VolumeRequest,
  failures: number,
  before: readonly VolumeEffect[] = [],
): readonly [VolumeState, readonly VolumeEffect[]] {
  return [{ phase: "applying", request, failures }, [...before, { kind: "apply", request }]];
}

function failed(request: VolumeRequest, failures: number): readonly [VolumeState, readonly VolumeEffect[]] {
  const delayMs = RETRIES_MS[failures];
  if (delayMs === undefined) return [idleVolume, [{ kind: "give-up" }]];
  return [{ phase: "waiting", request, failures: failures + 1 }, [{ kind: "retry-after", delayMs }]];
}
