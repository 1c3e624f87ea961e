// Errors by fault: each says whose, with a code that does not change, in one line for the log.
import { describe, expect, test } from "vitest";
import { BackendError, ConfigError, describeError, PortError } from "../../../src/support/errors.ts";
import { DecodeError } from "../../../src/wire/bytes.ts";

describe("one line for the log", () => {
  test.each<[string, unknown, string]>([
    ["a port", new PortError("port.busy", "in use"), "port.busy: in use"],
    ["a desktop", new BackendError("monitors.refused", "status 2"), "monitors.refused: status 2"],
    ["the peer", new DecodeError("truncated", "needs 4 bytes, has 2"), "truncated: needs 4 bytes, has 2"],
    ["a configuration has no code: its text says it all", new ConfigError("FILE:2: wrong"), "FILE:2: wrong"],
    ["ours", new RangeError("impossible"), "impossible"],
    [
      "the system's, by its own code",
      Object.assign(new Error("no such file"), { code: "ENOENT" }),
      "ENOENT: no such file",
    ],
    ["a code that is no text is none", Object.assign(new Error("odd"), { code: 7 }), "odd"],
    ["what is no error", "text", "text"],
    ["nothing at all", undefined, "undefined"],
  ])("%s", (_, error, line) => {
    expect(describeError(error)).toBe(line);
  });
});

test("an error keeps its cause and its class", () => {
  const cause = new Error("below");
  const error = new PortError("port.failed", "above", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(BackendError);
  expect([error.name, error.code, error.message, error.cause]).toEqual(["PortError", "port.failed", "above", cause]);
});

test.each([
  ["PortError", new PortError("port.busy", "")],
  ["BackendError", new BackendError("link.closed", "")],
  ["ConfigError", new ConfigError("")],
])("%s goes by its name", (name, error) => {
  expect(error.name).toBe(name);
  expect(String(error)).toBe(name);
});
