// Locks: whom they keep out, how far they reach, and when they are over.
import { beforeEach, describe, expect, test } from "vitest";
import { DavError } from "../../../../src/desktop/guest-share/dav-error.ts";
import { type DavLock, DavLocks, type NewLock, timeoutSeconds } from "../../../../src/desktop/guest-share/dav-locks.ts";
import type { SharePath } from "../../../../src/desktop/guest-share/share-path.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";

let clock: ManualClock;
let locks: DavLocks;

beforeEach(() => {
  clock = new ManualClock();
  locks = new DavLocks(clock);
});

const add = (path: SharePath, more: Partial<NewLock> = {}): DavLock =>
  locks.add({ path, isFolder: false, isExclusive: true, isDeep: false, owner: "", timeoutSeconds: 60, ...more });

function statusOf(call: () => unknown): number {
  try {
    call();
  } catch (error) {
    if (error instanceof DavError) return error.status;
    throw error;
  }
  return 200;
}

const changing = (path: SharePath, tokens: readonly string[] = [], reach = {}): number =>
  statusOf(() => locks.check(path, new Set(tokens), reach));

describe("a lock", () => {
  test("keeps everybody out who does not name it", () => {
    const { token } = add(["p", "a"]);
    expect(changing(["p", "a"])).toBe(423);
    expect(changing(["p", "a"], ["urn:uuid:other"])).toBe(423);
    expect(changing(["p", "a"], [token])).toBe(200);
    expect(changing(["p", "ab"])).toBe(200);
  });

  test("of a folder: deep to all below it, at depth 0 to what is put into it or taken out of it", () => {
    const deep = add(["p", "deep"], { isDeep: true, isFolder: true });
    expect(changing(["p", "deep", "x", "y"])).toBe(423);
    expect(changing(["p", "deep", "x", "y"], [deep.token])).toBe(200);
    add(["p", "flat"], { isFolder: true });
    expect(changing(["p", "flat", "x"])).toBe(200);
    expect(changing(["p", "flat", "x"], [], { isMember: true })).toBe(423);
  });

  test("of something below keeps a folder from being removed, each to be named", () => {
    const one = add(["p", "d", "one"]);
    const two = add(["p", "d", "two"]);
    expect(changing(["p", "d"], [], { isDeep: true })).toBe(423);
    expect(changing(["p", "d"], [one.token], { isDeep: true })).toBe(423);
    expect(changing(["p", "d"], [one.token, two.token], { isDeep: true })).toBe(200);
  });

  test("shares a place only where both are shared", () => {
    const shared = { isExclusive: false };
    add(["p", "a"], shared);
    add(["p", "a"], shared);
    expect(statusOf(() => add(["p", "a"]))).toBe(423);
    add(["p", "b"]);
    expect(statusOf(() => add(["p", "b"], shared))).toBe(423);
    expect(statusOf(() => add(["p"], { isDeep: true, isFolder: true }))).toBe(423);
    expect(statusOf(() => add(["p"], { isFolder: true }))).toBe(200);
  });

  test("is over when its time is, unless that is lengthened", () => {
    const { token } = add(["p", "a"]);
    clock.advance(59_000);
    expect(locks.refresh(["p", "a"], new Set([token]), 60).timeoutSeconds).toBe(60);
    clock.advance(59_000);
    expect(changing(["p", "a"])).toBe(423);
    clock.advance(1000);
    expect(changing(["p", "a"])).toBe(200);
    expect(statusOf(() => locks.refresh(["p", "a"], new Set([token]), 60))).toBe(412);
    expect(statusOf(() => locks.remove(["p", "a"], token))).toBe(409);
  });

  test("goes with what it locked", () => {
    const { token } = add(["p", "d", "a"]);
    locks.forget(["p", "d"]);
    expect(changing(["p", "d", "a"])).toBe(200);
    expect(statusOf(() => locks.remove(["p", "d", "a"], token))).toBe(409);
  });

  test("there are 1000 at most, and room again when one is over", () => {
    for (let n = 0; n < 1000; n++) add(["p", `f${n}`]);
    expect(statusOf(() => add(["p", "one more"]))).toBe(503);
    clock.advance(60_000);
    expect(statusOf(() => add(["p", "one more"]))).toBe(200);
  });
});

test.each([
  [undefined, 600],
  ["Second-100", 100],
  ["second-0", 1],
  ["Infinite", 3600],
  ["Infinite, Second-4100000000", 3600],
  ["Second-4100000000", 3600],
  ["Second-99999999999999", 600],
  ["nonsense", 600],
])("Timeout %s is %i s", (header, seconds) => {
  expect(timeoutSeconds(header)).toBe(seconds);
});
