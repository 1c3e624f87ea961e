// `tsvdagent status` in a pipe, from a daemon that has something new to tell each time.
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { program } from "./peers/agent.ts";
import { startProcess } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { within } from "./peers/until.ts";

test("whoever reads its output has enough of it: it ends with 0, and says nothing", async () => {
  using dir = makeTempDir("status");
  let told = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      told += 1;
      socket.write(`{"told":${told}}\n`);
    });
  }).listen(dir.join("control"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const words = ["status", "--watch", "--json", "--control", dir.join("control")];
  await using asked = await startProcess(process.execPath, [program, ...words], { stdout: "pipe" });
  await once(asked.stdout, "data");
  asked.stdout.destroy();
  expect(await within("its end", asked.ended, 5000)).toEqual({ code: 0, signal: null });
  expect(asked.errors).toBe("");
});
