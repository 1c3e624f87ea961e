import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentCap } from "../../../src/wire/agent-constants.ts";
import { capWords, hasCap } from "../../../src/wire/announce-capabilities.ts";

const caps = Object.values(AgentCap);

describe("capability words", () => {
  it("are upstream's for upstream's capabilities", () => {
    expect(capWords([0, 1, 2, 5, 6, 7, 8, 10, 11, 15, 16, 17])).toEqual([0x00038de7]);
  });

  it("have exactly the capabilities they were made of", () => {
    fc.assert(
      fc.property(fc.subarray(caps), (some) => {
        const words = capWords(some);
        expect(caps.filter((cap) => hasCap(words, cap))).toEqual(caps.filter((cap) => some.includes(cap)));
      }),
    );
  });

  it("have none when there are no words", () => {
    expect(caps.filter((cap) => hasCap([], cap))).toEqual([]);
  });

  it("number 18, as in vd_agent.h", () => {
    expect(caps).toEqual(Array.from({ length: 18 }, (_, index) => index));
  });
});
