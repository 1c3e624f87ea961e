// CLIENT_DISCONNECTED, spice-server to guest: a message without a body.
import type { Codec } from "./codec.ts";

export type ClientDisconnected = Record<never, never>;
export const clientDisconnected: Codec<ClientDisconnected> = {
  decode: () => ({}),
  encode: () => new Uint8Array(0),
};
