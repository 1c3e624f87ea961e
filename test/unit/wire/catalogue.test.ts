import { describe, expect, it } from "vitest";
import { AgentMessageType } from "../../../src/wire/agent-constants.ts";
import {
  type AgentMessage,
  catalogue,
  decodeMessage,
  encodeMessage,
  isKnownType,
  messageName,
  streamedHeadSize,
} from "../../../src/wire/catalogue.ts";
import { allBadBodies, allBodies } from "../../fixtures/all-bodies.ts";
import { type BodyFixture, bytesOf } from "../../fixtures/fixture.ts";
import { allLayouts, layouts } from "../../fixtures/layouts.ts";
import { codeOf } from "./decode-error.ts";
import { testFixture } from "./fixture-tests.ts";

for (const fixture of allBodies) {
  testFixture<AgentMessage, BodyFixture>(fixture, {
    parse: (bytes, { layout, value }) => decodeMessage(catalogue[value.name].type, bytes, layout),
    generate: (message, { layout }) => encodeMessage(message, layout),
  });
}

describe("a body that is no message", () => {
  it.each(allBadBodies)("$title is refused as $code ($source)", (fixture) => {
    const { type } = catalogue[fixture.name];
    expect(codeOf(() => decodeMessage(type, bytesOf(fixture), fixture.layout))).toBe(fixture.code);
  });
});

describe("the catalogue", () => {
  it("has every message type of vd_agent.h under the name it has there", () => {
    const types = Object.fromEntries(Object.entries(catalogue).map(([name, { type }]) => [name, type]));
    expect(types).toEqual(AgentMessageType);
    expect(Object.values(AgentMessageType)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  });

  it("has hand-laid bytes for every message", () => {
    expect(new Set(allBodies.map(({ value }) => value.name))).toEqual(new Set(Object.keys(catalogue)));
  });

  it.each(["CLIPBOARD", "CLIPBOARD_GRAB", "CLIPBOARD_REQUEST", "CLIPBOARD_RELEASE"])(
    "has hand-laid bytes of %s with and without a selection",
    (name) => {
      const prefixes = allBodies.filter(({ value }) => value.name === name).map(({ layout }) => layout.selection);
      expect(new Set(prefixes)).toEqual(new Set([true, false]));
    },
  );

  it("has hand-laid bytes of CLIPBOARD_GRAB under all four layouts", () => {
    const grabs = allBodies.filter(({ value }) => value.name === "CLIPBOARD_GRAB");
    expect(new Set(grabs.map(({ layout }) => layout))).toEqual(new Set(allLayouts));
  });

  it("knows types 1 to 16 and calls any other by its number", () => {
    expect([0, 1, 16, 17, 0xffffffff].map(isKnownType)).toEqual([false, true, true, false, false]);
    expect([1, 16, 17].map(messageName)).toEqual(["MOUSE_STATE", "GRAPHICS_DEVICE_INFO", "type 17"]);
  });

  it("streams CLIPBOARD and FILE_XFER_DATA and nothing else", () => {
    const sizes = Object.entries(AgentMessageType).map(([name, type]) => ({
      name,
      sizes: allLayouts.map((layout) => streamedHeadSize(type, layout)),
    }));
    expect(sizes.filter((each) => each.sizes.some((size) => size !== undefined))).toEqual([
      { name: "CLIPBOARD", sizes: [4, 8, 4, 8] },
      { name: "FILE_XFER_DATA", sizes: [12, 12, 12, 12] },
    ]);
  });

  it("refuses to decode a type nobody knows", () => {
    expect(codeOf(() => decodeMessage(17, new Uint8Array(64), layouts.bare))).toBe("unknown-type");
  });

  it("tells the caller off who names a selection that the peer cannot know", () => {
    const primary: AgentMessage = { name: "CLIPBOARD_RELEASE", value: { selection: 1 } };
    expect(() => encodeMessage(primary, layouts.serial)).toThrow(RangeError);
  });
});
