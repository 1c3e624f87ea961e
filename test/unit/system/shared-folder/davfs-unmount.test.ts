// What root's helper says when the viewer's folder does not go: it would be served on at an address that is given up.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NativeFailure } from "../../../../src/support/native/libc.ts";
import { unmountDavfs } from "../../../../src/system/shared-folder/davfs-mount.ts";

/** Nobody's. */
const UID = 4_000_000_000;
const STAGING = `/run/tsvdagent-mount/${UID}`;

let mounted: string[] = [];
const asked: string[] = [];
let refusal: (path: string) => string | undefined = () => undefined;

vi.mock("../../../../src/support/mount-table.ts", async (original) => ({
  ...(await original<typeof import("../../../../src/support/mount-table.ts")>()),
  mountTable: async () => [{ device: "8:1", path: "/" }, ...mounted.map((path) => ({ device: "0:99", path }))],
}));

vi.mock("../../../../src/support/native/libc.ts", async (original) => ({
  ...(await original<typeof import("../../../../src/support/native/libc.ts")>()),
  libc: async () => ({
    umount: (path: string) => {
      asked.push(path);
      const errno = refusal(path);
      if (errno === undefined || errno === "EINVAL") mounted = mounted.filter((other) => other !== path);
      if (errno !== undefined) throw new NativeFailure("umount2", errno);
      return 0;
    },
  }),
}));

beforeEach(() => {
  mounted = [STAGING, "/home/user/Shared"];
});
afterEach(() => {
  asked.splice(0);
  refusal = () => undefined;
});

test("the user's folder first, then root's", async () => {
  await unmountDavfs(UID);
  expect(asked).toEqual(["/home/user/Shared", STAGING]);
});

test("what another has unmounted in the same moment is gone", async () => {
  refusal = () => "EINVAL";
  await unmountDavfs(UID);
});

test("what the kernel refuses is told", async () => {
  refusal = () => "EPERM";
  await expect(unmountDavfs(UID)).rejects.toMatchObject({ code: "native.failed", message: "umount2: EPERM" });
});

test("what is in the table still is not gone, whatever the kernel has said", async () => {
  refusal = (path) => {
    if (path === STAGING) mounted = [STAGING];
    return path === STAGING ? "ENOENT" : undefined;
  };
  await expect(unmountDavfs(UID)).rejects.toMatchObject({
    code: "mount.failed",
    message: `${STAGING} is mounted still`,
  });
});
