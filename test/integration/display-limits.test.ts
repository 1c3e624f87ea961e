// A driver that cannot show what is asked: the screen stays, and what cannot be had is tried once.
import { expect, test } from "vitest";
import { hostSocket } from "../fakes/host-socket.ts";
import { startAgent } from "./peers/agent.ts";
import { sleep, until } from "./peers/until.ts";
import { readHeads } from "./peers/x-screen.ts";
import { startXspice } from "./peers/xspice.ts";

const monitor = (width: number, height: number) => ({ width, height, depth: 32, x: 0, y: 0 });

test("row 33: a size for which the card has no memory is tried once, and the old layout comes back", async () => {
  await using xspice = await startXspice({ frameBufferMib: 8 });
  await using port = await hostSocket();
  await using agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xspice.display]);
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/display: connected/);
  const ask = async (width: number, height: number): Promise<void> => {
    host.send({ name: "MONITORS_CONFIG", value: { monitors: [monitor(width, height)], usePosition: true } });
    await host.next("REPLY");
  };
  const width = async (): Promise<number | undefined> => (await readHeads(xspice.display))[0]?.width;
  await ask(1000, 700);
  await until("1000x700", async () => (await width()) === 1000, 20_000);
  await ask(3840, 2160);
  await agent.untilLogged(/error: monitors: layout .*3840x2160.* not set: [a-z-]+\.[a-z-]+:/);
  expect(await readHeads(xspice.display)).toEqual([{ width: 1000, height: 700, x: 0, y: 0 }]);
  const tries = (): number => (agent.logged.match(/not set/g) ?? []).length;
  const before = tries();
  await ask(3840, 2160);
  await sleep(300);
  expect(tries()).toBe(before);
  await ask(1100, 700);
  await until("1100x700", async () => (await width()) === 1100, 20_000);
});
