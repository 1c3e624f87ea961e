// MONITORS_CONFIG, viewer to guest: VDAgentMonitorsConfig in vd_agent.h.
import { MonitorsFlag } from "./agent-constants.ts";
import { ByteReader, ByteWriter, DecodeError } from "./bytes.ts";
import type { Codec } from "./codec.ts";
import { i32, struct, u16, u32 } from "./fields.ts";

/** spice-server disconnects a viewer that sends more. */
export const MAX_MONITORS = 256;

/** One display of the viewer; its index in the list is the SPICE display id. Pixels; 0 by 0 means off. */
export interface MonitorConfig {
  readonly width: number;
  readonly height: number;
  /** Bits per pixel. */
  readonly depth: number;
  readonly x: number;
  readonly y: number;
  /** Millimetres, when the viewer told; 0 by 0 is unknown. */
  readonly physical?: { readonly widthMm: number; readonly heightMm: number };
}

export interface MonitorsConfig {
  readonly monitors: readonly MonitorConfig[];
  /** The positions are meant, not just filled in. */
  readonly usePosition: boolean;
}

/** Height travels before width. */
const monConfig = struct({ height: u32, width: u32, depth: u32, x: i32, y: i32 });
const monitorMm = struct({ heightMm: u16, widthMm: u16 });

export const monitorsConfig: Codec<MonitorsConfig> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    const count = reader.u32();
    const flags = reader.u32();
    if (count > MAX_MONITORS) throw new DecodeError("too-large", `${count} monitors, at most ${MAX_MONITORS}`);
    if (count * monConfig.size > reader.left)
      throw new DecodeError("truncated", `${count} monitors in ${reader.left} bytes`);
    const configs = Array.from({ length: count }, () => monConfig.read(reader));
    // Flag without tail: upstream 0.23 replays a stored config to a new session that way, so it is not an error.
    const hasSizes = (flags & MonitorsFlag.PHYSICAL_SIZE) !== 0 && reader.left >= count * monitorMm.size;
    const monitors = configs.map((config) => (hasSizes ? { ...config, physical: monitorMm.read(reader) } : config));
    return { monitors, usePosition: (flags & MonitorsFlag.USE_POS) !== 0 };
  },
  encode: ({ monitors, usePosition }) => {
    // The tail is for all monitors or for none.
    const hasSizes = monitors.some((monitor) => monitor.physical !== undefined);
    const writer = new ByteWriter(8 + monitors.length * (monConfig.size + (hasSizes ? monitorMm.size : 0)));
    writer.u32(monitors.length);
    writer.u32((usePosition ? MonitorsFlag.USE_POS : 0) | (hasSizes ? MonitorsFlag.PHYSICAL_SIZE : 0));
    for (const monitor of monitors) monConfig.write(writer, monitor);
    if (hasSizes) for (const { physical } of monitors) monitorMm.write(writer, physical ?? { heightMm: 0, widthMm: 0 });
    return writer.finish();
  },
};
