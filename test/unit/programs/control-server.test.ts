// control.sock: who goes is no fault, and a fault of ours is not taken for one who goes.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AnswerControl, ControlError, ControlServer } from "../../../src/programs/control-server.ts";
import { unhandledIn } from "../../fakes/faults-of-ours.ts";
import { ManualClock } from "../../fakes/manual-clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../integration/peers/temp-dir.ts";
import { until } from "../../integration/peers/until.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir("control");
});
afterEach(() => dir[Symbol.dispose]());

/** A person who asks once, and what they read until it is closed. */
async function asks(answer: AnswerControl): Promise<string> {
  using control = new ControlServer(answer, new ManualClock(), recordingLog().log);
  const server = createServer((socket) => control.connect(socket, 1000)).listen(dir.join("socket"));
  await once(server, "listening");
  const person: Socket = connect(dir.join("socket"));
  let read = "";
  person.on("data", (bytes) => {
    read += bytes;
    person.end();
  });
  person.write('{"command":"status"}\n');
  await until("it to be closed", () => person.closed, 5000, 2);
  server.close();
  return read;
}

test("a request that makes no sense is answered with why", async () => {
  const answer = asks(() => {
    throw new ControlError("unknown command");
  });
  expect(await answer).toBe('{"error":"unknown command"}\n');
});

test("a fault of ours in an answer is not hidden", async () => {
  const fault = new TypeError("ours");
  const unhandled = await unhandledIn(async () => {
    await asks(() => {
      throw fault;
    });
  });
  expect(unhandled).toBe(fault);
});
