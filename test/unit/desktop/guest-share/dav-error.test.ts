// What the operating system refuses, as a client is told.
import { expect, test } from "vitest";
import { asDavError, DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { NativeFailure } from "../../../../src/support/native/libc.ts";

test.each([
  ["ENOENT", 404],
  ["EACCES", 403],
  ["EINVAL", 403],
  ["EEXIST", 409],
  ["ENAMETOOLONG", 414],
  ["ENOSPC", 507],
  ["EMFILE", 503],
])("%s: %i, whoever says so", (errno, status) => {
  expect(asDavError(Object.assign(new Error("node"), { code: errno })).status).toBe(status);
  expect(asDavError(new NativeFailure("linkat", errno)).status).toBe(status);
});

test("what is refused already stays so; what nobody has foreseen is thrown on", () => {
  const refused = new DavError(412, "no");
  expect(asDavError(refused)).toBe(refused);
  for (const error of [new TypeError("a mistake of ours"), Object.assign(new Error("disk"), { code: "EIO" })])
    expect(() => asDavError(error)).toThrow(error);
});
