// What `amixer` (1.2.8) is told after what it has told.
import { describe, expect, test } from "vitest";
import type { CommandResult } from "../../../../src/desktop/command.ts";
import { amixerMixer } from "../../../../src/desktop/volume/amixer.ts";
import type { VolumeRequest } from "../../../../src/features/volume.ts";
import { complaint, recordedCommands } from "./recorded-commands.ts";

const { signal } = new AbortController();
const said = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: "" });

/** The arguments after the card and the element. */
const change = async (element: string, request: VolumeRequest): Promise<string> => {
  const commands = recordedCommands(said(element));
  await amixerMixer(commands.run).set(request, signal);
  const name = request.direction === "playback" ? "Master" : "Capture";
  expect(commands.calls).toHaveLength(2);
  expect(commands.calls[0]).toBe(`amixer -D default -- sget ${name}`);
  const before = `amixer -D default -- sset ${name} `;
  expect(commands.calls[1]?.startsWith(before)).toBe(true);
  return commands.calls[1]?.slice(before.length) ?? "";
};

const playing = (channels: readonly number[], mute = false): VolumeRequest => ({
  direction: "playback",
  mute,
  channels,
});
const recording = (channels: readonly number[], mute = false): VolumeRequest => ({
  direction: "record",
  mute,
  channels,
});

/** Recorded: the PulseAudio plugin. */
const pulseMaster = `Simple mixer control 'Master',0
  Capabilities: pvolume pswitch pswitch-joined
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 65536
  Mono:
  Front Left: Playback 16384 [25%] [on]
  Front Right: Playback 16384 [25%] [on]
`;
const pulseCapture = `Simple mixer control 'Capture',0
  Capabilities: cvolume cswitch cswitch-joined
  Capture channels: Front Left - Front Right
  Limits: Capture 0 - 65536
  Front Left: Capture 65535 [100%] [on]
  Front Right: Capture 65535 [100%] [on]
`;
/** As on a sound card: all channels have one volume. */
const monoMaster = `Simple mixer control 'Master',0
  Capabilities: pvolume pvolume-joined pswitch pswitch-joined
  Playback channels: Mono
  Limits: Playback 0 - 87
  Mono: Playback 87 [100%] [0.00dB] [on]
`;
/** Made up, as alsa-utils writes it: one volume for both sides, no switch. */
const commonMaster = `Simple mixer control 'Master',0
  Capabilities: volume
  Playback channels: Front Left - Front Right - Rear Left - Rear Right
  Capture channels: Mono
  Limits: -31 - 31
  Front Left: 0 [50%]
`;
/** Made up: two sides with limits of their own. */
const twoSided = `Simple mixer control 'Capture',0
  Capabilities: pvolume pvolume-joined cvolume cswitch cswitch-exclusive
  Playback channels: Mono
  Capture channels: Front Left - Front Right
  Limits: Playback 0 - 31 Capture 0 - 15
  Mono: Playback 0 [0%]
`;
const switchOnly = `Simple mixer control 'Master',0
  Capabilities: pswitch pswitch-joined
  Playback channels: Mono
  Mono: Playback [on]
`;

describe("row 80", () => {
  test.each<[string, string, VolumeRequest, string]>([
    ["nothing", pulseMaster, playing([0]), "playback 0,0 unmute"],
    ["half", monoMaster, playing([32768]), "playback 44 unmute"],
    ["full", pulseMaster, playing([65535]), "playback 65536,65536 unmute"],
    ["muted", pulseMaster, playing([65535], true), "playback 65536,65536 mute"],
    ["the microphone", pulseCapture, recording([65535]), "capture 65536,65536 cap"],
    ["the microphone muted", pulseCapture, recording([0], true), "capture 0,0 nocap"],
    ["the microphone of two sides", twoSided, recording([65535, 0]), "capture 15,0 cap"],
    ["muted without a switch", commonMaster, playing([65535], true), "playback -31,-31,-31,-31"],
    ["audible without a switch", commonMaster, playing([65535]), "playback 31,31,31,31"],
    ["muted without a volume", switchOnly, playing([65535], true), "playback mute"],
  ])("%s", async (_, element, request, args) => {
    expect(await change(element, request)).toBe(args);
  });
});

describe("row 81", () => {
  test.each<[string, string, readonly number[], string]>([
    ["one to one", pulseMaster, [0, 65535], "playback 0,65536 unmute"],
    ["the mean on mono", monoMaster, [0, 65535], "playback 44 unmute"],
    ["the first of three", pulseMaster, [0, 65535, 1], "playback 0,65536 unmute"],
    ["two on four", commonMaster, [0, 65535], "playback -31,31,0,0"],
  ])("%s", async (_, element, channels, args) => {
    expect(await change(element, playing(channels))).toBe(args);
  });
});

describe("what cannot be set", () => {
  test.each([
    [
      "no card",
      complaint(
        1,
        "ALSA lib control.c:1528:(snd_ctl_open_noupdate) Invalid CTL default\namixer: Mixer attach default error: No such file or directory\n",
      ),
      "volume.unavailable",
    ],
    ["no element", complaint(1, "amixer: Unable to find simple control 'Master',0\n"), "volume.refused"],
    ["an element without volume and switch", said("  Capabilities: enum\n  Items: 'a'\n"), "volume.refused"],
    ["an answer that is none", said("what?"), "volume.refused"],
  ])("%s", async (_, answer, code) => {
    const commands = recordedCommands(answer);
    const set = amixerMixer(commands.run).set(playing([1]), signal);
    await expect(set).rejects.toMatchObject({ name: "BackendError", code });
    expect(commands.calls).toHaveLength(1);
  });
});
