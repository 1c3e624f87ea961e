// AUDIO_VOLUME_SYNC, viewer to guest: VDAgentAudioVolumeSync in vd_agent.h.
import { ByteReader, ByteWriter, DecodeError } from "./bytes.ts";
import type { Codec } from "./codec.ts";

export interface AudioVolumeSync {
  /** Loudspeaker, else microphone. */
  readonly isPlayback: boolean;
  readonly mute: boolean;
  /** One number a channel, 0..65535, linear. */
  readonly volume: readonly number[];
}

export const audioVolumeSync: Codec<AudioVolumeSync> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    const isPlayback = reader.u8() !== 0;
    const mute = reader.u8() !== 0;
    const channels = reader.u8();
    if (channels * 2 > reader.left) throw new DecodeError("truncated", `${channels} channels in ${reader.left} bytes`);
    return { isPlayback, mute, volume: Array.from({ length: channels }, () => reader.u16()) };
  },
  encode: ({ isPlayback, mute, volume }) => {
    const writer = new ByteWriter(3 + 2 * volume.length);
    writer.u8(isPlayback ? 1 : 0);
    writer.u8(mute ? 1 : 0);
    writer.u8(volume.length);
    for (const value of volume) writer.u16(value);
    return writer.finish();
  },
};
