// What `status` tells of the viewer's folder, and to whom.
import { expect, test } from "vitest";
import { type SharedFolderReport, sharedFolderFor } from "../../../src/programs/status-report.ts";

const report: SharedFolderReport = {
  port: { path: "/dev/virtio-ports/x", state: "held", fault: null },
  viewer: "read-write",
  listening: ["127.0.0.1:9843"],
  connections: 2,
  user: 1000,
  mount: { state: "failed", path: "/home/u/Shared", driver: "davfs2", fault: "mount.not-empty: /home/u/Shared" },
  announced: null,
  entries: 7,
  fault: null,
};

test("root and the folder's user know all of it", () => {
  expect(sharedFolderFor(0, report)).toEqual(report);
  expect(sharedFolderFor(1000, report)).toEqual(report);
});

test("others know that there is one, and nothing of whose it is, where, or what is in it", () => {
  for (const others of [sharedFolderFor(1001, report), sharedFolderFor(1001, { ...report, user: null })]) {
    expect(others).toMatchObject({ viewer: "read-write", connections: 2, listening: ["127.0.0.1:9843"] });
    expect(others).toMatchObject({ user: null, entries: null, mount: { state: "failed", path: null, fault: null } });
    expect(JSON.stringify(others)).not.toMatch(/1000|home|7,/);
  }
});
