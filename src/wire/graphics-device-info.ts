// GRAPHICS_DEVICE_INFO, spice-server to guest: VDAgentGraphicsDeviceInfo in vd_agent.h.
import { ByteReader, ByteWriter, DecodeError, decodeUtf8 } from "./bytes.ts";
import type { Codec } from "./codec.ts";
import { struct, u32 } from "./fields.ts";

/** One head of one graphics device. The SPICE display id is channelId + monitorId. */
export interface DeviceDisplayInfo {
  readonly channelId: number;
  readonly monitorId: number;
  /** Head number on the device: index of the connector. */
  readonly deviceDisplayId: number;
  /** `pci/DOMAIN/SLOT.FUNCTION[/SLOT.FUNCTION…]`, hexadecimal, one element for each bridge on the way, root first. */
  readonly deviceAddress: string;
}

export interface GraphicsDeviceInfo {
  readonly displays: readonly DeviceDisplayInfo[];
}

const deviceDisplayInfo = struct({ channelId: u32, monitorId: u32, deviceDisplayId: u32, deviceAddressLen: u32 });
const MAX_ADDRESS_BYTES = 1024;

export const graphicsDeviceInfo: Codec<GraphicsDeviceInfo> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    const count = reader.u32();
    if (count * deviceDisplayInfo.size > reader.left)
      throw new DecodeError("truncated", `${count} displays in ${reader.left} bytes`);
    const displays = Array.from({ length: count }, () => {
      const { deviceAddressLen, ...ids } = deviceDisplayInfo.read(reader);
      if (deviceAddressLen > MAX_ADDRESS_BYTES)
        throw new DecodeError("too-large", `address of ${deviceAddressLen} bytes`);
      const address = reader.bytes(deviceAddressLen);
      const end = address.indexOf(0);
      return { ...ids, deviceAddress: decodeUtf8(end < 0 ? address : address.subarray(0, end)) };
    });
    return { displays };
  },
  encode: ({ displays }) => {
    const addresses = displays.map(({ deviceAddress }) => new TextEncoder().encode(`${deviceAddress}\0`));
    const size = addresses.reduce((sum, address) => sum + deviceDisplayInfo.size + address.length, 4);
    const writer = new ByteWriter(size);
    writer.u32(displays.length);
    for (const [index, display] of displays.entries()) {
      const address = addresses[index] as Uint8Array;
      deviceDisplayInfo.write(writer, { ...display, deviceAddressLen: address.length });
      writer.put(address);
    }
    return writer.finish();
  },
};
