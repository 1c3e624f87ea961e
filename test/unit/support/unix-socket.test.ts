// The name of a socket whose process was killed, and several who want it.
import { once } from "node:events";
import { readdirSync, renameSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockSession } from "../../../src/desktop/session-lock.ts";
import { connectedTo, removeDeadSocket } from "../../../src/support/unix-socket.ts";
import { listenAt } from "../../../src/system/listening-socket.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let dir: TempDir;

beforeEach(() => {
  dir = makeTempDir("unix-socket");
});

afterEach(() => dir[Symbol.dispose]());

async function leaveDead(name: string): Promise<void> {
  const server = createServer().listen(dir.join("first"));
  await once(server, "listening");
  // Under this name it does not remove it.
  renameSync(dir.join("first"), dir.join(name));
  server.close();
  await once(server, "close");
}

test("a dead one is gone, a living one stays and answers, and where there is none nothing happens", async () => {
  await leaveDead("socket");
  expect(await connectedTo(dir.join("socket"))).toBeUndefined();
  await removeDeadSocket(dir.join("socket"));
  expect(readdirSync(dir.path)).toEqual([]);
  await removeDeadSocket(dir.join("socket"));
  await using _listening = await listenAt({
    path: dir.join("socket"),
    fd: undefined,
    connected: (socket) => socket.destroy(),
  });
  await removeDeadSocket(dir.join("socket"));
  expect(readdirSync(dir.path)).toEqual(["socket"]);
  const living = await connectedTo(dir.join("socket"));
  expect(living).toBeDefined();
  living?.destroy();
});

test("of several that find a session's dead lock at once one has it, time after time", async () => {
  for (let round = 0; round < 25; round += 1) {
    await leaveDead("tsvdagent-x.lock");
    const all = await Promise.all(Array.from({ length: 3 }, () => lockSession(dir.path, "x")));
    expect(all.map(({ kind }) => kind).sort()).toEqual(["ours", "taken", "taken"]);
    const leaving = new AbortController();
    leaving.abort();
    for (const one of all) await (one.kind === "ours" ? one.lock[Symbol.asyncDispose]() : one.released(leaving.signal));
    expect(readdirSync(dir.path)).toEqual([]);
  }
});
