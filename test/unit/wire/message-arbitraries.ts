// Any value of any message, as its type allows it.
import fc from "fast-check";
import type { AgentMessage, AgentMessageName } from "../../../src/wire/catalogue.ts";
import type { Layout } from "../../../src/wire/codec.ts";
import { MAX_MONITORS } from "../../../src/wire/monitors-config.ts";

export const u8 = fc.nat(0xff);
export const u16 = fc.nat(0xffff);
export const u32 = fc.nat(0xffffffff);
export const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
export const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

/** Any text that can stand in a field that ends at a NUL. */
const text = fc
  .oneof(fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom(..." \t\n\r\f\\=#[]sé\u3000\u00a0\ufeff") }))
  .map((value) => value.replaceAll("\0", ""));

const mm = fc.record({ widthMm: u16, heightMm: u16 });
const monitor = { width: u32, height: u32, depth: u32, x: i32, y: i32 };

/** With the tail for all monitors or for none, as on the wire. */
export const monitorsConfigs = fc.record({
  usePosition: fc.boolean(),
  monitors: fc.oneof(
    fc.array(fc.record(monitor), { maxLength: MAX_MONITORS }),
    fc.array(fc.record({ ...monitor, physical: mm }), { maxLength: MAX_MONITORS }),
  ),
});

const detailedErrors = fc.record({ id: u32, result: fc.constant(2), gioError: u32 });
const noSpace = fc.record({ id: u32, result: fc.constant(4), freeBytes: u64 });
const plainStatus = fc.record({ id: u32, result: u32 });

/** One message of every kind under this layout. */
export function messagesUnder(layout: Layout): Record<AgentMessageName, fc.Arbitrary<AgentMessage>> {
  const selection = layout.selection ? fc.constantFrom(0 as const, 1 as const, 2 as const) : fc.constant(0 as const);
  const serial = layout.serial ? u32 : fc.constant(0);
  const of = <N extends AgentMessageName>(name: N, value: fc.Arbitrary<AgentMessage<N>["value"]>) =>
    value.map((made) => ({ name, value: made }) as AgentMessage);
  return {
    MOUSE_STATE: of("MOUSE_STATE", fc.record({ x: u32, y: u32, buttons: u32, displayId: u8 })),
    MONITORS_CONFIG: of("MONITORS_CONFIG", monitorsConfigs),
    REPLY: of("REPLY", fc.record({ type: u32, error: u32 })),
    CLIPBOARD: of("CLIPBOARD", fc.record({ selection, type: u32 })),
    DISPLAY_CONFIG: of("DISPLAY_CONFIG", fc.record({ flags: u32, depth: u32 })),
    ANNOUNCE_CAPABILITIES: of(
      "ANNOUNCE_CAPABILITIES",
      fc.record({ request: fc.boolean(), words: fc.array(u32, { maxLength: 64 }) }),
    ),
    CLIPBOARD_GRAB: of("CLIPBOARD_GRAB", fc.record({ selection, serial, types: fc.array(u32, { maxLength: 256 }) })),
    CLIPBOARD_REQUEST: of("CLIPBOARD_REQUEST", fc.record({ selection, type: u32 })),
    CLIPBOARD_RELEASE: of("CLIPBOARD_RELEASE", fc.record({ selection })),
    FILE_XFER_START: of("FILE_XFER_START", fc.record({ id: u32, name: text, size: u64 })),
    FILE_XFER_STATUS: of("FILE_XFER_STATUS", fc.oneof(detailedErrors, noSpace, plainStatus)),
    FILE_XFER_DATA: of("FILE_XFER_DATA", fc.record({ id: u32, size: u64 })),
    CLIENT_DISCONNECTED: of("CLIENT_DISCONNECTED", fc.constant({})),
    MAX_CLIPBOARD: of("MAX_CLIPBOARD", fc.record({ max: i32 })),
    AUDIO_VOLUME_SYNC: of(
      "AUDIO_VOLUME_SYNC",
      fc.record({ isPlayback: fc.boolean(), mute: fc.boolean(), volume: fc.array(u16, { maxLength: 255 }) }),
    ),
    GRAPHICS_DEVICE_INFO: of(
      "GRAPHICS_DEVICE_INFO",
      fc.record({
        displays: fc.array(fc.record({ channelId: u32, monitorId: u32, deviceDisplayId: u32, deviceAddress: text }), {
          maxLength: 20,
        }),
      }),
    ),
  };
}

export const anyLayout: fc.Arbitrary<Layout> = fc.record({ selection: fc.boolean(), serial: fc.boolean() });
