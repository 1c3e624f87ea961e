// The pointer as Xspice reads it: raw `struct input_event`s on a FIFO, from the built agent with a fake host at its port.
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ChunkPort } from "../../src/wire/agent-constants.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const [SYN, KEY, REL, ABS] = [0, 1, 2, 3];
const syn = [SYN, 0, 0];
const EVENT_BYTES = 24;

let folder: TempDir;
let reader: FileHandle;
let port: HostSocket;
let agent: Agent;
let host: FakeHost;
let xorg: Awaited<ReturnType<typeof startXorgDummy>>;

beforeAll(async () => {
  folder = makeTempDir("fifo");
  const fifo = folder.join("pointer");
  execFileSync("mkfifo", [fifo]);
  xorg = await startXorgDummy();
  port = await hostSocket();
  agent = await startAgent(["run", "--uinput", `fifo:${fifo}`, "--port", port.path, "--display", xorg.display]);
  host = await port.opened();
  await host.connectViewer();
  // No reader yet is no error: what nobody takes is dropped.
  move(1, 1);
  await host.connectViewer();
  expect(agent.logged).not.toMatch(/warn: pointer|error/);
  reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const layout = [
    { width: 1024, height: 768, depth: 32, x: 0, y: 0 },
    { width: 800, height: 600, depth: 32, x: 1024, y: 0 },
  ];
  host.send({ name: "MONITORS_CONFIG", value: { monitors: layout, usePosition: true } });
  await agent.untilLogged(/layout set: 0:1024x768\+0\+0 1:800x600\+1024\+0/);
  await until(
    "the pointer to be taken",
    async () => {
      move(5, 5);
      return (await events()).length > 0;
    },
    20_000,
  );
  await host.connectViewer();
  await events();
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await reader?.close();
  await port?.[Symbol.asyncDispose]();
  await xorg?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

function move(x: number, y: number, buttons = 0, displayId = 0): void {
  host.send({ name: "MOUSE_STATE", value: { x, y, buttons, displayId } }, { port: ChunkPort.SERVER });
}

/** What has been written to the FIFO since the last time: [type, code, value] of each event. */
async function events(): Promise<number[][]> {
  const buffer = Buffer.alloc(64 * 1024);
  const { bytesRead } = await reader.read(buffer, 0, buffer.length, null).catch(() => ({ bytesRead: 0 }));
  return Array.from({ length: bytesRead / EVENT_BYTES }, (_, index) => {
    const at = index * EVENT_BYTES;
    return [buffer.readUInt16LE(at + 16), buffer.readUInt16LE(at + 18), buffer.readInt32LE(at + 20)];
  });
}

/** The events of one message: the agent has seen it when it has answered what came after it. */
async function eventsOf(...state: Parameters<typeof move>): Promise<number[][]> {
  move(...state);
  host.send({ name: "MONITORS_CONFIG", value: { monitors: [], usePosition: true } });
  await host.next("REPLY");
  return events();
}

test("rows 18, 24: a move on the second display is told where that display lies", async () => {
  expect(await eventsOf(10, 20, 0, 1)).toEqual([[ABS, 0, 1034], [ABS, 1, 20], syn]);
});

test("row 19: only what has changed is told, and the end of the report always", async () => {
  expect(await eventsOf(10, 21, 0, 1)).toEqual([[ABS, 1, 21], syn]);
  expect(await eventsOf(10, 21, 0, 1)).toEqual([syn]);
});

test.each([
  ["left", 0x02, 0x110],
  ["middle", 0x04, 0x112],
  ["right", 0x08, 0x111],
  ["side", 0x40, 0x113],
  ["extra", 0x80, 0x114],
])("row 20: the %s button goes down and up", async (_, mask, key) => {
  expect(await eventsOf(10, 21, mask, 1)).toEqual([[KEY, key, 1], syn]);
  expect(await eventsOf(10, 21, 0, 1)).toEqual([[KEY, key, 0], syn]);
});

test("row 21: the wheel turns once for each press of its button", async () => {
  expect(await eventsOf(10, 21, 0x10, 1)).toEqual([[REL, 8, 1], syn]);
  expect(await eventsOf(10, 21, 0x10, 1)).toEqual([syn]);
  expect(await eventsOf(10, 21, 0x20, 1)).toEqual([[REL, 8, -1], syn]);
  expect(await eventsOf(10, 21, 0, 1)).toEqual([syn]);
});

test("row 22: a state for a display there is not is dropped, and the link lives", async () => {
  expect(await eventsOf(10, 20, 0x02, 9)).toEqual([]);
  expect(await eventsOf(11, 21, 0, 1)).toEqual([[ABS, 0, 1035], syn]);
});

test("a reader that goes and comes back finds the pointer at work", async () => {
  const path = folder.join("pointer");
  await reader.close();
  await eventsOf(1, 1);
  reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let x = 0;
  await until(
    "the pointer to be taken again",
    async () => {
      x += 1;
      return (await eventsOf(x, 1)).length > 0;
    },
    20_000,
  );
  expect(agent.process.exit).toBeUndefined();
});
