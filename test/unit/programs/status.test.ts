// `tsvdagent status` where nobody answers.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { status } from "../../../src/programs/status.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("status");
});
afterEach(() => dir[Symbol.dispose]());

test("stopped while it waits for an answer, or for anybody to talk to, it ends and says nothing", async () => {
  const said: string[] = [];
  const ask = (stop: AbortSignal): Promise<void> =>
    status({ control: dir.join("control") }, (text) => void said.push(text), stop);
  const server = createServer().listen(dir.join("control"));
  await once(server, "listening");
  const stop = new AbortController();
  const asking = ask(stop.signal);
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => {});
  await once(socket, "data");
  stop.abort();
  await asking;
  await ask(stop.signal);
  expect(said).toEqual([]);
  socket.destroy();
  server.close();
});
