// What the daemon may ask root's helper for: a uid and a flag, and nothing that could be taken for more.
import { describe, expect, test } from "vitest";
import { parseMountTable } from "../../../src/support/mount-table.ts";
import { parseMountAnswer, parseMountRequest } from "../../../src/system/shared-folder/mount-request.ts";

describe("requests", () => {
  test("a mount and an unmount; what else is in them is dropped", () => {
    expect(parseMountRequest('{"kind":"mount","uid":1000,"readOnly":true,"path":"/etc"}')).toEqual({
      kind: "mount",
      uid: 1000,
      readOnly: true,
    });
    expect(parseMountRequest('{"kind":"unmount","uid":1000}')).toEqual({ kind: "unmount", uid: 1000 });
  });

  test.each([
    "",
    "null",
    "[]",
    '"mount"',
    "{",
    '{"kind":"mount","uid":0,"readOnly":true}',
    '{"kind":"mount","uid":-1,"readOnly":true}',
    '{"kind":"mount","uid":1.5,"readOnly":true}',
    '{"kind":"mount","uid":"1000","readOnly":true}',
    '{"kind":"mount","uid":4294967295,"readOnly":true}',
    '{"kind":"mount","uid":1000}',
    '{"kind":"bind","uid":1000,"readOnly":true}',
  ])("no request: %s", (line) => {
    expect(parseMountRequest(line)).toBeUndefined();
  });

  test("answers", () => {
    expect(parseMountAnswer('{"path":"/home/a/Shared"}')).toEqual({ path: "/home/a/Shared" });
    const error = { code: "mount.failed", detail: "no" };
    expect(parseMountAnswer(JSON.stringify({ error }))).toEqual({ error });
    for (const line of ["", "{}", '{"error":"no"}', '{"error":{"code":1,"detail":"x"}}'])
      expect(parseMountAnswer(line)).toBeUndefined();
  });
});

test("the kernel's table of mounts, with a blank in a path", () => {
  const text = [
    "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
    "37 35 0:52 / /home/a\\040b/Shared ro,nosuid shared:9 - fuse http://127.0.0.1:9843/ rw",
    "",
  ].join("\n");
  expect(parseMountTable(text)).toEqual([
    { device: "98:0", path: "/mnt" },
    { device: "0:52", path: "/home/a b/Shared" },
  ]);
});
