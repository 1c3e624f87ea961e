import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DecodeErrorCode } from "../../../src/wire/bytes.ts";
import {
  type AgentMessage,
  type AgentMessageName,
  catalogue,
  decodeMessage,
  encodeMessage,
} from "../../../src/wire/catalogue.ts";
import type { Layout } from "../../../src/wire/codec.ts";
import { codeOf } from "./decode-error.ts";
import { anyLayout, messagesUnder } from "./message-arbitraries.ts";

const names = Object.keys(catalogue) as AgentMessageName[];
const anyOf = (name: AgentMessageName) =>
  anyLayout.chain((layout) => messagesUnder(layout)[name].map((message) => ({ layout, message })));

/** What a body is when only its first `cut` bytes are there. "read": a shorter message of the same kind. */
type Truncation = (cut: number, message: AgentMessage, layout: Layout, body: Uint8Array) => DecodeErrorCode | "read";

const truncated: Truncation = () => "truncated";

/** The list at the end has no count: whole entries less are a shorter list. */
const listFrom =
  (fixed: (layout: Layout) => number): Truncation =>
  (cut, _message, layout) => {
    if (cut < fixed(layout)) return "truncated";
    return (cut - fixed(layout)) % 4 === 0 ? "read" : "bad-value";
  };

const truncations: Record<AgentMessageName, Truncation> = {
  MOUSE_STATE: truncated,
  // The tail of millimetres may be missing, so it may also be short.
  MONITORS_CONFIG: (cut, message) =>
    message.name === "MONITORS_CONFIG" && cut >= 8 + 20 * message.value.monitors.length ? "read" : "truncated",
  REPLY: truncated,
  CLIPBOARD: truncated,
  DISPLAY_CONFIG: truncated,
  ANNOUNCE_CAPABILITIES: listFrom(() => 4),
  CLIPBOARD_GRAB: listFrom((layout) => (layout.selection ? 4 : 0) + (layout.serial ? 4 : 0)),
  CLIPBOARD_REQUEST: truncated,
  CLIPBOARD_RELEASE: truncated,
  // Its text may end anywhere: what matters is whether a digit of the size, the last key, is there.
  FILE_XFER_START: (cut, _message, _layout, body) => {
    if (cut < 4) return "truncated";
    if (!isUtf8(body.subarray(4, cut))) return "bad-text";
    return cut > Buffer.from(body).lastIndexOf("\nsize=") + "\nsize=".length ? "read" : "bad-value";
  },
  // A detail is read when it is there whole.
  FILE_XFER_STATUS: (cut) => (cut < 8 ? "truncated" : "read"),
  FILE_XFER_DATA: truncated,
  CLIENT_DISCONNECTED: truncated,
  MAX_CLIPBOARD: truncated,
  AUDIO_VOLUME_SYNC: truncated,
  GRAPHICS_DEVICE_INFO: truncated,
};

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.from(Buffer.from(bytes).toString("utf8"), "utf8").equals(bytes);
}

/** Whose length is told by its fields, so that bytes after them are nobody's. */
const selfDelimiting = names.filter((name) => name !== "ANNOUNCE_CAPABILITIES" && name !== "CLIPBOARD_GRAB");

describe.each(names)("any %s", (name) => {
  const { type } = catalogue[name];

  it("is the same after encoding and decoding", () => {
    fc.assert(
      fc.property(anyOf(name), ({ layout, message }) => {
        expect(decodeMessage(type, encodeMessage(message, layout), layout)).toEqual(message);
      }),
    );
  });
});

describe.each(names.filter((name) => name !== "CLIENT_DISCONNECTED"))("any %s", (name) => {
  const { type } = catalogue[name];

  it("cut short anywhere is the DecodeError it has to be, or a shorter message of its kind", () => {
    fc.assert(
      fc.property(anyOf(name), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (made, place) => {
        const { layout, message } = made;
        const body = encodeMessage(message, layout);
        fc.pre(body.length > 0);
        const cut = Math.floor(place * body.length);
        const outcome = codeOf(() => decodeMessage(type, body.subarray(0, cut), layout));
        expect(outcome).toBe(truncations[name](cut, message, layout, body));
      }),
    );
  });
});

describe.each(selfDelimiting)("any %s", (name) => {
  it("is the same with bytes after it", () => {
    // A status without detail would take them for one.
    const made = anyOf(name).filter(
      ({ message }) =>
        message.name !== "FILE_XFER_STATUS" ||
        message.value.gioError !== undefined ||
        message.value.freeBytes !== undefined,
    );
    fc.assert(
      fc.property(made, fc.uint8Array({ minLength: 1, maxLength: 40 }), ({ layout, message }, junk) => {
        const body = Buffer.concat([encodeMessage(message, layout), junk]);
        // The millimetres of a message that has none are not looked for: the flag is not set.
        expect(decodeMessage(catalogue[name].type, new Uint8Array(body), layout)).toEqual(message);
      }),
    );
  });
});

describe("any bytes at all", () => {
  it("are a message or a DecodeError, for every type and layout", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.uint8Array({ maxLength: 200 }), anyLayout, (type, body, layout) => {
        codeOf(() => decodeMessage(type, body, layout));
      }),
      { numRuns: 2000 },
    );
  });
});
